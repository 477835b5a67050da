package sidecar

import (
	"context"
	"io"
	"sync"
	"time"

	"github.com/liftmesh/lift"
	"github.com/liftmesh/lift/internal/wire"
	liftv1 "github.com/liftmesh/lift/proto/lift/v1"
)

// deadlineGrace is how long after a call's deadline we wait for the steps below
// to end it themselves, with a better reason than ours.
const deadlineGrace = 50 * time.Millisecond

// buffers holds what bodies are read into. A buffer belongs to one frame from
// get to put.
type buffers struct{ pool sync.Pool }

func (b *buffers) get() *[]byte {
	if p, ok := b.pool.Get().(*[]byte); ok {
		return p
	}
	p := make([]byte, wire.MaxData)
	return &p
}

func (b *buffers) put(p *[]byte) { b.pool.Put(p) }

// answer sends a response and returns its last frame, nil if nobody waits for
// it. A small answer that is here is one frame. begun is set once the head has
// been queued.
func (k *call) answer(resp *lift.Response, begun *bool) *liftv1.ServerFrame {
	a := &liftv1.Answer{
		Id:       k.id,
		Status:   int32(resp.Status), //nolint:gosec // three digits
		Header:   wire.Fields(resp.Header),
		BodySize: resp.Body.Size(),
	}
	if content, ok := resp.Body.Complete(); ok && len(content) <= min(wire.MaxData, k.s.window) {
		k.whole(a, content, resp.Body)
		return answerFrame(a)
	}
	r, err := resp.Body.Reader()
	if err != nil {
		return k.failed(k.broke(err), false)
	}
	// The body may wait for the peer: from here on the deadline is ours to keep too.
	if left, limited := k.lc.Remaining(k.s.door.cfg.Now()); limited {
		t := time.AfterFunc(max(0, left)+deadlineGrace, k.expire)
		defer t.Stop()
	}
	if n := resp.Body.Size(); n >= 0 && n <= int64(min(wire.MaxData, k.s.window)) {
		// So short a body is worth waiting for.
		content := make([]byte, n)
		if _, err := io.ReadFull(r, content); err == nil {
			_, err = r.Read(make([]byte, 1))
			if err == io.EOF {
				k.whole(a, content, resp.Body)
				return answerFrame(a)
			}
		}
		return k.failed(k.broke(errNotNil(err)), false)
	}
	a.Attempts = k.attempts()
	if resp.Body.Size() > wire.MoveAfter {
		a.Ticket = k.ticket()
		*begun = true
		k.s.w.Control(answerFrame(a), 256, (*middleFrame)(k))
		return k.rest(r, resp.Body)
	}
	*begun = true
	k.s.w.Control(answerFrame(a), 256, (*middleFrame)(k))
	return k.pump(r, resp.Body)
}

func errNotNil(err error) error {
	if err == nil {
		return io.ErrUnexpectedEOF // more body came than was declared
	}
	return err
}

// whole fills the one frame of an answer that is all here.
func (k *call) whole(a *liftv1.Answer, content []byte, body *lift.Body) {
	a.Body, a.BodySize, a.End = content, int64(len(content)), true
	a.Trailer = wire.Fields(body.Trailer())
	a.Attempts = k.attempts()
}

// pump sends a body under credit, and returns the last frame. What goes beyond
// MoveAfter moves to a stream of its own.
func (k *call) pump(r io.Reader, body *lift.Body) *liftv1.ServerFrame {
	pool := &k.s.door.buffers
	for sent := 0; ; {
		n, err := k.out.Take(wire.MaxData)
		if err != nil {
			return k.failed(k.broke(err), true)
		}
		buf := pool.get()
		m, err := r.Read((*buf)[:n])
		k.out.Return(n - m)
		if m == 0 {
			k.out.Sent()
			pool.put(buf)
		} else {
			sent += m
			f := &liftv1.ServerFrame{Kind: &liftv1.ServerFrame_Data{Data: &liftv1.Data{Id: k.id, Body: (*buf)[:m]}}}
			o := &dataFrame{k, buf}
			if !k.s.w.Data(f, m+16, o) {
				o.Gone(f)
				return nil // the session is over
			}
		}
		if err == io.EOF { //nolint:errorlint // the contract of Read
			return k.done(body)
		}
		if err != nil {
			return k.failed(k.broke(err), true)
		}
		if sent >= wire.MoveAfter {
			t := k.ticket()
			k.s.w.Data(&liftv1.ServerFrame{Kind: &liftv1.ServerFrame_Move{Move: &liftv1.Move{Id: k.id, Ticket: t}}}, 64, (*middleFrame)(k))
			return k.rest(r, body)
		}
	}
}

// done is the last frame of a body that ended well.
func (k *call) done(body *lift.Body) *liftv1.ServerFrame {
	return &liftv1.ServerFrame{Kind: &liftv1.ServerFrame_End{End: k.end(body)}}
}

func (k *call) end(body *lift.Body) *liftv1.End {
	return &liftv1.End{Id: k.id, Trailer: wire.Fields(body.Trailer()), Attempts: k.attempts()}
}

// attempts returns the call's record as it stands now.
func (k *call) attempts() []*liftv1.Attempt {
	var room [1]lift.AttemptRecord
	return wire.Attempts(k.lc.AppendAttempts(room[:0], 0), k.lc.Began)
}

// expire ends a call whose deadline has passed.
func (k *call) expire() {
	k.stop(context.DeadlineExceeded)
}

// middleFrame is a frame of a call that is not its last: it leaves unless the
// call was canceled.
type middleFrame call

// Leaves implements wire.Owner.
func (k *middleFrame) Leaves(f *liftv1.ServerFrame) bool { return (*lastFrame)(k).Leaves(f) }

// Gone implements wire.Owner.
func (k *middleFrame) Gone(*liftv1.ServerFrame) {}

// dataFrame hears of one piece of a body.
type dataFrame struct {
	k   *call
	buf *[]byte
}

// Leaves implements wire.Owner.
func (d *dataFrame) Leaves(f *liftv1.ServerFrame) bool { return (*lastFrame)(d.k).Leaves(f) }

// Gone implements wire.Owner.
func (d *dataFrame) Gone(*liftv1.ServerFrame) {
	d.k.s.door.buffers.put(d.buf)
	d.k.out.Sent()
}
