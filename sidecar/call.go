package sidecar

import (
	"errors"
	"fmt"
	"io"
	"sync"

	"github.com/liftmesh/lift"
	"github.com/liftmesh/lift/internal/wire"
	liftv1 "github.com/liftmesh/lift/proto/lift/v1"
)

// call is one call of a session, from its first frame until its last has left.
// One goroutine serves it. It keeps its place in the session until the last
// frame has left, so that a peer that reads nothing cannot pile up answers.
type call struct {
	s       *session
	id      uint64
	service string // lc's own may be changed on its way
	lc      lift.Call

	streams bool // the request's body came in more than one frame
	ended   bool // and has ended; the session's reader's
	in      wire.Inbox
	out     wire.Credit
	fetches chan fetch // the stream that the rest of the answer moves to

	mu   sync.Mutex
	gone bool // canceled: no frame of it leaves any more
}

func newCall(s *session, f *liftv1.Call) *call {
	k := &call{s: s, id: f.GetId(), service: lift.ServiceName(f.GetService())}
	wire.Fill(&k.lc, f, s.door.cfg.Now())
	lift.Observe(s.door.cfg.Caller, &k.lc)
	k.out.Open(s.window)
	if !f.GetEnd() {
		k.streams = true
		k.in.Open(wire.Window, k.grant, s.door.buffered.give)
	}
	return k
}

// begin starts to serve the call. The request's body is whole, or comes by data.
func (k *call) begin(f *liftv1.Call) {
	switch {
	case k.streams:
		size := f.GetBodySize()
		if size < 0 {
			size = -1
		}
		k.lc.Body = lift.StreamBody(inboxReader{k}, size, lift.ReplayLimit)
	case len(f.GetBody()) > 0 || len(f.GetTrailer()) > 0:
		k.lc.Body = lift.BytesBody(f.GetBody())
		k.lc.Body.SetTrailer(wire.FromFields(f.GetTrailer()))
	}
	first := f.GetBody()
	go k.serve()
	if k.streams && len(first) > 0 {
		k.data(&liftv1.Data{Id: k.id, Body: first})
	}
}

// data takes a piece of the request's body. A peer that breaks the rules loses
// this call only.
func (k *call) data(f *liftv1.Data) {
	if n := len(f.GetBody()); n > wire.MaxData {
		k.refuse(errors.New("a Data frame is over the limit of 16 KiB"))
		return
	} else if n > 0 {
		if !k.streams {
			k.refuse(wire.ErrDataAfterEnd)
			return
		}
		if !k.s.door.buffered.take(n) {
			k.stop(&lift.Error{Code: lift.Busy, Service: k.service, Err: errors.New(
				"the sidecar holds its limit of request bodies that nobody has read yet; send fewer large requests at once, or raise the limit")})
			return
		}
		kept, err := k.in.Push(f.GetBody())
		if !kept {
			k.s.door.buffered.give(n)
		}
		if err != nil {
			k.refuse(err)
			return
		}
	}
	if f.GetEnd() && k.streams {
		k.finish(f.GetTrailer())
	}
}

// finish ends the request's body. A Data frame that comes after it is refused, so
// the trailer is set once.
func (k *call) finish(trailer []*liftv1.Field) {
	limit := k.s.door.cfg.Limits.MaxHeader
	if n := wire.FieldsSize(trailer); n > limit {
		k.stop(&lift.Error{Code: lift.TooLarge, Service: k.service, Reached: lift.MayHaveActed, Err: fmt.Errorf(
			"the request's trailer has %d bytes, the limit is %d", n, limit)})
		return
	}
	if !k.ended {
		k.ended = true
		k.lc.Body.SetTrailer(wire.FromFields(trailer))
	}
	k.in.Finish(io.EOF)
}

// refuse ends the call because the peer broke the rules.
func (k *call) refuse(err error) {
	k.stop(&lift.Error{Code: lift.InvalidCall, Service: k.service, Reached: lift.MayHaveActed, Err: err})
}

