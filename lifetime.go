package lift

import (
	"context"
	"slices"
	"sync"
)

// lifetime is common to calls and attempts: an end, resources that are given back at
// the end, and cancellation. All its methods are safe for concurrent use.
type lifetime struct {
	mu    sync.Mutex // never held while a hook or a hold runs
	holds []func()
	ended bool
	err   error         // why it was canceled
	done  chan struct{} // made at the first use
	hooks []*func()
}

// Hold registers f to give something back at the end: a permit, an in-flight count.
// Each f runs exactly once, the last one first. After the end, f runs at once.
func (l *lifetime) Hold(f func()) {
	l.mu.Lock()
	if !l.ended {
		l.holds = append(l.holds, f)
		l.mu.Unlock()
		return
	}
	l.mu.Unlock()
	f()
}

// end runs the functions that were given to Hold. It reports whether this was the first
// time.
func (l *lifetime) end() (first bool) {
	l.mu.Lock()
	holds := l.holds
	first = !l.ended
	l.holds, l.ended = nil, true
	l.mu.Unlock()
	for _, giveBack := range slices.Backward(holds) {
		giveBack()
	}
	return first
}

// Cancel tells every step that the caller no longer waits, and why. The first cause
// stays. A nil cause means context.Canceled. Cancel does not block.
func (l *lifetime) Cancel(cause error) {
	if cause == nil {
		cause = context.Canceled
	}
	l.mu.Lock()
	if l.err != nil {
		l.mu.Unlock()
		return
	}
	l.err = cause
	hooks := l.hooks
	l.hooks = nil
	if l.done != nil {
		close(l.done)
	}
	l.mu.Unlock()
	for _, f := range hooks {
		(*f)()
	}
}

// Err returns the cause of the cancellation, nil if there was none.
func (l *lifetime) Err() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.err
}

// Done is closed at the cancellation. The channel is made at the first use.
func (l *lifetime) Done() <-chan struct{} {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.done == nil {
		l.done = make(chan struct{})
		if l.err != nil {
			close(l.done)
		}
	}
	return l.done
}

// OnCancel runs f at the cancellation, at once if the cancellation has happened. stop
// removes f and reports whether it did so before f was started. f must not block.
func (l *lifetime) OnCancel(f func()) (stop func() bool) {
	l.mu.Lock()
	if l.err != nil {
		l.mu.Unlock()
		f()
		return func() bool { return false }
	}
	hook := &f
	l.hooks = append(l.hooks, hook)
	l.mu.Unlock()
	return func() bool {
		l.mu.Lock()
		defer l.mu.Unlock()
		i := slices.Index(l.hooks, hook)
		if i < 0 {
			return false
		}
		l.hooks[i] = l.hooks[len(l.hooks)-1]
		l.hooks = l.hooks[:len(l.hooks)-1]
		return true
	}
}
