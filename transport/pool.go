package transport

import (
	"context"
	"log/slog"
	"net"
	"net/http"
	"sync"

	"github.com/liftmesh/lift"
)

// Options is what a [Pool] is given. A zero field means its default.
type Options struct {
	Config Config
	// Now reads the clocks that connections age by. Default [lift.Now].
	Now func() lift.Instant
	// Dial opens a connection. It must come back once ctx ends. Default a
	// [net.Dialer]: no proxy, whatever HTTP_PROXY says.
	Dial func(ctx context.Context, network, addr string) (net.Conn, error)
	// Rand gives random bits, from many goroutines. Default [rand.Uint64].
	Rand func() uint64
	// Slots, if not nil, is what this pool shares with others: the process's
	// connections, and its connects at once.
	Slots *Slots
	// Sign, if not nil, puts a proof of who calls into the head of each attempt, once
	// all else of it is final: r has the URL with the prefix, the Host, the header
	// without what is between hops, and the length (-1 if unknown). It may set fields
	// of the header and nothing else, and has to come back once ctx ends. body may be
	// nil, here, or still coming in. An error fails the attempt unsent: as
	// Misconfigured or InvalidCall if it is that, else as Unavailable. Within one attempt the
	// request may go over two connections with the same proof.
	Sign func(ctx context.Context, r *http.Request, body *lift.Body) error
	// Log takes what no caller is told: panics that were contained. Default none.
	Log *slog.Logger
}

// Pool is the way to one endpoint: HTTP/1.1 over connections that are kept warm
// and survive the freezing of the environment. It is a [lift.RoundTripper]. Safe for concurrent use.
//
// No connection is believed to live because it is there. It is trusted for
// [Config.SafeIdle] after it was last heard of; later it is doubtful, and a call
// that uses it has a fresh one opened beside it; after [Config.MaxIdle] it is
// closed unused. An idle pool costs nothing but net/http's two goroutines for
// each open connection: what is too old is closed when the pool is next used.
type Pool struct {
	way
	http http.Transport

	mu      sync.Mutex // never held while a conn or net/http is called
	open    int        // connections that are open or being opened
	idle    []*conn    // the one heard of last comes last
	waiters []*waiter  // first come, first served
	closed  bool
}

// NewPool returns the pool of the endpoint at addr (host:port). Nothing is opened yet.
func NewPool(addr string, o Options) *Pool {
	p := &Pool{way: newWay(addr, o)}
	var only http.Protocols
	only.SetHTTP1(true)
	p.http.Protocols = &only
	p.http.DisableCompression = true // what the caller asked for is what it gets
	p.http.MaxResponseHeaderBytes = int64(p.cfg.MaxHeader)
	// An endpoint that does not know Expect must not cost an attempt its timeout.
	p.http.ExpectContinueTimeout = p.cfg.ConnectTimeout / 2
	p.http.DialContext = handOver
	p.slots.join(p)
	return p
}

// Stats is what a pool holds at one moment.
type Stats struct {
	// Open connections, and those being opened. Open is Idle and InUse together.
	Open int
	// Idle connections, trusted and doubtful.
	Idle int
	// InUse is the connections that carry a call or are being opened.
	InUse int
}

// Stats returns what the pool holds now.
func (p *Pool) Stats() Stats {
	p.mu.Lock()
	defer p.mu.Unlock()
	return Stats{Open: p.open, Idle: len(p.idle), InUse: p.open - len(p.idle)}
}

// Warm opens connections until n are trusted and idle, within the pool's limits.
// It returns the first error, after all that it began has ended.
func (p *Pool) Warm(ctx context.Context, n int) error {
	p.sweep()
	n = min(n, p.cfg.MaxIdleConnections) - p.trusted()
	errs := make(chan error, max(n, 0))
	started := 0
	for ; started < n && p.tryPermit(); started++ {
		go func() {
			var err error
			defer func() { errs <- err }()
			defer p.contain("warming", func(cause error) { err = cause })
			c, f := p.connect(ctx, quietly{ctx.Done()}, false)
			if f != nil {
				err = &lift.Error{Code: f.code, Endpoint: p.addr, Err: f.err}
				return
			}
			p.put(c)
		}()
	}
	var first error
	for range started {
		if err := <-errs; err != nil && first == nil {
			first = err
		}
	}
	return first
}

// Thaw is a hint that a freeze has just ended: what is too old or has been
// closed by the peer is closed now and not at the next call. No call depends on it.
func (p *Pool) Thaw() {
	p.sweep()
	p.mu.Lock()
	idle := p.idle
	p.idle = nil // in use while they are looked at
	p.mu.Unlock()
	for _, c := range idle {
		if c.alive() {
			p.put(c)
		} else {
			c.close()
		}
	}
}

// Close takes no new calls and closes what is idle; what is in flight ends in
// its own time. Closing twice does nothing.
func (p *Pool) Close() {
	p.mu.Lock()
	p.closed = true
	idle := p.idle
	p.idle = nil
	p.mu.Unlock()
	for _, c := range idle {
		c.close()
	}
	p.slots.leave(p)
}
