package transport

import (
	"context"
	"net"
	"net/http"
	"sync"
	"sync/atomic"

	"golang.org/x/net/http2"

	"github.com/liftmesh/lift"
)

// muxConn is one HTTP/2 connection: http2's client on top, the socket below, and
// between them the witness of what came. It closes once and then tells its pool.
type muxConn struct {
	net.Conn
	pool    *Mux
	client  *http2.ClientConn //nolint:staticcheck // see Mux.newH2
	secure  *secured          // nil without TLS
	socket  *socket           // nil where there is no socket to ask (a pipe)
	gate    *gate             // where the socket's reader is
	life    lifetime
	unseen  atomic.Bool // a call has it that was idle, and has not yet looked whether it lives
	closed  chan struct{}
	settled chan struct{} // holds one: what had come has been taken in

	// Guarded by pool.mu.
	calls   int          // places taken
	freed   lift.Instant // when one was given back last that http2 may not have known of
	serial  int          // its serial number in the pool
	leaving bool         // takes no new calls
	probing bool         // a ping is out: no new calls until it is answered

	mu      sync.Mutex
	isOver  bool
	mute    bool         // closed for having been silent
	suspect bool         // a call has waited in vain since the last proof
	last    lift.Instant // of the last proof that the peer lives
	first   [24]byte     // what came first, for who wonders what the peer speaks
	got     int          // how much came, up to that
	readErr error
}

func newMuxConn(m *Mux, nc net.Conn) *muxConn {
	c := &muxConn{Conn: nc, pool: m, last: m.now(), life: m.lifetime(), closed: make(chan struct{}), settled: make(chan struct{}, 1)}
	if s, ok := nc.(*secured); ok {
		c.secure, c.socket, c.gate = s, socketOf(s.wire.Conn), &s.wire.gate
		return c
	}
	c.socket, c.gate = socketOf(nc), new(gate)
	return c
}

// later reports whether a was read after b.
func later(a, b lift.Instant) bool {
	return a.Mono > b.Mono || a.Mono == b.Mono && a.Wall.After(b.Wall)
}

// proved notes that the peer answered what was sent at that instant.
func (c *muxConn) proved(sent lift.Instant) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if later(sent, c.last) || sent == c.last {
		c.last, c.suspect = sent, false
	}
}

// waitedInVain notes that what was sent then was given up without an answer: with no
// proof since, and if that was not at once, the connection is not trusted.
func (c *muxConn) waitedInVain(sent, now lift.Instant) {
	if now.Age(sent) < grace {
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if !later(c.last, sent) {
		c.suspect = true
	}
}

func (c *muxConn) lastProof() lift.Instant {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.last
}

// doubtful reports whether the peer has to be asked before a call is sent.
func (c *muxConn) doubtful(now lift.Instant) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.suspect || now.Age(c.last) > c.pool.cfg.SafeIdle
}

// Read implements net.Conn for http2. That it is called means that all that had
// come before has been taken in: settings, ends of streams, acknowledged pings.
func (c *muxConn) Read(p []byte) (int, error) {
	select {
	case c.settled <- struct{}{}:
	default:
	}
	if c.pool.wanting.Load() > 0 {
		c.pool.stir()
	}
	if c.secure == nil {
		c.gate.enter()
	}
	n, err := c.Conn.Read(p)
	if c.secure == nil {
		c.gate.leave()
	}

	c.mu.Lock()
	defer c.mu.Unlock()
	if n > 0 && c.got < len(c.first) {
		c.got += copy(c.first[c.got:], p[:n])
	}
	if err != nil && c.readErr == nil {
		c.readErr = err
	}
	return n, err
}

// Close implements net.Conn for http2, which calls it when the peer hangs up too.
func (c *muxConn) Close() error {
	c.mu.Lock()
	if c.isOver {
		c.mu.Unlock()
		return nil
	}
	c.isOver = true
	c.mu.Unlock()
	close(c.closed)
	var err error
	if c.secure != nil {
		err = c.secure.abort()
	} else {
		err = c.Conn.Close()
	}
	c.pool.gone(c)
	return err
}

// close closes the connection and fails at once what runs on it.
func (c *muxConn) close() {
	if c.client != nil {
		_ = c.client.Close() // it goes away, whatever it says
	}
	_ = c.Close() // likewise
}

func (c *muxConn) isClosed() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.isOver
}

// alive reports whether an idle connection lives as far as can be seen from
// here: what lies in its socket is taken in first, and no end is there. It waits
// for that no longer than done.
func (c *muxConn) alive(done <-chan struct{}) bool {
	for range 3 { // who has that much to tell is alive
		c.mu.Lock()
		dead := c.isOver || c.readErr != nil
		c.mu.Unlock()
		if dead {
			return false
		}
		at, visit := c.gate.where()
		if at && c.silent() {
			return true
		}
		select {
		case <-c.gate.after(visit):
		case <-c.closed:
		case <-done:
			return true // the call is over, and says so itself
		}
	}
	return true
}

// silent reports whether nothing has come to the socket. Of calls at the same
// time one looks after the other.
func (c *muxConn) silent() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.socket.silent()
}

// giveUp closes a connection for having been silent.
func (c *muxConn) giveUp() {
	c.mu.Lock()
	c.mute = true
	c.mu.Unlock()
	_ = c.Close() // it is of no use, whatever it says
}

// unreserve gives a place back to http2 that nothing was sent on.
func (c *muxConn) unreserve() {
	ctx, cancel := context.WithCancel(context.Background()) // not on a call's way
	cancel()
	resp, err := c.client.RoundTrip(new(http.Request).WithContext(ctx)) // as http2's documentation has it
	if err == nil {
		_ = resp.Body.Close() // cannot be: what is over before it begins has no answer
	}
}

// probe pings a doubtful connection, which takes no calls meanwhile. An idle one
// has grace to answer; on one that carries calls ConnectTimeout, since closing it
// fails them: but then it does, at once, what would hang as long as they may.
func (m *Mux) probe(c *muxConn, busy bool) {
	defer m.contain("pinging a connection", func(error) { c.close() })
	limit := grace
	if busy {
		limit = max(grace, m.cfg.ConnectTimeout)
	}
	ctx, cancel := context.WithTimeout(context.Background(), limit) // not on a call's way
	defer cancel()
	sent := m.now()
	if err := c.client.Ping(ctx); err != nil {
		c.giveUp()
		c.close()
		return
	}
	c.proved(sent)
	m.mu.Lock()
	c.probing = false
	now := m.now()
	m.serve(now)
	m.spare(c, now)
	m.provide(now)
	m.unlock()
}
