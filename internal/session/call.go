package session

import (
	"context"
	"errors"
	"fmt"
	"io"
	"sync"
	"time"
	"unicode/utf8"

	"github.com/liftmesh/lift"
	"github.com/liftmesh/lift/internal/wire"
	liftv1 "github.com/liftmesh/lift/proto/lift/v1"
)

// errNotSent is why a call may be put into another session: no byte of it was
// handed to this one's stream.
var errNotSent = errors.New("the call had not been sent")

// errMoved ends the part of an answer's body that came in the session.
var errMoved = errors.New("the rest of the body has moved")

// call is one call on its way. What may end it - its answer, its cancellation,
// its deadline, the loss of its session - happens in different goroutines; the
// first to set over wins, and the others do nothing.
type call struct {
	cl    *Client
	c     *lift.Call
	began lift.Instant
	body  *upload // nil if the head holds all of the request's body
	timer *time.Timer
	stop  func() bool // takes the cancellation hook back

	// settled is closed when the call is over without an answer; events carries
	// what one try came to: nil at the answer's head, errNotSent, or the failure.
	settled chan struct{}
	events  chan error

	in  wire.Inbox
	out wire.Credit

	mu       sync.Mutex
	s        *session            // of this try
	id       uint64              // in s
	head     *liftv1.ClientFrame // of this try
	left     bool                // head was handed to the stream
	answer   *liftv1.Answer      // set at the answer's head
	end      *liftv1.End         // set at its end, if it was not whole
	loading  bool                // the request's body is being read for the head
	over     bool
	err      *lift.Error // why it is over, nil for a whole answer
	ticket   string
	fetching context.CancelFunc
}

func newCall(cl *Client, c *lift.Call) (*call, error) {
	k := &call{cl: cl, c: c, began: cl.opts.Now(), settled: make(chan struct{}), events: make(chan error, 1)}
	if err := check(c); err != nil {
		return nil, err
	}
	var wait time.Duration
	if left, limited := c.Remaining(k.began); limited {
		if left <= 0 {
			return nil, lift.Errorf(c, lift.DeadlineExceeded, "the call's deadline had passed when it was made")
		}
		wait = left
	} else if c.Timeout > 0 {
		wait = c.Timeout
	}
	if cause := c.Err(); cause != nil {
		return nil, lift.Errorf(c, wire.Canceled(cause), "%w", cause)
	}
	k.mu.Lock()
	if wait > 0 {
		k.timer = time.AfterFunc(wait+cl.opts.Grace, k.expired)
	} else {
		k.timer = time.AfterFunc(patience, k.doubt)
	}
	k.mu.Unlock()
	k.stop = c.OnCancel(k.canceled)
	return k, nil
}

// check refuses what the wire cannot carry as it is.
func check(c *lift.Call) error {
	for _, s := range []struct{ what, text string }{
		{"service", c.Service}, {"method", c.Method}, {"path", c.Path}, {"tenant", c.Tenant}, {"hash key", c.HashKey},
	} {
		if !utf8.ValidString(s.text) {
			return lift.Errorf(c, lift.InvalidCall, "the %s %q is not UTF-8; escape it", s.what, s.text)
		}
	}
	for i := range c.Header {
		if !utf8.ValidString(c.Header[i].Name) {
			return lift.Errorf(c, lift.InvalidCall, "the header name %q is not UTF-8", c.Header[i].Name)
		}
	}
	return nil
}

// run puts the call into s and waits for the answer's head.
func (k *call) run(s *session) error {
	h := wire.Head(k.c)
	size := len(h.GetPath()) + wire.FieldsSize(h.GetHeader())
	if s.header > 0 && size > s.header {
		return &lift.Error{Code: lift.TooLarge, Err: fmt.Errorf("path and header have %d bytes, 32 for each field included; the sidecar's limit is %d: send less, or raise limits.header in lift.yaml", size, s.header)}
	}
	if err := k.load(h, min(wire.MaxData, s.window)); err != nil {
		return err
	}
	k.in.Open(wire.Window, k.grant, nil)
	k.out.Open(s.window - len(h.GetBody()))
	frame := &liftv1.ClientFrame{Kind: &liftv1.ClientFrame_Call{Call: h}}
	if err := s.submit(k, frame, size+len(h.GetBody())+64); err != nil {
		return err
	}
	return <-k.events
}

