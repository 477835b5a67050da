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

// Health selects instances by their health. It has no effect on a service without
// health checks.
type Health string

const (
	// Healthy selects the instances whose check passes.
	Healthy Health = "HEALTHY"
	// All selects all instances.
	All Health = "ALL"
	// HealthyOrElseAll selects the instances whose check passes, or all if none passes.
	HealthyOrElseAll Health = "HEALTHY_OR_ELSE_ALL"
)

// Signer signs questions, and gets the answers that may refuse a signature. A
// sigv4.Signer is one.
type Signer interface {
	Sign(ctx context.Context, r *http.Request, body *lift.Body) error
	Refused(status int, date, kind string, content []byte, began lift.Instant) (why string)
}

// Config configures a [Registry]. A zero field means its default.
type Config struct {
	// Endpoint is the URL of the API. Required.
	Endpoint string
	// Namespace is the namespace's name. Required.
	Namespace string
	// Health selects instances by their health. Default Healthy.
	Health Health
	// Attributes lists attributes that an instance must have.
	Attributes map[string]string
	// Port is the port of instances that are registered without one.
	Port int
	// Poll is the time between two questions for the revision. Refetch is the same for
	// the whole set, because a change of health does not change the revision. Up to a
	// quarter is added to each, at random. Default 5 s and 30 s.
	Poll, Refetch time.Duration
	// Freezes says that this process may be frozen at any time.
	Freezes bool
	// Signer signs the questions. Default: they are not signed.
	Signer Signer
	// Do sends a request. Default net/http, without a proxy.
	Do func(*http.Request) (*http.Response, error)
	// Now reads the clocks. Default [lift.Now].
	Now func() lift.Instant
	// Rand returns random bits; it must be safe for concurrent use. Default
	// [rand.Uint64].
	Rand func() uint64
}

// Registry tells which endpoints serve a service of one namespace. It is safe for
// concurrent use.
type Registry struct {
	Config
	idle func() // closes idle connections

	mu      sync.Mutex
	watches map[*watch]bool
	mute    bool // the API has no revisions, or the role may not ask for them
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
		// No connection is kept open across a freeze.
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
				w.Due(ctx, 0) // a freeze lies inside, so the error says nothing about Cloud Map
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
