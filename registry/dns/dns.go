package dns

import (
	"cmp"
	"context"
	"iter"
	"math/rand/v2"
	"net/netip"
	"slices"
	"sync"
	"time"

	"github.com/liftmesh/lift"
	"github.com/liftmesh/lift/registry"
)

// Type is the type of records that are asked for.
type Type string

const (
	// Address asks for A and AAAA records.
	Address Type = "a"
	// Service asks for SRV records.
	Service Type = "srv"
)

// Config configures a [Registry]. A zero field means its default.
type Config struct {
	// Type is the type of records that are asked for. Default Address.
	Type Type
	// Port is the port of every address. With Service the records bring it.
	Port int
	// Servers are asked in this order, each an IP address with its port. If they are
	// set, names are asked for as they stand, without search domains. Default: those of
	// ResolvConf, which is read for each look-up.
	Servers []string
	// ResolvConf is the file of the system's resolver. Default /etc/resolv.conf.
	ResolvConf string
	// Timeout bounds one question to one server. Default: that of ResolvConf's options,
	// or 1 s, which is less than the 5 s of other resolvers, because a call may wait.
	Timeout time.Duration
	// MinTTL and MaxTTL bound how long an answer holds. Default 1 s, so that a TTL of 0
	// does not make a busy loop, and 5 min, so that a wrong TTL ends.
	MinTTL, MaxTTL time.Duration
	// Now reads the clocks. Default [lift.Now].
	Now func() lift.Instant
	// Rand gives random bits. It is called from many goroutines. Default [rand.Uint64].
	Rand func() uint64
	// Reachable reports whether an IPv6 address has a route. Addresses without one are
	// left out while there are others. Default: ask the system; nothing is sent.
	Reachable func(netip.Addr) bool
}

const (
	// maxNegative bounds how long "there is none" holds, so that a service that starts
	// late is found soon. noSOA is how long it holds if the answer has no SOA.
	maxNegative = 30 * time.Second
	noSOA       = 5 * time.Second
	// backoffMax bounds the waits while DNS is gone. firstMax bounds them as long as
	// there has been no set, because calls wait for it.
	backoffMax = 30 * time.Second
	firstMax   = 5 * time.Second
	// recheck is how often the wall clock is looked at while waiting.
	recheck = 5 * time.Second
)

// Registry tells which endpoints serve a name. It is safe for concurrent use.
type Registry struct {
	Config
	// exchange asks one question, from many goroutines. Tests replace it.
	exchange func(ctx context.Context, c conf, q question) (reply, error)
	conf     func() (conf, error)

	mu      sync.Mutex
	watches map[chan struct{}]bool
}

var (
	_ registry.Registry = (*Registry)(nil)
	_ registry.Thawer   = (*Registry)(nil)
)

// New returns a registry. It opens nothing until it is watched.
func New(c Config) *Registry {
	c.Type = cmp.Or(c.Type, Address)
	c.ResolvConf = cmp.Or(c.ResolvConf, "/etc/resolv.conf")
	c.MinTTL = cmp.Or(c.MinTTL, time.Second)
	c.MaxTTL = max(cmp.Or(c.MaxTTL, 5*time.Minute), c.MinTTL)
	if c.Now == nil {
		c.Now = lift.Now
	}
	if c.Rand == nil {
		c.Rand = rand.Uint64
	}
	if c.Reachable == nil {
		c.Reachable = reachable
	}
	c.Servers = slices.Clone(c.Servers)
	r := &Registry{Config: c, watches: make(map[chan struct{}]bool)}
	r.exchange = (&client{rand: c.Rand}).exchange
	r.conf = r.source()
	return r
}

// Watch implements [registry.Registry]. service is the name to ask for: with
// Address a host's, with Service one such as _http._tcp.orders.internal.
func (r *Registry) Watch(ctx context.Context, service string) iter.Seq2[[]lift.Endpoint, error] {
	return func(yield func([]lift.Endpoint, error) bool) {
		wake := r.enter()
		defer r.leave(wake)
		l := r.newLookup()
		defer l.work.Wait()
		ctx, cancel := context.WithCancel(ctx)
		defer cancel()
		var told []lift.Endpoint // nil: none yet
		failures := 0
		for ctx.Err() == nil {
			set, life, err := l.resolve(ctx, service)
			switch {
			case ctx.Err() != nil:
				return
			case err != nil:
				failures++
				if !yield(nil, err) {
					return
				}
				life = r.backoff(failures, told != nil)
			case failures > 0 || told == nil || !slices.EqualFunc(set, told, lift.Endpoint.Equal):
				failures, told = 0, set
				if !yield(slices.Clone(set), nil) {
					return
				}
			}
			r.wait(ctx, wake, l, life)
		}
	}
}

// Thawed implements [registry.Thawer].
func (r *Registry) Thawed() {
	r.mu.Lock()
	defer r.mu.Unlock()
	for wake := range r.watches {
		select {
		case wake <- struct{}{}:
		default: // it is awake already
		}
	}
}

func (r *Registry) enter() chan struct{} {
	wake := make(chan struct{}, 1)
	r.mu.Lock()
	defer r.mu.Unlock()
	r.watches[wake] = true
	return wake
}

func (r *Registry) leave(wake chan struct{}) {
	r.mu.Lock()
	defer r.mu.Unlock()
	delete(r.watches, wake)
}

// wait returns when life has passed by either clock, when an answer has come that l
// was still waiting for, or when ctx has ended.
func (r *Registry) wait(ctx context.Context, wake <-chan struct{}, l *lookup, life time.Duration) {
	from := r.Now()
	for {
		left := life - r.Now().Age(from)
		if left <= 0 {
			return
		}
		t := time.NewTimer(min(left, recheck))
		select {
		case <-t.C:
		case <-wake:
		case late := <-l.arrivals:
			l.take(late)
			life = 0
		case <-ctx.Done():
		}
		t.Stop()
		if ctx.Err() != nil {
			return
		}
	}
}

// backoff returns the wait after the nth failure in a row: doubled from MinTTL on, half
// of it random, so that clients do not come back at the same moment.
func (r *Registry) backoff(n int, told bool) time.Duration {
	most := backoffMax
	if !told {
		most = firstMax
	}
	d := min(r.MinTTL<<min(n-1, 10), most)
	return d/2 + time.Duration(r.random()*float64(d/2))
}

// random is a number from 0 up to 1.
func (r *Registry) random() float64 { return float64(r.Rand()>>11) / (1 << 53) }
