package sdk

import (
	"context"
	"io"
	"sync"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"

	"github.com/liftmesh/lift"
	"github.com/liftmesh/lift/internal/rpc"
)

// NewStream implements [grpc.ClientConnInterface]. It does not wait. What the
// stream holds is given back when RecvMsg has returned an error, io.EOF included,
// or when ctx is over.
func (c *conn) NewStream(ctx context.Context, desc *grpc.StreamDesc, method string, opts ...grpc.CallOption) (grpc.ClientStream, error) {
	r, err := c.begin(ctx, method, opts)
	if err == nil && desc == nil {
		err = r.status(r.fail(lift.InvalidCall, "the description of the stream is nil; generated stubs give one"))
	}
	if err != nil {
		r.end()
		r.finished(err)
		return nil, err
	}
	s := &stream{remote: r, conn: c, ctx: ctx, many: desc.ServerStreams, head: make(chan struct{})}
	s.ended = make(chan struct{})
	s.call.Hold(func() { close(s.ended) })
	if desc.ClientStreams {
		s.out, s.in = newPipe(), newPipe()
		s.begin(lift.StreamBody(s.out, -1, lift.ReplayLimit))
	}
	return s, nil
}

// stream is a gRPC stream. As with gRPC's own, one goroutine may send while
// another receives, and no two do the same.
//
// Where the request is one message it goes with the call's head, so that it can
// be sent again. Where it is many, the answer is read ahead, within bounds: a
// sender that never receives learns that the service ended the call early.
type stream struct {
	*remote
	conn    *conn
	ctx     context.Context //nolint:containedctx // it is the stream's, as gRPC has it
	many    bool            // the service sends any number of messages
	out, in *pipe           // nil if the request is one message
	once    sync.Once

	// head is closed when the answer's head is here, or err says why there is none.
	head   chan struct{}
	resp   *lift.Response
	reader rpc.Reader
	err    error

	unwatch func() bool // ends the watch over ctx; set before head is closed, if resp is

	mu   sync.Mutex
	done bool
	end  error // once done: io.EOF or a status
}

// begin makes the call, once.
func (s *stream) begin(body *lift.Body) (first bool) {
	s.once.Do(func() {
		first = true
		s.call.Body = body
		go s.run()
	})
	return first
}

// run makes the call and reads ahead. Faults of what it calls are contained there.
func (s *stream) run() {
	resp, err := s.conn.client.do(s.ctx, &s.exchange)
	if err != nil {
		s.err = s.status(err)
		close(s.head)
		return
	}
	s.resp = resp
	s.reader, s.err = s.answered(resp)
	if s.err != nil {
		close(s.head)
		_ = resp.Body.Close()
		return
	}
	// Who gives a stream up by its context need not read it to its end. The engine
	// has the first word, also where it was faster than the context.
	over := make(chan struct{})
	s.unwatch = context.AfterFunc(s.ctx, func() {
		<-over
		s.abandoned()
	})
	stop := s.call.OnCancel(func() { go s.abandoned() })
	resp.Body.OnEnd(func(err error) {
		defer close(over)
		stop()
		switch lift.CodeOf(err) {
		case lift.DeadlineExceeded, lift.CallCanceled:
			_ = s.finish(nil, s.status(s.settleBody(err)))
		}
	})
	body := s.reader.Body
	if s.in != nil {
		s.reader.Body = s.in
	}
	close(s.head)
	if s.in != nil {
		s.readAhead(body)
	}
}

func (s *stream) readAhead(body io.Reader) {
	defer func() {
		if fault := recover(); fault != nil {
			s.in.buffer.Finish(s.fail(lift.Internal, "a fault while the answer was read: %v, at %s", fault, faultSite()))
		}
	}()
	s.in.fill(body)
}

// await waits for the answer's head, or for why there is none.
func (s *stream) await() {
	select {
	case <-s.head:
	case <-s.ctx.Done():
		s.begin(nil) // if nothing was sent so far; it fails at once
		<-s.head
	}
}

// abandoned gives back what a stream holds that was given up.
func (s *stream) abandoned() {
	defer func() { _ = recover() }() // of what others do at the body's end
	s.unwatch()
	_ = s.resp.Body.Close()
	<-s.ended
	why, cause := s.ctx.Err(), context.Cause(s.ctx)
	if why == nil {
		why, cause = s.call.Err(), s.call.Err()
	}
	_ = s.finish(nil, s.status(s.givenUp(why, cause)))
}

// Context implements [grpc.ClientStream].
func (s *stream) Context() context.Context { return s.ctx }

// Header implements [grpc.ClientStream]: it waits for the answer's head. nil
// without an error says that there is none, and RecvMsg will say why.
func (s *stream) Header() (metadata.MD, error) {
	s.await()
	if s.header == nil {
		return nil, nil //nolint:nilnil // gRPC's contract
	}
	return rpc.Metadata(s.header), nil
}

// Trailer implements [grpc.ClientStream].
func (s *stream) Trailer() metadata.MD {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.done {
		return nil
	}
	return rpc.Metadata(s.trailer)
}

// SendMsg implements [grpc.ClientStream]. It waits while more than 64 KiB are on
// their way that nobody has taken, and returns io.EOF once the call is over; then
// RecvMsg says why.
func (s *stream) SendMsg(m any) error {
	frame, err := s.options.frame(m)
	switch {
	case err != nil:
		_ = s.finish(nil, err)
		s.cancel(err)
		return err
	case s.out != nil:
		return s.out.send(frame)
	case !s.begin(lift.BytesBody(frame)):
		if s.ctx.Err() != nil {
			return io.EOF
		}
		return status.Error(codes.Internal, "a second message was sent in a call that has one")
	}
	return nil
}

// CloseSend implements [grpc.ClientStream].
func (s *stream) CloseSend() error {
	if s.out != nil {
		s.out.buffer.Finish(io.EOF)
	} else {
		s.begin(nil)
	}
	return nil
}

// RecvMsg implements [grpc.ClientStream].
func (s *stream) RecvMsg(m any) error {
	s.await()
	s.mu.Lock()
	done, end := s.done, s.end
	s.mu.Unlock()
	switch {
	case done:
		return end
	case s.err != nil:
		return s.finish(nil, s.err)
	case !s.many:
		trailer, err := s.one(&s.reader, s.resp, m)
		if err == nil {
			_ = s.finish(trailer, io.EOF)
			return nil
		}
		return s.finish(trailer, err)
	}
	switch err := s.reader.Next(m); err {
	case nil:
		return nil
	case io.EOF: //nolint:errorlint // Next's contract; what broke the body off may wrap one
		trailer, err := s.over(s.resp)
		if err == nil {
			err = io.EOF
		}
		return s.finish(trailer, err)
	default:
		return s.finish(nil, s.broken(err))
	}
}

// finish ends the stream, once, and returns its end.
func (s *stream) finish(trailer []lift.Field, err error) error {
	s.mu.Lock()
	if s.done {
		defer s.mu.Unlock()
		return s.end
	}
	s.done, s.end = true, err
	if trailer != nil {
		s.trailer = trailer
	}
	s.mu.Unlock()
	if s.in != nil {
		_ = s.in.Close()
	}
	select {
	case <-s.head:
		if s.unwatch != nil {
			s.unwatch()
		}
		if s.resp != nil {
			_ = s.resp.Body.Close()
		}
	default: // the call is being canceled
	}
	if err == io.EOF { //nolint:errorlint // as RecvMsg returns it
		s.finished(nil)
	} else {
		s.finished(err)
	}
	return err
}
