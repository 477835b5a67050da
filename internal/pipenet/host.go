// Package pipenet is a network for tests without sockets: HTTP servers behind
// pipes, which can be killed. It works in bubbles of testing/synctest.
package pipenet

import (
	"io"
	"log"
	"net"
	"net/http"
	"sync"
	"syscall"
	"time"
)

// Host is one server of the network; it serves HTTP/1.1 and, to who begins with
// it, HTTP/2. Safe for concurrent use.
type Host struct {
	handler http.Handler

	mu    sync.Mutex
	down  bool
	dials int
	conns map[net.Conn]struct{}
	gone  chan struct{} // closed when it is killed
}

// NewHost returns a host whose requests handler answers.
func NewHost(handler http.Handler) *Host {
	return &Host{handler: handler, conns: map[net.Conn]struct{}{}, gone: make(chan struct{})}
}

// Dial connects to the host. One that is down refuses.
func (h *Host) Dial() (net.Conn, error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.down {
		return nil, Refused()
	}
	h.dials++
	client, server := net.Pipe()
	h.conns[server] = struct{}{}
	l := &oneConn{conn: server, closed: make(chan struct{})}
	srv := &http.Server{
		Handler: h.handler, ReadHeaderTimeout: time.Hour, Protocols: new(http.Protocols), ErrorLog: log.New(io.Discard, "", 0),
		ConnState: func(c net.Conn, s http.ConnState) {
			if s == http.StateClosed || s == http.StateHijacked {
				h.forget(c)
				_ = l.Close()
			}
		},
	}
	srv.Protocols.SetHTTP1(true)
	srv.Protocols.SetUnencryptedHTTP2(true)
	go func() { _ = srv.Serve(l) }()
	return client, nil
}

// Refused is what connecting to a host that is down, or is none, returns.
func Refused() error {
	return &net.OpError{Op: "dial", Net: "tcp", Err: syscall.ECONNREFUSED}
}

func (h *Host) forget(c net.Conn) {
	h.mu.Lock()
	defer h.mu.Unlock()
	delete(h.conns, c)
}

// Dials is how many connections were opened so far.
func (h *Host) Dials() int {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.dials
}

// Open is how many connections are open now.
func (h *Host) Open() int {
	h.mu.Lock()
	defer h.mu.Unlock()
	return len(h.conns)
}

// Gone is closed when the host is killed next; a handler that waits heeds it.
func (h *Host) Gone() <-chan struct{} {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.gone
}

// Kill has the host refuse, and breaks its connections.
func (h *Host) Kill() {
	h.mu.Lock()
	h.down = true
	close(h.gone)
	h.gone = make(chan struct{})
	h.mu.Unlock()
	h.HangUp()
}

// Revive has the host take connections again.
func (h *Host) Revive() {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.down = false
}

// HangUp breaks the connections that there are.
func (h *Host) HangUp() {
	h.mu.Lock()
	conns := h.conns
	h.conns = map[net.Conn]struct{}{}
	h.mu.Unlock()
	for c := range conns {
		_ = c.Close()
	}
}

// oneConn is a listener of one connection; it is closed with it.
type oneConn struct {
	mu     sync.Mutex
	conn   net.Conn
	closed chan struct{}
	once   sync.Once
}

// Accept implements net.Listener.
func (l *oneConn) Accept() (net.Conn, error) {
	l.mu.Lock()
	c := l.conn
	l.conn = nil
	l.mu.Unlock()
	if c != nil {
		return c, nil
	}
	<-l.closed
	return nil, net.ErrClosed
}

// Close implements net.Listener.
func (l *oneConn) Close() error {
	l.once.Do(func() { close(l.closed) })
	return nil
}

// Addr implements net.Listener.
func (l *oneConn) Addr() net.Addr { return &net.UnixAddr{Name: "pipe"} }
