package cloudmap

import (
	"cmp"
	"context"
	"iter"
	"maps"
	"math/rand/v2"
	"net"
	"net/http"
	"slices"
	"sync"
	"time"

	"github.com/liftmesh/lift"
	"github.com/liftmesh/lift/registry"
	"github.com/liftmesh/lift/registry/pace"
)

// Health says which instances are told of. It is not looked at where a service has
// no health checks.
type Health string

const (
	// Healthy are those whose check passes.
	Healthy Health = "HEALTHY"
	// All are all.
	All Health = "ALL"
	// HealthyOrElseAll are those whose check passes, or all if that is none.
	HealthyOrElseAll Health = "HEALTHY_OR_ELSE_ALL"
)

// Signer signs questions, and is told of answers that may refuse a signature, as
// sigv4.Signer does.
type Signer interface {
	Sign(ctx context.Context, r *http.Request, body *lift.Body) error
	Refused(status int, date, kind string, content []byte, began lift.Instant) (why string)
}

// Config is what a [Registry] is made from. A zero field means its default.
type Config struct {
	// Endpoint is the URL of the API. Required.
	Endpoint string
	// Namespace is the namespace's name. Required.
	Namespace string
	// Health says which instances are meant. Default Healthy.
	Health Health
	// Attributes that an instance has to have.
	Attributes map[string]string
	// Port is that of instances that are registered without one.
	Port int
	// Poll is how often the revision is asked for, Refetch how often the whole set
	// is, for changes of health are no new revision; each up to a quarter more at
	// random. Default 5 s and 30 s.
	Poll, Refetch time.Duration
	// Freezes says that this process may be frozen at any time.
	Freezes bool
	// Signer signs the questions. Default none does.
	Signer Signer
	// Do sends a request. Default net/http, without a proxy.
	Do func(*http.Request) (*http.Response, error)
	// Now reads the clocks. Default [lift.Now].
	Now func() lift.Instant
	// Rand gives random bits, from many goroutines. Default [rand.Uint64].
	Rand func() uint64
}

// Registry tells who serves a service of one namespace. It is safe for concurrent
// use.
type Registry struct {
	Config
	idle func() // closes connections that nobody uses

	mu      sync.Mutex
	watches map[*watch]bool
	mute    bool // the API does not know of revisions, or may not be asked
}

var (
	_ registry.Registry = (*Registry)(nil)
	_ registry.OnDemand = (*Registry)(nil)
)

// New returns a registry. It opens nothing until it is watched.
func New(c Config) *Registry {
	c.Health = cmp.Or(c.Health, Healthy)
	c.Attributes = maps.Clone(c.Attributes)
	c.Poll = cmp.Or(c.Poll, 5*time.Second)
	c.Refetch = max(cmp.Or(c.Refetch, 30*time.Second), c.Poll)
	if c.Now == nil {
		c.Now = lift.Now
	}
	if c.Rand == nil {
		c.Rand = rand.Uint64
	}
	r := &Registry{Config: c, idle: func() {}, watches: make(map[*watch]bool)}
	if c.Do == nil {
		// Across a freeze nothing is kept open.
		t := &http.Transport{DialContext: (&net.Dialer{}).DialContext, ForceAttemptHTTP2: true, DisableKeepAlives: c.Freezes, IdleConnTimeout: c.Refetch + 10*time.Second}
		client := &http.Client{Transport: t, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
		r.Do, r.idle = client.Do, t.CloseIdleConnections
	}
	return r
}

// Watch implements [registry.Registry]. service is its name in the namespace.
func (r *Registry) Watch(ctx context.Context, service string) iter.Seq2[[]lift.Endpoint, error] {
	return func(yield func([]lift.Endpoint, error) bool) {
		w := r.enter(service)
		defer r.leave(w)
		for ctx.Err() == nil {
			set, err := w.ask(ctx)
			switch {
			case ctx.Err() != nil:
				return
			case err != nil && w.Straddled():
				w.Due(ctx, 0) // a freeze lay inside: that says nothing of Cloud Map
				continue
			case err != nil:
				w.failures++
				if !yield(nil, err) {
					return
				}
			case set != nil && (w.failures > 0 || w.told == nil || !slices.EqualFunc(set, w.told, lift.Endpoint.Equal)):
				w.told = set
				if !yield(registry.Clone(set), nil) {
					return
				}
				fallthrough
			default:
				w.failures = 0
			}
			w.pause(ctx)
		}
	}
}

// Needed implements [registry.OnDemand]. Where nothing freezes it does nothing.
func (r *Registry) Needed(service string) {
	if !r.Freezes {
		return
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	for w := range r.watches {
		if w.service == service {
			w.Need()
		}
	}
}

func (r *Registry) enter(service string) *watch {
	w := &watch{Registry: r, service: service, Pace: pace.New(pace.Config{Limit: limit, Freezes: r.Freezes, Now: r.Now, Rand: r.Rand})}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.watches[w] = true
	return w
}

func (r *Registry) leave(w *watch) {
	r.mu.Lock()
	delete(r.watches, w)
	r.mu.Unlock()
	r.idle()
}
