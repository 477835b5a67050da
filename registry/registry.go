// Package registry tells who serves what. Each source of that knowledge is a
// subpackage with one client library at most.
package registry

import (
	"context"
	"iter"
	"slices"

	"github.com/liftmesh/lift"
)

// Registry tells who serves a service.
type Registry interface {
	// Watch yields the complete set of the service's endpoints at once and after
	// every change, until ctx ends or the loop breaks. An empty set is not nil:
	// it says that nobody serves. An error comes with a nil set: the last set
	// may be stale, not empty; Watch keeps trying. The slice belongs to the
	// receiver. Watch may be called often and at the same time.
	Watch(ctx context.Context, service string) iter.Seq2[[]lift.Endpoint, error]
}

// Clone is a copy of a set that its receiver may change.
func Clone(set []lift.Endpoint) []lift.Endpoint {
	set = slices.Clone(set)
	for i := range set {
		set[i].Tags = slices.Clone(set[i].Tags)
	}
	return set
}

// Thawer is a registry that can be told that a freeze may lie behind.
type Thawer interface {
	// Thawed has every watch look at the wall clock now, and ask for what has
	// expired. It is a hint and does not block: a registry that is not told comes
	// to it by itself, only later.
	Thawed()
}

// OnDemand is a registry that, where environments freeze, asks its source only
// while somebody wants to know.
type OnDemand interface {
	// Needed tells that an invocation runs, and that the service, by the name that
	// is watched, is called in it or was in one of the last few. It is a hint that
	// may come often, at most once a second from the mesh, and does not block.
	Needed(service string)
}
