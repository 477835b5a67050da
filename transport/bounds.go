package transport

import (
	"context"
	"sync"
	"time"

	"github.com/liftmesh/lift"
)

// bounds are what ends an attempt from outside: its timeout, the call's deadline,
// its cancel. One timer and one hook of the attempt do it. It is also the
// context of what has to end with the attempt; only who asks for Done pays for one.
type bounds struct {
	*way
	began lift.Instant
	cuts  interface{ severed() } // is told of a cut, once; it must not block

	until time.Time // the call's deadline, zero if it has none

	mu        sync.Mutex
	over      bool
	cause     cause
	cancelErr error
	limit     cause // what it means if the timer fires
	timer     *time.Timer
	done      chan struct{} // made when first asked for, closed when cut or over
	uncancel  func() bool
}

// start sets the limits in force. It fails if one is reached already.
func (b *bounds) start(a *lift.Attempt) *failure {
	until, limit := a.Deadline, timedOut
	if a.Cut() {
		limit = deadline
	}
	if until.IsZero() {
		until, limit = a.Call.Deadline, deadline
	}
	b.until = a.Call.Deadline
	if err := a.Err(); err != nil {
		return cutBy(canceled, err)
	}
	if !until.IsZero() {
		left := until.Sub(b.began.Wall)
		if left <= 0 {
			return cutBy(limit, nil)
		}
		b.limit = limit
		b.timer = time.AfterFunc(left, b.expire)
	}
	b.uncancel = a.OnCancel(func() { b.cut(canceled, a.Err()) })
	return nil
}

func (b *bounds) expire() {
	defer b.contain("ending a call whose time is up", nil)
	b.mu.Lock()
	limit := b.limit
	b.mu.Unlock()
	b.cut(limit, nil)
}

// cut ends the attempt where it is, unless it is over.
func (b *bounds) cut(why cause, cancelErr error) {
	b.mu.Lock()
	if b.over || b.cause != uncut {
		b.mu.Unlock()
		return
	}
	b.cause, b.cancelErr = why, cancelErr
	if b.done != nil {
		close(b.done)
	}
	b.mu.Unlock()
	b.cuts.severed()
}

// lift takes the bounds away. It reports whether this was the first time, and
// what cut the attempt before it, if anything did.
func (b *bounds) lift() (first bool, cutBefore *failure) {
	b.mu.Lock()
	if b.over {
		b.mu.Unlock()
		return false, nil
	}
	b.over = true
	if b.done != nil && b.cause == uncut {
		close(b.done)
	}
	why, cancelErr := b.cause, b.cancelErr
	if b.timer != nil {
		b.timer.Stop()
	}
	b.mu.Unlock()
	if b.uncancel != nil {
		b.uncancel()
	}
	return true, cutBy(why, cancelErr)
}

// stream has only the call's own limits hold from now on: the answer's head has
// come, which is what the attempt's timeout is for.
func (b *bounds) stream(until time.Time) *failure {
	left := time.Duration(-1)
	if !until.IsZero() {
		left = max(0, until.Sub(b.now().Wall))
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.cause != uncut {
		return cutBy(b.cause, b.cancelErr)
	}
	if b.timer != nil && !b.timer.Stop() {
		b.cause = b.limit // it has fired and is on its way here
		return cutBy(b.cause, nil)
	}
	b.limit = deadline
	switch {
	case left < 0:
		b.timer = nil
	case b.timer != nil:
		b.timer.Reset(left)
	default:
		b.timer = time.AfterFunc(left, b.expire)
	}
	return nil
}

// cutFailure is the failure of an attempt that was cut, nil if it was not.
func (b *bounds) cutFailure() *failure {
	b.mu.Lock()
	why, cancelErr := b.cause, b.cancelErr
	b.mu.Unlock()
	return cutBy(why, cancelErr)
}

var _ context.Context = (*bounds)(nil)

// Done implements context.Context.
func (b *bounds) Done() <-chan struct{} {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.done == nil {
		b.done = make(chan struct{})
		if b.over || b.cause != uncut {
			close(b.done)
		}
	}
	return b.done
}

// Err implements context.Context.
func (b *bounds) Err() error {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.over || b.cause != uncut {
		return context.Canceled
	}
	return nil
}

// Deadline implements context.Context. The timer is the deadline.
func (b *bounds) Deadline() (time.Time, bool) { return time.Time{}, false }

// Value implements context.Context.
func (b *bounds) Value(any) any { return nil }