// cancel gives the call up for cause: nobody waits for its frames.
func (k *call) cancel(cause error) {
	k.mu.Lock()
	k.gone = true
	k.mu.Unlock()
	k.stop(cause)
}

// stop wakes whoever works on the call, with the reason why it ends.
func (k *call) stop(cause error) {
	k.lc.Cancel(cause)
	k.out.Abort(cause)
	if k.streams {
		k.in.Abort(cause)
	}
}

// grant lets the peer send more of the request's body.
func (k *call) grant(bytes int) {
	k.s.w.Control(&liftv1.ServerFrame{Kind: &liftv1.ServerFrame_Credit{
		Credit: &liftv1.Credit{Id: k.id, Bytes: uint32(bytes)}, //nolint:gosec // at most a window
	}}, 16, nil)
}

// serve makes the call and sends its answer. The lift.Call is ended exactly
// once, when the answer's body has ended.
func (k *call) serve() {
	last := k.contained()
	if k.streams {
		k.in.Abort(lift.ErrBodyClosed) // nobody reads the rest of the request
	}
	k.lc.End()
	if last == nil || !k.queue(last) {
		k.s.forget(k)
	}
}

// queue queues the last frame: a whole answer before all data, an End behind its
// own.
func (k *call) queue(last *liftv1.ServerFrame) bool {
	if a := last.GetAnswer(); a != nil {
		return k.s.w.Control(last, len(a.GetBody())+256, (*lastFrame)(k))
	}
	return k.s.w.Data(last, 256, (*lastFrame)(k))
}

// contained returns the call's last frame, nil if nobody waits for one. Whatever
// panics below is an error of this call.
func (k *call) contained() (last *liftv1.ServerFrame) {
	begun := false
	defer func() {
		if p := recover(); p != nil {
			last = k.failed(k.s.door.panicked(&k.lc, p), begun)
		}
	}()
	resp, err := k.s.door.contained(&k.lc)
	if err != nil {
		return k.failed(err, false)
	}
	defer resp.Body.Close()
	return k.answer(resp, &begun)
}

// failed is the last frame of a call that ends with err. What ended the call
// from our side says more than what the Caller made of it.
func (k *call) failed(err error, begun bool) *liftv1.ServerFrame {
	if own, ok := errors.AsType[*lift.Error](k.lc.Err()); ok {
		err = own
	}
	k.lc.Fail(err)
	e := wire.Error(err, k.service, k.lc.Began)
	if begun {
		return &liftv1.ServerFrame{Kind: &liftv1.ServerFrame_End{End: &liftv1.End{Id: k.id, Error: e}}}
	}
	return answerFrame(&liftv1.Answer{Id: k.id, Error: e})
}

// broke turns what broke an answer's body off into the call's error.
func (k *call) broke(err error) error {
	if _, ok := errors.AsType[*lift.Error](err); ok {
		return err
	}
	code := lift.Unavailable
	if cause := k.lc.Err(); cause != nil {
		code = wire.Canceled(cause)
	}
	e := &lift.Error{Code: code, Service: k.service}
	if k.lc.Err() == nil { // else somebody else may be writing the record
		e = lift.Errorf(&k.lc, code, "")
	}
	e.Reached, e.Err = lift.Answered, fmt.Errorf("the answer broke off: %w", err)
	return e
}

// lastFrame hears of a call's last frame.
type lastFrame call

// Leaves implements wire.Owner.
func (k *lastFrame) Leaves(*liftv1.ServerFrame) bool {
	k.mu.Lock()
	defer k.mu.Unlock()
	return !k.gone
}

// Gone implements wire.Owner.
func (k *lastFrame) Gone(*liftv1.ServerFrame) { k.s.forget((*call)(k)) }

// inboxReader is the live rest of a request's body.
type inboxReader struct{ k *call }

// Read implements io.Reader.
func (r inboxReader) Read(p []byte) (int, error) { return r.k.in.Read(p) }

// Close implements io.Closer.
func (r inboxReader) Close() error {
	r.k.in.Abort(lift.ErrBodyClosed)
	return nil
}
