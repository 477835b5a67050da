package session

import (
	"context"
	"errors"
	"io"

	"github.com/liftmesh/lift"
	"github.com/liftmesh/lift/internal/wire"
	liftv1 "github.com/liftmesh/lift/proto/lift/v1"
)

// response makes the answer's head into a response.
func (k *call) response() *lift.Response {
	k.mu.Lock()
	a := k.answer
	k.mu.Unlock()
	wire.Record(k.c, a.GetAttempts(), k.began)
	resp := &lift.Response{Status: int(a.GetStatus()), Header: wire.FromFields(a.GetHeader())}
	if a.GetEnd() {
		k.stop()
		resp.Body = lift.BytesBody(a.GetBody())
		resp.Body.SetTrailer(wire.FromFields(a.GetTrailer()))
		return resp
	}
	b := &body{k: k}
	b.body = lift.StreamBody(b, max(-1, a.GetBodySize()), 0)
	resp.Body = b.body
	return resp
}

// body is the live rest of an answer's body: first what comes in the session, then
// what has moved to a stream of its own.
type body struct {
	k     *call
	body  *lift.Body
	fetch liftv1.Lift_FetchClient
	chunk []byte
}

// Read implements io.Reader.
func (b *body) Read(p []byte) (int, error) {
	if b.fetch == nil {
		n, err := b.k.in.Read(p)
		switch {
		case errors.Is(err, errMoved):
			if err := b.open(); err != nil {
				return 0, err
			}
		case errors.Is(err, io.EOF):
			b.close()
			return n, io.EOF
		default:
			return n, err
		}
	}
	for len(b.chunk) == 0 {
		msg, err := b.fetch.Recv()
		if err != nil {
			return 0, b.lost(err)
		}
		b.chunk = msg.GetBody()
		if end := msg.GetEnd(); end != nil && len(b.chunk) == 0 {
			return 0, b.end(end)
		}
	}
	n := copy(p, b.chunk)
	b.chunk = b.chunk[n:]
	return n, nil
}

// open begins to fetch what has moved.
func (b *body) open() error {
	k := b.k
	k.mu.Lock()
	if k.over {
		k.mu.Unlock()
		return k.failure()
	}
	ctx, cancel := context.WithCancel(k.s.ctx)
	k.fetching = cancel
	s, ticket := k.s, k.ticket
	k.mu.Unlock()
	stream, err := s.api.Fetch(ctx, &liftv1.FetchRequest{Ticket: ticket})
	if err != nil {
		return b.lost(err)
	}
	b.fetch = stream
	return nil
}

// lost ends the call whose fetch broke.
func (b *body) lost(err error) error {
	if errors.Is(err, io.EOF) {
		err = io.ErrUnexpectedEOF
	}
	b.k.settle(&lift.Error{Code: lift.SessionLost, Err: errors.Join(errors.New("the stream of a large answer broke"), err)}, ours)
	return b.k.failure()
}

// end takes the end of a fetch.
func (b *body) end(f *liftv1.End) error {
	k := b.k
	if f.GetError() != nil {
		k.settle(wire.FromError(f.GetError(), k.began), sidecars)
		return k.failure()
	}
	k.mu.Lock()
	if k.over {
		k.mu.Unlock()
		return k.failure()
	}
	k.over, k.end = true, f
	cancel := k.fetching
	k.mu.Unlock()
	cancel()
	k.ended()
	b.close()
	return io.EOF
}

// close writes down what came with the body's end.
func (b *body) close() {
	b.k.mu.Lock()
	end := b.k.end
	b.k.mu.Unlock()
	b.body.SetTrailer(wire.FromFields(end.GetTrailer()))
	wire.Record(b.k.c, end.GetAttempts(), b.k.began)
}

// Close implements io.Closer. Before the body's end it cancels the call.
func (b *body) Close() error {
	b.k.settle(&lift.Error{Code: lift.CallCanceled, Err: lift.ErrBodyClosed}, ours)
	b.k.in.Abort(lift.ErrBodyClosed)
	b.k.stop()
	return nil
}
