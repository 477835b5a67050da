package transport

import (
	"context"
	"net/http"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/net/http2"

	"github.com/liftmesh/lift"
)

const (
	// streamWindow is how much of one answer that nobody reads is held: what the
	// endpoint may send ahead on one stream. Within a region a round trip is about a
	// millisecond, which makes 256 MB/s for each stream.
	streamWindow = 256 << 10
	// writeStall is how long a write may make no progress before the connection is
	// given up: the peer's kernel has taken nothing in that time.
	writeStall = 5 * time.Second
	// firstWidth is how many calls a connection is expected to take until an
	// endpoint has said so (RFC 9113, section 6.5.2, recommends at least that).
	firstWidth = 100
)

// Mux is the way to one endpoint that speaks HTTP/2: many calls share a
// connection, and one more is opened where the endpoint takes no more on those
// there are. It is a [lift.RoundTripper]. Safe for concurrent use.
//
// A connection is trusted for [Config.SafeIdle] after the last proof that the
// peer lives: a request or a ping that it answered, by the time when that was
// sent. Later it is doubtful: it is pinged, a fresh one is opened beside it, and the
// call goes out on whichever is ready first, so that no call of any kind is ever
// sent into a connection that died before. After [Config.MaxIdle] an idle one is
// closed unused. There is no keep-alive: an idle connection costs one goroutine.
type Mux struct {
	way
	scheme string
	h2     *http2.Transport //nolint:staticcheck // see newH2

	wanting atomic.Int32 // len(waiters), readable without holding mu

	mu        sync.Mutex   // never held while a connection is read, written or closed
	conns     []*muxConn   // open, the one opened last comes last
	opening   int          // being opened; with conns at most MaxConnections
	queued    int          // how many of these wait for a slot of the process
	slotsFull func() error // makes the error of that limit
	told      obstacle     // what those who wait were told that they wait for
	opened    int          // how many there have been
	width     int          // how many calls one is expected to take
	waiters   []*muxWaiter
	unwanted  chan struct{} // closed when nobody waits any longer
	closed    bool
}

// NewMux returns the way to the endpoint at addr (host:port). Nothing is opened yet.
func NewMux(addr string, o Options) *Mux {
	m := &Mux{way: newWay(addr, o), scheme: "http", width: firstWidth, unwanted: make(chan struct{})}
	if m.dialer.secure != nil {
		m.scheme = "https"
	}
	m.h2 = m.newH2()
	m.slots.join(m)
	return m
}

// newH2 sets x/net's HTTP/2 client up. net/http has the same one built in, but
// shows neither pings nor GOAWAY, which is what trust is made of; that is why the
// other one is used although it is marked as deprecated.
func (m *Mux) newH2() *http2.Transport { //nolint:staticcheck // see above
	h2, err := http2.ConfigureTransports(&http.Transport{ //nolint:staticcheck // see above
		DisableCompression:     true, // what the caller asked for is what it gets
		MaxResponseHeaderBytes: int64(m.cfg.MaxHeader),
		HTTP2: &http.HTTP2Config{
			MaxReceiveBufferPerStream: streamWindow,
			// The connection's own window stays at its default of 1 GiB: were it smaller
			// than all streams' together, answers that nobody reads would hold up others.
			WriteByteTimeout: writeStall,
		},
	})
	if err != nil {
		panic(err) // of a transport that has HTTP/2 already, which a new one has not
	}
	h2.ConnPool = going{m} //nolint:staticcheck // see above
	return h2
}

// Stats returns what there is now. A connection that carries a call is in use.
func (m *Mux) Stats() Stats {
	m.mu.Lock()
	defer m.mu.Unlock()
	s := Stats{Open: len(m.conns) + m.opening}
	for _, c := range m.conns {
		if c.calls == 0 {
			s.Idle++
		}
	}
	s.InUse = s.Open - s.Idle
	return s
}

