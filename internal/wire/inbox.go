package wire

import (
	"errors"
	"io"
	"sync"
)

// What a sender that breaks the rules of credit is told.
var (
	ErrWindowExceeded = errors.New("more body was sent than was granted")
	ErrDataAfterEnd   = errors.New("body was sent after its end")
)

// Inbox is the receiving end of one body: what has come and was not read, and
// how its end looks. It holds at most a window of bytes. Push and Finish come
// from the session's reader and never block; Read comes from the body's reader.
type Inbox struct {
	mu     sync.Mutex
	change sync.Cond
	parts  [][]byte
	unread int
	allow  int // what the sender may still send
	owed   int // what has been read and not yet granted
	window int
	end    error // after what is unread
	broken error // at once
	grant  func(bytes int)
	free   func(bytes int)
}

// Open makes the inbox ready. grant is called, without a lock held, when the
// sender should be allowed more; free, if not nil, with each number of bytes that
// is no longer held. It is called before any other method.
func (b *Inbox) Open(window int, grant, free func(bytes int)) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.change.L = &b.mu
	b.window, b.allow = window, window
	b.grant, b.free = grant, free
}

// Push takes a piece of the body and reports whether it is kept: it is not once
// the inbox is aborted. An error means that the sender broke the rules.
func (b *Inbox) Push(p []byte) (kept bool, err error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	switch {
	case b.broken != nil:
		return false, nil // nobody reads
	case b.end != nil:
		return false, ErrDataAfterEnd
	case len(p) > b.allow:
		return false, ErrWindowExceeded
	case len(p) == 0:
		return false, nil
	}
	b.allow -= len(p)
	b.unread += len(p)
	b.parts = append(b.parts, p)
	b.change.Broadcast()
	return true, nil
}

// Finish says that no more comes: the reader gets what is unread, then err,
// io.EOF for a clean end. The first end stays.
func (b *Inbox) Finish(err error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.end == nil {
		b.end = err
		b.change.Broadcast()
	}
}

// Abort drops what is unread and makes Read fail with err from now on, also one
// that waits. It reports whether the reader had not yet got to the end.
func (b *Inbox) Abort(err error) bool {
	b.mu.Lock()
	if b.broken != nil {
		b.mu.Unlock()
		return false
	}
	b.broken = err
	dropped := b.unread
	b.parts, b.unread = nil, 0
	free := b.free
	b.change.Broadcast()
	b.mu.Unlock()
	if free != nil && dropped > 0 {
		free(dropped)
	}
	return true
}

// Read implements io.Reader. One reader at a time.
func (b *Inbox) Read(p []byte) (int, error) {
	if len(p) == 0 {
		return 0, nil
	}
	b.mu.Lock()
	for b.unread == 0 && b.end == nil && b.broken == nil {
		b.change.Wait()
	}
	if b.broken != nil {
		err := b.broken
		b.mu.Unlock()
		return 0, err
	}
	if b.unread == 0 {
		err := b.end
		b.mu.Unlock()
		return 0, err
	}
	n := 0
	for n < len(p) && len(b.parts) > 0 {
		m := copy(p[n:], b.parts[0])
		n += m
		if m == len(b.parts[0]) {
			b.parts[0] = nil
			b.parts = b.parts[1:]
		} else {
			b.parts[0] = b.parts[0][m:]
		}
	}
	b.unread -= n
	b.owed += n
	more := 0
	if b.end == nil && b.owed >= b.window/2 {
		more, b.owed = b.owed, 0
		b.allow += more
	}
	grant, free := b.grant, b.free
	b.mu.Unlock()
	if free != nil {
		free(n)
	}
	if more > 0 {
		grant(more)
	}
	return n, nil
}

var _ io.Reader = (*Inbox)(nil)
