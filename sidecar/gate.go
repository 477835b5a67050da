package sidecar

import (
	"net"
	"sync"
	"sync/atomic"
	"time"
)

const (
	// refusals is how many connections beyond MaxPeers are open at once to be told
	// so; further ones wait in the kernel's queue.
	refusals = 64
	// refusalFor is how long a refused connection may stay.
	refusalFor = time.Second
)

// gate counts the connections of a server, over all its listeners. A connection
// beyond the limit is let in only to be refused in words.
type gate struct {
	limit int
	slots chan struct{} // limit + refusals
	open  atomic.Int64
	full  func(peers int)
}

func newGate(limit int, full func(peers int)) *gate {
	return &gate{limit: limit, slots: make(chan struct{}, limit+refusals), full: full}
}

// wrap returns l with its connections counted.
func (g *gate) wrap(l net.Listener) net.Listener {
	return &gatedListener{Listener: l, gate: g, closed: make(chan struct{})}
}

type gatedListener struct {
	net.Listener
	gate   *gate
	once   sync.Once
	closed chan struct{}
}

// Accept implements net.Listener.
func (l *gatedListener) Accept() (net.Conn, error) {
	select {
	case l.gate.slots <- struct{}{}:
	case <-l.closed:
		return nil, net.ErrClosed
	}
	conn, err := l.Listener.Accept()
	if err != nil {
		<-l.gate.slots
		return nil, err
	}
	p := &peerConn{Conn: conn, gate: l.gate}
	if n := int(l.gate.open.Add(1)); n > l.gate.limit {
		l.gate.full(n)
		p.refused = true
		time.AfterFunc(refusalFor, func() { _ = p.Close() })
	}
	return p, nil
}

// Close implements net.Listener.
func (l *gatedListener) Close() error {
	l.once.Do(func() { close(l.closed) })
	return l.Listener.Close()
}

// peerConn is a counted connection. It is its own remote address, so that the
// handler of an RPC finds the connection that it came by.
type peerConn struct {
	net.Conn
	gate    *gate
	refused bool
	once    sync.Once
}

// RemoteAddr implements net.Conn.
func (p *peerConn) RemoteAddr() net.Addr { return p }

// Network implements net.Addr.
func (p *peerConn) Network() string { return p.Conn.RemoteAddr().Network() }

// String implements net.Addr.
func (p *peerConn) String() string { return p.Conn.RemoteAddr().String() }

// Close implements net.Conn.
func (p *peerConn) Close() error {
	p.once.Do(func() {
		p.gate.open.Add(-1)
		<-p.gate.slots
	})
	return p.Conn.Close()
}