// Warm opens connections until n are trusted, within the limits. It returns the
// first error, after all that it began has ended.
func (m *Mux) Warm(ctx context.Context, n int) error {
	now := m.now()
	m.mu.Lock()
	m.expire(now)
	for _, c := range m.conns {
		if !c.leaving && !c.doubtful(now) {
			n--
		}
	}
	n = max(0, min(n, m.cfg.MaxConnections-len(m.conns)-m.opening))
	m.opening += n
	m.unlock()

	errs := make(chan error, n)
	for range n {
		go func() {
			f := m.open(ctx.Done(), true)
			if f == nil {
				errs <- nil
				return
			}
			errs <- &lift.Error{Code: f.code, Endpoint: m.addr, Err: f.err}
		}()
	}
	var first error
	for range n {
		if err := <-errs; err != nil && first == nil {
			first = err
		}
	}
	return first
}

// Thaw is a hint that a freeze has just ended: what is too old or has been
// closed by the peer is closed now and not at the next call. No call depends on it.
func (m *Mux) Thaw() {
	m.mu.Lock()
	m.expire(m.now())
	var idle []*muxConn
	for _, c := range m.conns {
		if c.calls == 0 && !c.leaving {
			idle = append(idle, c)
		}
	}
	m.unlock()
	for _, c := range idle {
		if !c.alive(nil) {
			c.close()
		}
	}
}

// Close takes no new calls and closes what is idle; what is in flight ends in
// its own time. Closing twice does nothing.
func (m *Mux) Close() {
	m.mu.Lock()
	m.closed = true
	if len(m.waiters) == 0 {
		for _, c := range m.conns {
			c.leaving = true
		}
	}
	m.unlock()
	m.slots.leave(m)
}

// longestIdle is since when the oldest idle connection is idle.
func (m *Mux) longestIdle() (since lift.Instant, ok bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if c := m.oldestIdle(); c != nil {
		return c.lastProof(), true
	}
	return lift.Instant{}, false
}

// shed closes the idle connection that was heard of longest ago, if there is one.
func (m *Mux) shed() bool {
	m.mu.Lock()
	c := m.oldestIdle()
	if c != nil {
		c.leaving = true
	}
	m.unlock()
	return c != nil
}

// oldestIdle is the idle connection that was heard of longest ago. m.mu is held.
func (m *Mux) oldestIdle() (oldest *muxConn) {
	for _, c := range m.conns {
		if c.calls == 0 && !c.leaving && (oldest == nil || later(oldest.lastProof(), c.lastProof())) {
			oldest = c
		}
	}
	return oldest
}

// expire takes out what is idle and too old to be used, and what is over its age:
// calls that run on that end in their own time. m.mu is held.
func (m *Mux) expire(now lift.Instant) {
	for _, c := range m.conns {
		if c.life.over(now) || c.calls == 0 && now.Age(c.lastProof()) > m.cfg.MaxIdle {
			c.leaving = true
		}
	}
}

// unlock lets go of m.mu and closes the connections that take no more calls and
// carry none.
func (m *Mux) unlock() {
	if len(m.waiters) > 0 {
		m.tellAll()
	}
	var done []*muxConn
	kept := m.conns[:0]
	for _, c := range m.conns {
		if c.leaving && c.calls == 0 {
			done = append(done, c)
		} else {
			kept = append(kept, c)
		}
	}
	if done != nil {
		clear(m.conns[len(kept):])
	}
	m.conns = kept
	m.mu.Unlock()
	for _, c := range done {
		c.close()
	}
}

// going hears from http2 which connections take no new calls: the peer has said
// so, or they are gone. It is no pool: http2 neither dials nor chooses by itself.
type going struct{ *Mux }

// GetClientConn implements [http2.ClientConnPool].
func (going) GetClientConn(*http.Request, string) (*http2.ClientConn, error) { //nolint:staticcheck // see newH2
	return nil, http2.ErrNoCachedConn
}

// MarkDead implements [http2.ClientConnPool].
func (g going) MarkDead(cc *http2.ClientConn) { //nolint:staticcheck // see newH2
	g.mu.Lock()
	for _, c := range g.conns {
		if c.client == cc {
			c.leaving = true
		}
	}
	g.provide(g.now())
	g.unlock()
}
