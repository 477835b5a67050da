package transport_test

import (
	"io"
	"net"
	"os"
	"sync"
	"syscall"
	"time"
)

// line is one end of a connection with room in it, as the kernel's have: a write
// does not wait for its reader. TLS needs that: both sides may speak at once.
type line struct {
	in, out *half
}

// half is one direction.
type half struct {
	mu     sync.Mutex
	change *sync.Cond
	bytes  []byte
	ended  bool // no more is written
	closed bool // no more is read
	late   bool // the reader's deadline has passed
	timer  *time.Timer
}

func newLine() (a, b net.Conn) {
	x, y := &half{}, &half{}
	x.change, y.change = sync.NewCond(&x.mu), sync.NewCond(&y.mu)
	return &line{x, y}, &line{y, x}
}

func (l *line) Read(p []byte) (int, error) {
	h := l.in
	h.mu.Lock()
	defer h.mu.Unlock()
	for len(h.bytes) == 0 && !h.ended && !h.closed && !h.late {
		h.change.Wait()
	}
	switch {
	case h.closed:
		return 0, net.ErrClosed
	case h.late:
		return 0, os.ErrDeadlineExceeded
	case len(h.bytes) == 0:
		return 0, io.EOF
	}
	n := copy(p, h.bytes)
	h.bytes = h.bytes[n:]
	return n, nil
}

func (l *line) Write(p []byte) (int, error) {
	h := l.out
	h.mu.Lock()
	defer h.mu.Unlock()
	switch {
	case h.ended:
		return 0, net.ErrClosed
	case h.closed:
		return 0, &net.OpError{Op: "write", Net: "tcp", Err: syscall.EPIPE}
	}
	h.bytes = append(h.bytes, p...)
	h.change.Broadcast()
	return len(p), nil
}

func (l *line) Close() error {
	for _, h := range []*half{l.in, l.out} {
		h.mu.Lock()
		if h == l.in {
			h.closed = true
		} else {
			h.ended = true
		}
		h.change.Broadcast()
		h.mu.Unlock()
	}
	return nil
}

// CloseWrite ends what is written, and goes on reading.
func (l *line) CloseWrite() error {
	l.out.mu.Lock()
	defer l.out.mu.Unlock()
	l.out.ended = true
	l.out.change.Broadcast()
	return nil
}

func (l *line) SetReadDeadline(t time.Time) error {
	h := l.in
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.timer != nil {
		h.timer.Stop()
	}
	h.late = false
	if t.IsZero() {
		return nil
	}
	h.timer = time.AfterFunc(time.Until(t), func() {
		h.mu.Lock()
		defer h.mu.Unlock()
		h.late = true
		h.change.Broadcast()
	})
	return nil
}

func (l *line) SetDeadline(t time.Time) error  { return l.SetReadDeadline(t) }
func (*line) SetWriteDeadline(time.Time) error { return nil } // no write waits
func (*line) LocalAddr() net.Addr              { return &net.UnixAddr{Name: "line"} }
func (*line) RemoteAddr() net.Addr             { return &net.UnixAddr{Name: "line"} }
