package transport

import (
	"context"
	"sync"
	"time"

	"github.com/liftmesh/lift"
)

// bounds are what ends an attempt from outside: the attempt's timeout, the call's
// deadline, the wait for a local limit, its cancel. One timer and one hook of
// the attempt do it; await.go says which limit holds when. It is also the context of what
// has to end with the attempt; the channel of Done is made when it is first asked for.
type bounds struct {
	*way
	began lift.Instant
	cuts  interface{ severed() } // is told of a cut, once; it must not block

	until time.Time // the call's deadline, zero if it has none

	mu        sync.Mutex
	over      bool
	cause     cause
	cancelErr error
	watch     watch
	done      chan struct{} // made when first asked for, closed when cut or over
	uncancel  func() bool
}

// start sets the limits in force. It fails if one is reached already.
func (b *bounds) start(a *lift.Attempt) *failure {
	b.until = a.Call.Deadline
	if err := a.Err(); err != nil {
		return b.failure(canceled, err)
	}
	if f := b.begin(a); f != nil {
		return f
	}
	b.uncancel = a.OnCancel(func() { b.cut(canceled, a.Err()) })
	return nil
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
	if b.watch.timer != nil {
		b.watch.timer.Stop()
	}
	b.mu.Unlock()
	if b.uncancel != nil {
		b.uncancel()
	}
	return true, b.failure(why, cancelErr)
}

// cutFailure is the failure of an attempt that was cut, nil if it was not.
func (b *bounds) cutFailure() *failure {
	b.mu.Lock()
	why, cancelErr := b.cause, b.cancelErr
	b.mu.Unlock()
	return b.failure(why, cancelErr)
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
