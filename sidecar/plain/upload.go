package plain

import (
	"io"
	"net/http"
	"sync"
	"sync/atomic"
	"time"

	"github.com/liftmesh/lift"
)

// lingerFor is how long a peer whose request was answered before its end may go
// on sending, so that it comes to read the answer.
const lingerFor = 300 * time.Millisecond

// upload is the live rest of a request's body. Close may come from any
// goroutine; a Read that waits then ends within lingerFor, or at once on a stream.
type upload struct {
	body io.ReadCloser
	conn *http.ResponseController
	// stream: it is one of many on its connection, and can be broken off alone.
	stream bool
	// atEnd hands the trailers over.
	atEnd func()
	// waiting: the peer has sent nothing yet, for it waits to be told to.
	waiting atomic.Bool
	ended   atomic.Bool // at its clean end

	mu     sync.Mutex
	closed bool
	broke  error // what it broke off by
}

// Read implements io.Reader.
func (u *upload) Read(p []byte) (int, error) {
	u.mu.Lock()
	closed := u.closed
	u.mu.Unlock()
	if closed {
		return 0, lift.ErrBodyClosed
	}
	u.waiting.Store(false)
	n, err := u.body.Read(p)
	switch err {
	case nil:
		return n, nil
	case io.EOF:
		if u.atEnd != nil {
			u.atEnd()
			u.atEnd = nil
		}
		u.ended.Store(true)
		return n, io.EOF
	}
	u.mu.Lock()
	defer u.mu.Unlock()
	if u.closed {
		return n, lift.ErrBodyClosed
	}
	u.broke = err
	return n, err
}

// Close implements io.Closer.
func (u *upload) Close() error {
	u.mu.Lock()
	defer u.mu.Unlock()
	if u.closed || u.ended.Load() {
		return nil
	}
	u.closed = true
	if u.stream {
		return u.body.Close()
	}
	wait := lingerFor
	if u.waiting.Load() {
		wait = 0
	}
	return u.conn.SetReadDeadline(time.Now().Add(wait))
}

// failure is what the body broke off by, nil if it did not.
func (u *upload) failure() error {
	if u == nil {
		return nil
	}
	u.mu.Lock()
	defer u.mu.Unlock()
	return u.broke
}

// open reports whether the peer has not sent all of its request.
func (u *upload) open() bool { return u != nil && !u.ended.Load() }

// leave ends the body before the handler does: nothing reads it afterwards.
func (u *upload) leave() {
	if !u.open() {
		return
	}
	if u.stream {
		_ = u.Close() // the peer is told to send no more once the answer has left
		return
	}
	_ = u.conn.Flush() // so that the peer can read the answer meanwhile
	_ = u.Close()
	_ = u.body.Close() // reads on for a while
}
