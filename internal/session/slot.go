package session

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"sync"
	"syscall"
	"time"

	"github.com/liftmesh/lift"
	liftv1 "github.com/liftmesh/lift/proto/lift/v1"
)

// Pauses between attempts to connect.
const (
	firstBackoff = 10 * time.Millisecond
	maxBackoff   = time.Second
)

// slot is the place of one session: it opens one when it is missed, and the next
// when that is lost.
type slot struct {
	cl *Client

	mu       sync.Mutex
	cur      *session
	dialing  chan struct{} // closed when the search has ended; nil if there is none
	err      *lift.Error   // of the last search
	failures int           // searches in a row that found nothing
	next     time.Time     // wall time before which there is no new search
}

// session returns a session, and opens one if there is none. It waits no longer
// than until over is closed; why then says the error.
func (sl *slot) session(over <-chan struct{}, why func() error) (*session, error) {
	for i := 0; ; i++ {
		sl.mu.Lock()
		if sl.cur != nil && sl.cur.usable() {
			s := sl.cur
			sl.mu.Unlock()
			return s, nil
		}
		if sl.dialing == nil {
			if err := sl.failLocked(i == 0); err != nil {
				sl.mu.Unlock()
				return nil, err
			}
			if i == maxTries {
				sl.mu.Unlock()
				return nil, &lift.Error{Code: lift.Draining, Err: errors.New("every session that opens is told to go away: the sidecar is shutting down")}
			}
			if !sl.searchLocked() {
				sl.mu.Unlock()
				return nil, &lift.Error{Code: lift.SessionLost, Err: errClosed}
			}
		}
		search := sl.dialing
		sl.mu.Unlock()
		select {
		case <-search:
		case <-over:
			return nil, why()
		}
	}
}

// failLocked returns the last search's error if it is not yet time for another.
// A wall clock that was set back must not make the pause longer than it is.
func (sl *slot) failLocked(first bool) error {
	if sl.err == nil {
		return nil
	}
	wait := sl.next.Sub(sl.cl.opts.Now().Wall)
	if !first || (wait > 0 && wait <= maxBackoff) {
		e := *sl.err
		return &e
	}
	return nil
}

// searchLocked starts to look for the sidecar, and reports whether it may: a
// closed client may not.
func (sl *slot) searchLocked() bool {
	ch := make(chan struct{})
	patient := sl.failures == 0
	sl.err = nil
	if !sl.cl.start(func() { sl.search(ch, patient) }) {
		return false
	}
	sl.dialing = ch
	return true
}

// search tries to open a session: for ConnectLimit if the sidecar was there
// before, or has never been looked for; else once.
func (sl *slot) search(ch chan struct{}, patient bool) {
	var (
		s   *session
		err *lift.Error
	)
	defer func() {
		if p := recover(); p != nil {
			s, err = nil, &lift.Error{Code: lift.Internal, Err: fmt.Errorf("connecting panicked; this is a bug in Lift: %v", p)}
		}
		sl.mu.Lock()
		defer sl.mu.Unlock()
		sl.dialing, sl.cur, sl.err = nil, s, err
		if err != nil {
			sl.failures++
			sl.next = sl.cl.opts.Now().Wall.Add(sl.pause(sl.failures + 3))
		} else {
			sl.failures = 0
			// Under the lock, so that none that begins or ends now is missed.
			for _, f := range sl.cl.invocations() {
				s.w.Control(f, 256, nil)
			}
		}
		close(ch)
	}()
	ctx, cancel := context.WithTimeout(sl.cl.ctx, sl.cl.opts.ConnectLimit)
	defer cancel()
	for i := 0; ; i++ {
		var again bool
		before := err
		if s, again, err = open(ctx, sl); err == nil || !again || !patient {
			if err != nil && before != nil && (ctx.Err() != nil || errors.Is(err, context.DeadlineExceeded)) {
				err = before // says more than that the time was up
			}
			return
		}
		select {
		case <-time.After(sl.pause(i)):
		case <-ctx.Done():
			return
		}
	}
}

// pause is the i-th pause: doubled each time, and jittered down to its half, so
// that the programs beside one sidecar do not come back as one.
func (sl *slot) pause(i int) time.Duration {
	d := min(maxBackoff, firstBackoff<<min(i, 10))
	return d/2 + time.Duration(sl.cl.opts.Rand()*float64(d/2))
}

// noSidecar says that nobody answers at the socket, and what to look at. again
// tells whether it may be a matter of a moment.
func (cl *Client) noSidecar(err error) (e *lift.Error, again bool) {
	what := "check that lift-extension runs and that both name the same socket"
	switch {
	case errors.Is(err, fs.ErrNotExist):
		what, again = "there is no such socket: check that lift-extension runs (in Lambda, that its layer is attached) and that both name the same socket", true
	case errors.Is(err, syscall.ECONNREFUSED) && cl.network == "tcp":
		what, again = "nobody listens there: lift-extension has died or is just starting, or its `api:` names another address", true
	case errors.Is(err, syscall.ECONNREFUSED):
		what, again = "the socket is there but nobody listens: lift-extension has died or is just starting", true
	case errors.Is(err, syscall.EAGAIN):
		what, again = "its queue of new connections is full: lift-extension hangs, or too many programs connect at once", true
	case errors.Is(err, fs.ErrPermission):
		what = "this user may not open it: run both as one user, or set the socket's mode and group"
	case errors.Is(err, context.DeadlineExceeded):
		what = fmt.Sprintf("something listens there but did not answer within %s: lift-extension hangs, too many programs connect at once, or something else has the socket", cl.opts.ConnectLimit)
	}
	return &lift.Error{Code: lift.NoSidecar, Err: fmt.Errorf("no sidecar answers at %s: %w; %s", cl.socket, err, what)}, again
}

// tell sends a frame that belongs to no call if there is a session; if not, and
// connect is set, it has one opened, which is told what matters.
func (sl *slot) tell(f *liftv1.ClientFrame, connect bool) {
	sl.mu.Lock()
	defer sl.mu.Unlock()
	if sl.cur != nil && sl.cur.usable() {
		sl.cur.w.Control(f, 256, nil)
		return
	}
	if connect && sl.dialing == nil && sl.failLocked(true) == nil {
		sl.searchLocked()
	}
}

// lost makes way for the next session.
func (sl *slot) lost(s *session) {
	sl.mu.Lock()
	defer sl.mu.Unlock()
	if sl.cur == s {
		sl.cur = nil
	}
}

func (sl *slot) close() {
	sl.mu.Lock()
	s := sl.cur
	sl.mu.Unlock()
	if s != nil {
		s.end(errClosed)
	}
}
