package consul

import (
	"context"
	"iter"
	"slices"
	"sync"

	"github.com/liftmesh/lift"
	"github.com/liftmesh/lift/registry"
	"github.com/liftmesh/lift/registry/pace"
)

// Source selects instances of a service. A zero field means the client's own setting,
// or all.
type Source struct {
	// Tags lists tags; an instance must have all of them.
	Tags []string
	// Datacenter, Namespace and Partition are where to look.
	Datacenter, Namespace, Partition string
	// Query makes the watched name that of a prepared query, with which Consul can fail
	// over to other datacenters. Consul cannot report its changes, so it is executed
	// every 10 s.
	Query bool
}

// Registry tells which endpoints serve a service in Consul. It is safe for concurrent
// use.
type Registry struct {
	client *Client
	source Source

	mu      sync.Mutex
	watches map[*watch]bool
}

var (
	_ registry.Registry = (*Registry)(nil)
	_ registry.OnDemand = (*Registry)(nil)
)

// Registry returns a registry for the instances that s selects.
func (c *Client) Registry(s Source) *Registry {
	s.Tags = slices.Clone(s.Tags)
	return &Registry{client: c, source: s, watches: make(map[*watch]bool)}
}

// Client returns the client that the registry uses.
func (r *Registry) Client() *Client { return r.client }

// Source returns the selection of instances.
func (r *Registry) Source() Source { return r.source }

// Watch implements [registry.Registry]. service is its name in Consul, or the name of a
// prepared query.
func (r *Registry) Watch(ctx context.Context, service string) iter.Seq2[[]lift.Endpoint, error] {
	return func(yield func([]lift.Endpoint, error) bool) {
		w := r.enter(service)
		defer r.leave(w)
		var told []lift.Endpoint // nil: none yet
		failures := 0
		for ctx.Err() == nil {
			set, err := w.ask(ctx)
			switch {
			case ctx.Err() != nil:
				return
			case err != nil && w.Straddled():
				// A freeze lies inside, so the error says nothing about Consul.
				w.Due(ctx, 0)
				continue
			case err != nil:
				failures++
				if !yield(nil, err) {
					return
				}
			case failures > 0 || told == nil || !slices.EqualFunc(set, told, lift.Endpoint.Equal):
				failures, told = 0, set
				if !yield(registry.Clone(set), nil) {
					return
				}
			}
			w.pause(ctx, failures, told != nil)
		}
	}
}

// Needed implements [registry.OnDemand]. Where nothing freezes it does nothing.
func (r *Registry) Needed(service string) {
	if !r.client.Freezes {
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
	c := r.client
	w := &watch{
		Registry: r, service: service, bucket: bucket{tokens: burst, at: c.Now().Mono},
		Pace: pace.New(pace.Config{Limit: readTimeout, Freezes: c.Freezes, Now: c.Now, Rand: c.Rand}),
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.watches[w] = true
	return w
}

func (r *Registry) leave(w *watch) {
	r.mu.Lock()
	delete(r.watches, w)
	r.mu.Unlock()
	r.client.transport.CloseIdleConnections()
}