// place gives the call its place in s for one try; false if it is over.
func (k *call) place(s *session, id uint64, head *liftv1.ClientFrame) bool {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.over {
		return false
	}
	head.GetCall().Id = id
	k.s, k.id, k.head = s, id, head
	return true
}

// unplace takes the place back.
func (k *call) unplace(s *session) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.s == s {
		k.s, k.head = nil, nil
	}
}

// failure is why the call is over.
func (k *call) failure() error {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.err == nil {
		return nil
	}
	return k.err
}

// grant lets the sidecar send more of the answer.
func (k *call) grant(bytes int) {
	k.mu.Lock()
	s, id, over := k.s, k.id, k.over
	k.mu.Unlock()
	if !over {
		s.w.Control(&liftv1.ClientFrame{Kind: &liftv1.ClientFrame_Credit{
			Credit: &liftv1.Credit{Id: id, Bytes: uint32(bytes)}, //nolint:gosec // at most a window
		}}, 16, nil)
	}
}

// Leaves implements wire.Owner for the head.
func (k *call) Leaves(f *liftv1.ClientFrame) bool {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.over || k.head != f {
		return false
	}
	k.left = true
	return true
}

// Gone implements wire.Owner for the head: the rest of the body may follow now.
func (k *call) Gone(f *liftv1.ClientFrame) {
	k.mu.Lock()
	follows := k.body != nil && k.left && !k.over && k.head == f && !f.GetCall().GetEnd()
	s, id := k.s, k.id
	k.mu.Unlock()
	if follows {
		go k.pump(s, id)
	}
}

// onAnswer takes the answer's head, which is often all of it.
func (k *call) onAnswer(a *liftv1.Answer) {
	if a.GetError() != nil {
		k.refused(a.GetError())
		return
	}
	k.mu.Lock()
	if k.over || k.answer != nil {
		k.mu.Unlock()
		return
	}
	k.answer = a
	whole := a.GetEnd()
	k.over = whole
	k.mu.Unlock()
	if whole {
		k.ended()
		k.events <- nil
		return
	}
	if _, err := k.in.Push(a.GetBody()); err != nil {
		k.events <- nil
		k.broken(err)
		return
	}
	if a.GetTicket() != "" {
		k.onMove(a.GetTicket())
	}
	k.events <- nil
}

// refused takes the sidecar's error instead of an answer.
func (k *call) refused(w *liftv1.Error) {
	e := wire.FromError(w, k.began)
	k.mu.Lock()
	s, again := k.s, k.answer == nil && !k.over && k.head.GetCall().GetEnd()
	k.mu.Unlock()
	if e.Code == lift.Draining && e.Reached == lift.NotReached && again {
		// It was never begun: another session, if there is one, may take it.
		s.goAway()
		k.again(s)
		return
	}
	k.settle(e, sidecars)
}

// again has the call put into another session than s, if it has had no end.
func (k *call) again(s *session) {
	k.mu.Lock()
	if k.over || k.s != s || k.answer != nil {
		k.mu.Unlock()
		return
	}
	id := k.id
	k.s, k.head, k.left = nil, nil, false
	k.mu.Unlock()
	s.forget(id)
	k.events <- errNotSent
}

func (k *call) onData(f *liftv1.Data) {
	if _, err := k.in.Push(f.GetBody()); err != nil {
		k.broken(err)
	}
}

// onMove ends the body's part in the session.
func (k *call) onMove(ticket string) {
	k.mu.Lock()
	if !k.over {
		k.ticket = ticket
	}
	k.mu.Unlock()
	k.in.Finish(errMoved)
}

