package sidecar

import (
	"crypto/rand"
	"io"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/liftmesh/lift"
	"github.com/liftmesh/lift/internal/wire"
	liftv1 "github.com/liftmesh/lift/proto/lift/v1"
)

// fetchChunk is how much one message of a Fetch carries.
const fetchChunk = 64 << 10

// fetch is the stream that a peer opened for the rest of an answer.
type fetch struct {
	stream liftv1.Lift_FetchServer
	done   chan struct{} // closed when the serving goroutine has ended with it
}

// ticket makes the rest of the answer fetchable. It is random, since another
// peer must not guess it.
func (k *call) ticket() string {
	k.fetches = make(chan fetch, 1)
	t := rand.Text()
	d := k.s.door
	d.mu.Lock()
	d.tickets[t] = k
	d.mu.Unlock()
	k.lc.Hold(func() {
		d.mu.Lock()
		delete(d.tickets, t)
		d.mu.Unlock()
	})
	return t
}

// Fetch implements the stream of large answers. The goroutine that serves the
// call does the sending.
func (d *door) Fetch(req *liftv1.FetchRequest, stream liftv1.Lift_FetchServer) error {
	d.mu.Lock()
	k := d.tickets[req.GetTicket()]
	delete(d.tickets, req.GetTicket())
	d.mu.Unlock()
	if k == nil {
		return status.Error(codes.NotFound, "no answer waits under this ticket: it was fetched, its call has ended, or it was never given out")
	}
	f := fetch{stream, make(chan struct{})}
	k.fetches <- f
	select {
	case <-f.done:
		return nil
	case <-stream.Context().Done():
		k.cancel(ErrCallerVanished)
		return status.FromContextError(stream.Context().Err()).Err()
	case <-k.lc.Done():
		// Returning frees a Send that waits for the peer.
		select {
		case <-f.done:
			return nil
		default:
			return status.Error(codes.Canceled, k.lc.Err().Error())
		}
	}
}

// rest sends the rest of a body to the stream that fetches it. It returns what is
// left to say in the session: nothing, unless the fetch never came.
func (k *call) rest(r io.Reader, body *lift.Body) *liftv1.ServerFrame {
	var f fetch
	select {
	case f = <-k.fetches:
	case <-k.lc.Done():
		return k.failed(k.broke(k.lc.Err()), true)
	}
	defer close(f.done)
	buf := make([]byte, fetchChunk)
	var msg liftv1.FetchResponse
	for {
		n, err := r.Read(buf) // as it comes: events must not wait for a full buffer
		if n > 0 {
			msg.Body = buf[:n]
			if serr := f.stream.Send(&msg); serr != nil {
				k.cancel(ErrCallerVanished)
				return nil
			}
		}
		if err == nil {
			continue
		}
		last := &liftv1.FetchResponse{}
		if err == io.EOF {
			last.End = k.end(body)
		} else {
			broke := k.broke(err)
			k.lc.Fail(broke)
			last.End = &liftv1.End{Id: k.id, Error: wire.Error(broke, k.service, k.lc.Began)}
		}
		_ = f.stream.Send(last) // nobody is left to tell
		return nil
	}
}
