package socket

import (
	"net"
	"sync"
	"sync/atomic"
	"time"
)

const (
	// refusals is how many connections beyond the limit are open at once to be told
	// so; further ones wait in the kernel's queue.
	refusals = 64
	// refusalFor is how long a refused connection may stay.
	refusalFor = time.Second
)

// Gate counts the connections of a server, over all its listeners. A connection
// beyond the limit is let in only to be refused in words. Safe for concurrent use.
type Gate struct {
	limit int
	slots chan struct{} // limit + refusals
	open  atomic.Int64
	full  func(peers int)
}

// NewGate is a gate for limit connections. full is told of every one beyond.
func NewGate(limit int, full func(peers int)) *Gate {
	return &Gate{limit: limit, slots: make(chan struct{}, limit+refusals), full: full}
}

// Wrap returns l with its connections counted; each is a [*Peer].
func (g *Gate) Wrap(l net.Listener) net.Listener {
	return &gatedListener{Listener: l, gate: g, closed: make(chan struct{})}
}

// Peers is how many connections are open, refused ones included.
func (g *Gate) Peers() int { return int(g.open.Load()) }

type gatedListener struct {
	net.Listener
	gate   *Gate
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
	p := &Peer{Conn: conn, gate: l.gate}
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

// Peer is a counted connection. It is its own remote address, so that the
// handler of an RPC finds the connection that it came by.
type Peer struct {
	net.Conn
	gate    *Gate
	refused bool
	once    sync.Once

	mu     sync.Mutex
	closed bool
	after  []func()
}

// OnClose has f run once the connection is closed, at once if it has been. f must
// not block.
func (p *Peer) OnClose(f func()) {
	p.mu.Lock()
	if !p.closed {
		p.after = append(p.after, f)
		p.mu.Unlock()
		return
	}
	p.mu.Unlock()
	f()
}

// Refused reports whether the connection is one beyond the limit. It is closed
// after a second, whatever is said on it.
func (p *Peer) Refused() bool { return p.refused }

// PID returns the process at the other end, 0 if it is not known: over TCP, from
// another container, or on another system than Linux.
func (p *Peer) PID() int {
	pid, _ := peerPID(p.Conn)
	return pid
}

// RemoteAddr implements net.Conn.
func (p *Peer) RemoteAddr() net.Addr { return p }

// Network implements net.Addr.
func (p *Peer) Network() string { return p.Conn.RemoteAddr().Network() }

// String implements net.Addr.
func (p *Peer) String() string { return p.Conn.RemoteAddr().String() }

// Close implements net.Conn.
func (p *Peer) Close() error {
	p.once.Do(func() {
		p.gate.open.Add(-1)
		<-p.gate.slots
		p.mu.Lock()
		after := p.after
		p.closed, p.after = true, nil
		p.mu.Unlock()
		for _, f := range after {
			f()
		}
	})
	return p.Conn.Close()
}
