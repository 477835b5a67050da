// Package registry defines how Lift learns which endpoints serve a service. Each source
// of endpoints is a subpackage with one client library at most.
package registry

import (
	"context"
	"iter"
	"slices"

	"github.com/liftmesh/lift"
)

// Registry tells which endpoints serve a service.
type Registry interface {
	// Watch yields the complete set of the service's endpoints at once and after every
	// change, until ctx ends or the loop breaks. An empty set is not nil: it means that
	// no endpoint serves the service. An error comes with a nil set: the last set may
	// be stale, not empty; Watch keeps trying. The slice belongs to the receiver. Watch
	// may be called several times, also concurrently.
	Watch(ctx context.Context, service string) iter.Seq2[[]lift.Endpoint, error]
}

// Clone returns a copy of a set that the caller may change.
func Clone(set []lift.Endpoint) []lift.Endpoint {
	set = slices.Clone(set)
	for i := range set {
		set[i].Tags = slices.Clone(set[i].Tags)
	}
	return set
}

// Thawer is a registry that can be told that the process may just have thawed.
type Thawer interface {
	// Thawed makes every watch look at the wall clock now, and ask again for sets that
	// have expired. It is a hint and does not block: without it a registry notices by
	// itself, only later.
	Thawed()
}

// OnDemand is a registry that, where environments freeze, asks its source only while a
// service is in use.
type OnDemand interface {
	// Needed says that an invocation is running, and that it, or one of the last few,
	// has called the service. The service's name is the one that is watched. Needed is
	// a hint and does not block; the mesh gives it at most once a second.
	Needed(service string)
}
