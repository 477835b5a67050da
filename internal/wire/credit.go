package wire

import (
	"errors"
	"math"
	"sync"
)

// maxQueued is how many data frames of one body wait in the writer at most: one
// goes while the next is read.
const maxQueued = 2

// ErrCreditOverflow is what granting more credit than a body can have says.
var ErrCreditOverflow = errors.New("credit overflow: more than 2^31-1 bytes granted")

// Credit is a sender's credit for one body: how much it may still send. It also
// bounds what the body has in the writer's queue. Safe for concurrent use.
type Credit struct {
	mu     sync.Mutex
	change sync.Cond
	credit int64
	queued int
	err    error
}

// Open sets the credit that the receiver's Hello grants. It is called before
// any other method.
func (w *Credit) Open(credit int) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.change.L = &w.mu
	w.credit = int64(credit)
}

// Take waits for credit and for room in the writer, and takes up to limit bytes
// of credit for one frame. It returns an error once the credit is aborted.
func (w *Credit) Take(limit int) (int, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for w.err == nil && (w.credit == 0 || w.queued >= maxQueued) {
		w.change.Wait()
	}
	if w.err != nil {
		return 0, w.err
	}
	n := int(min(int64(limit), w.credit))
	w.credit -= int64(n)
	w.queued++
	return n, nil
}

// Return gives back credit that was taken and not used.
func (w *Credit) Return(bytes int) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.credit += int64(bytes)
}

// Sent says that the frame of one Take has left, or will never come.
func (w *Credit) Sent() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.queued--
	w.change.Broadcast()
}

// Grant adds what the receiver grants.
func (w *Credit) Grant(bytes uint32) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.credit+int64(bytes) > math.MaxInt32 {
		return ErrCreditOverflow
	}
	w.credit += int64(bytes)
	w.change.Broadcast()
	return nil
}

// Abort makes Take fail with err from now on. The first error stays.
func (w *Credit) Abort(err error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.err == nil {
		w.err = err
		w.change.Broadcast()
	}
}
