package main

import (
	"net"
	"sync"
)

// gate hands the connections of one listener to whichever server takes them
// now, so that a server can end while the address stays. It counts them, and can
// cut each by its peer's address.
type gate struct {
	addr   net.Addr
	taking chan net.Conn

	mu     sync.Mutex
	opened int
	open   map[string]net.Conn
}

func newGate(l net.Listener) *gate {
	g := &gate{addr: l.Addr(), taking: make(chan net.Conn), open: map[string]net.Conn{}}
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			g.mu.Lock()
			g.opened++
			g.open[c.RemoteAddr().String()] = c
			g.mu.Unlock()
			g.taking <- &gatedConn{Conn: c, gate: g}
		}
	}()
	return g
}

// taken is how many connections have come.
func (g *gate) taken() int {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.opened
}

// hangUp closes the connection of a peer, whatever is under way on it.
func (g *gate) hangUp(peer string) error {
	g.mu.Lock()
	c := g.open[peer]
	delete(g.open, peer)
	g.mu.Unlock()
	if c == nil {
		return nil // it has gone already
	}
	return c.Close()
}

// listen returns a listener for one server; closing it leaves the address as
// it is.
func (g *gate) listen() net.Listener {
	return &share{gate: g, done: make(chan struct{})}
}

type share struct {
	gate *gate

	done chan struct{}
	once sync.Once
}

func (s *share) Accept() (net.Conn, error) {
	select {
	case c := <-s.gate.taking:
		return c, nil
	case <-s.done:
		return nil, net.ErrClosed
	}
}

func (s *share) Addr() net.Addr { return s.gate.addr }

func (s *share) Close() error {
	s.once.Do(func() { close(s.done) })
	return nil
}

type gatedConn struct {
	net.Conn
	gate *gate
}

func (c *gatedConn) Close() error {
	peer := c.RemoteAddr().String()
	c.gate.mu.Lock()
	if c.gate.open[peer] == c.Conn {
		delete(c.gate.open, peer)
	}
	c.gate.mu.Unlock()
	return c.Conn.Close()
}
