package transport

import (
	"errors"
	"net"
	"net/http"
	"sync"
	"syscall"

	"github.com/liftmesh/lift"
)

// errUnsolicited is what a peer's bytes are that nobody has asked for.
var errUnsolicited = errors.New("the endpoint sent bytes that nobody asked for")

// conn is one connection: net/http's client on top, the socket below, and
// between them the witness of what really went over the wire in the exchange
// that is on: whether a byte of the request has left, whether one of the
// response has come. It closes once and then tells its pool.
type conn struct {
	net.Conn
	pool   *Pool
	client *http.ClientConn
	secure *secured // nil without TLS
	socket *socket  // nil where there is no socket to ask (a pipe)
	gate   *gate    // where the socket's reader is
	closed chan struct{}

	life           lifetime
	idleSince      lift.Instant // guarded by pool.mu, set while it is not idle
	permitPassedOn bool         // guarded by pool.mu

	mu      sync.Mutex
	isOver  bool
	heard   bool // a byte of this exchange's response has come
	spoke   bool // one has come in any exchange: both sides speak the same
	asked   bool // a write of this exchange has begun
	sending bool // a write is on its way
	sent    bool // a byte of this exchange's request has left
	readErr error
	sendErr error
	upload  *upload // the request body that is being sent, if it is live

	// last is when the peer was last known to live. What it answered came at
	// some time after our last write; that is all that is known, for a freeze may
	// have lain between its coming and our reading it.
	last lift.Instant
	// denied: the peer's TLS would have nothing to do with us, or we spoke plain to
	// it. What we sent nobody read.
	denied error
}

func newConn(p *Pool, nc net.Conn) *conn {
	c := &conn{Conn: nc, pool: p, closed: make(chan struct{}), last: p.now(), life: p.lifetime()}
	if s, ok := nc.(*secured); ok {
		c.secure, c.socket, c.gate = s, socketOf(s.wire.Conn), &s.wire.gate
		return c
	}
	c.socket, c.gate = socketOf(nc), new(gate)
	return c
}

// begin readies the witness for one more exchange.
func (c *conn) begin(u *upload) {
	c.mu.Lock()
	c.heard, c.asked, c.sent = false, false, false
	c.upload = u
	c.mu.Unlock()
}

// unload ends an exchange: its upload, and the time in which bytes may come.
func (c *conn) unload() {
	c.mu.Lock()
	u := c.upload
	c.upload, c.asked = nil, false
	c.mu.Unlock()
	u.abort()
}

// Read implements net.Conn for net/http.
func (c *conn) Read(p []byte) (int, error) {
	if c.secure == nil {
		c.gate.enter()
	}
	n, err := c.Conn.Read(p)
	if c.secure == nil {
		c.gate.leave()
	}

	c.mu.Lock()
	defer c.mu.Unlock()
	if n > 0 {
		// TLS tells an end together with the last bytes, and again when it is asked. What
		// came is looked at first, as it is without TLS.
		err = nil
		switch {
		case !c.heard && c.secure == nil && isSettings(p[:n]):
			n, err, c.denied = 0, errSpeaksHTTP2, errSpeaksHTTP2
		case !c.asked:
			// An answer that comes before its request would be taken for the
			// answer to the next one.
			n, err = 0, errUnsolicited
		case !c.spoke && c.secure == nil && isAlert(p[:n]):
			n, err, c.denied = 0, errSpeaksTLS, errSpeaksTLS
		default:
			c.heard, c.spoke = true, true
		}
	}
	if err != nil && c.readErr == nil {
		c.readErr = err
		if c.secure != nil && !c.spoke && refused(err) {
			c.denied = err
		}
	}
	return n, err
}

// Write implements net.Conn for net/http. That a write failed is not told: if
// the peer answered before it hung up, its answer is there to be read, and if it
// did not, reading says so.
func (c *conn) Write(p []byte) (int, error) {
	now := c.pool.now()
	c.mu.Lock()
	if c.isOver {
		c.mu.Unlock()
		return 0, net.ErrClosed
	}
	if c.sendErr != nil {
		c.mu.Unlock()
		return len(p), nil
	}
	c.asked, c.sending = true, true
	c.last = now
	c.mu.Unlock()

	n, err := c.Conn.Write(p)

	c.mu.Lock()
	defer c.mu.Unlock()
	c.sending = false
	if n > 0 {
		c.sent = true
	}
	if err != nil && !c.isOver {
		c.sendErr = err
		return len(p), nil
	}
	return n, err
}

// Close implements net.Conn for net/http, which calls it when the peer hangs up too.
func (c *conn) Close() error {
	c.mu.Lock()
	if c.isOver {
		c.mu.Unlock()
		return nil
	}
	c.isOver = true
	u, busy := c.upload, c.asked
	c.mu.Unlock()
	close(c.closed)
	var err error
	if busy && c.secure != nil {
		err = c.secure.abort()
	} else {
		err = c.Conn.Close()
	}
	u.abort()
	c.pool.gone(c)
	return err
}

// close closes the connection and what net/http has running on it.
func (c *conn) close() {
	if c.client != nil {
		_ = c.client.Close() // always nil
	}
	_ = c.Close() // it goes away, whatever it says
}

func (c *conn) isClosed() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.isOver
}

// hasHeard reports whether the peer has begun to answer.
func (c *conn) hasHeard() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.heard
}

// maySee reports whether the peer may have seen something of the request. Exact
// once the connection is closed or the exchange over.
func (c *conn) maySee() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return (c.sent || c.sending) && c.denied == nil
}

// heardOf is when the peer was last known to live.
func (c *conn) heardOf() lift.Instant {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.last
}

// reusable reports whether the exchange ended such that another can follow.
func (c *conn) reusable() bool {
	c.mu.Lock()
	ok := !c.isOver && c.sendErr == nil && c.readErr == nil
	c.mu.Unlock()
	return ok && c.client.Available() == 1
}

// alive reports whether an idle connection lives as far as can be seen from
// here, and nothing is left on it that a request could take for its answer:
// the reader stands waiting at the socket, and the socket is silent.
func (c *conn) alive() bool {
	for {
		c.mu.Lock()
		dead := c.isOver || c.readErr != nil
		c.mu.Unlock()
		if dead {
			return false
		}
		at, visit := c.gate.where()
		switch {
		case at && c.socket.silent():
			return true
		case at && c.secure == nil:
			return false
		}
		// The reader is on its way: to the socket, or to closing the connection.
		// Under TLS it may be at the socket, with a ticket to read, or the end.
		select {
		case <-c.gate.after(visit):
		case <-c.closed:
		}
	}
}

// socket asks the kernel what lies on a connection, without waiting.
type socket struct {
	raw  syscall.RawConn
	look func(fd uintptr)
	calm bool
}

func socketOf(nc net.Conn) *socket {
	sc, ok := nc.(syscall.Conn)
	if !ok {
		return nil
	}
	raw, err := sc.SyscallConn()
	if err != nil {
		return nil
	}
	s := &socket{raw: raw}
	s.look = func(fd uintptr) { s.calm = nothingToRead(fd) }
	return s
}

// silent reports whether neither bytes nor an end have arrived. One caller at a time.
func (s *socket) silent() bool {
	if s == nil {
		return true
	}
	s.calm = false
	// Control and not Read: net/http's reader is parked in a read, and Read
	// would wait for it.
	err := s.raw.Control(s.look)
	return err == nil && s.calm
}