// onEnd takes the answer's end.
func (k *call) onEnd(f *liftv1.End) {
	if f.GetError() != nil {
		k.settle(wire.FromError(f.GetError(), k.began), sidecars)
		return
	}
	k.mu.Lock()
	if k.over || k.answer == nil || k.ticket != "" {
		k.mu.Unlock()
		return
	}
	k.over, k.end = true, f
	k.mu.Unlock()
	k.ended()
	k.in.Finish(io.EOF)
}

// onLost takes the loss of the session s.
func (k *call) onLost(s *session, cause error) {
	k.mu.Lock()
	mine, left := k.s == s, k.left
	k.mu.Unlock()
	if !mine {
		return
	}
	if !left && !errors.Is(cause, errClosed) {
		k.again(s)
		return
	}
	k.settle(&lift.Error{Code: lift.SessionLost, Err: fmt.Errorf("the session to the sidecar at %s broke while the call was out: %w", k.cl.socket, cause)}, ours)
}

// broken ends a call whose answer broke the rules of the session.
func (k *call) broken(err error) {
	k.settle(&lift.Error{Code: lift.Internal, Err: fmt.Errorf("the sidecar broke the session's rules: %w", err)}, ours)
}

// canceled hears that the lift.Call was canceled.
func (k *call) canceled() {
	cause := k.c.Err()
	k.settle(&lift.Error{Code: wire.Canceled(cause), Err: fmt.Errorf("the caller gave up: %w", cause)}, ours)
}

// expired gives up on a sidecar that has let the deadline pass.
func (k *call) expired() {
	k.settle(&lift.Error{Code: lift.DeadlineExceeded, Err: fmt.Errorf(
		"the deadline passed and the sidecar at %s has not said a word: it hangs, or has too little CPU", k.cl.socket)}, ours)
}

// whose error a call is settled with.
type whose int

const (
	ours whose = iota
	sidecars
)

// settle ends the call with an error, once.
func (k *call) settle(e *lift.Error, from whose) {
	k.mu.Lock()
	if k.over {
		k.mu.Unlock()
		return
	}
	k.over = true
	if e.Service == "" {
		e.Service = k.c.Service
	}
	switch {
	case k.answer != nil:
		e.Reached = lift.Answered
	case from == ours && k.left:
		e.Reached = lift.MayHaveActed
	}
	k.err = e
	s, id, left, waiting, loading := k.s, k.id, k.left, k.answer == nil, k.loading
	if k.fetching != nil {
		k.fetching()
	}
	k.mu.Unlock()

	if s != nil && left && from == ours {
		s.w.Control(&liftv1.ClientFrame{Kind: &liftv1.ClientFrame_Cancel{
			Cancel: &liftv1.Cancel{Id: id, Cause: string(e.Code)},
		}}, 64, nil)
	}
	k.ended()
	close(k.settled)
	k.in.Abort(e)
	if loading {
		closeQuietly(k.c.Body) // wakes who reads it for the head
	}
	if waiting && s != nil {
		k.events <- e
	}
}

// ended frees what the call has in its session.
func (k *call) ended() {
	if k.timer != nil {
		k.timer.Stop()
	}
	k.out.Abort(errOver)
	k.mu.Lock()
	s, id := k.s, k.id
	k.mu.Unlock()
	if s != nil {
		s.forget(id)
	}
}

// errOver stops the sending of a request's body whose call is over.
var errOver = errors.New("the call is over")

// finish is the error that leaves Call.
func (k *call) finish(err error) *lift.Error {
	e, ok := errors.AsType[*lift.Error](err)
	if !ok {
		e = &lift.Error{Code: lift.SessionLost, Err: errors.New("session after session broke before the call was sent")}
	}
	k.settle(e, ours) // does nothing if that is where it comes from
	k.stop()
	k.mu.Lock()
	defer k.mu.Unlock()
	k.c.SetAttempts(k.err.Attempts)
	return k.err
}
