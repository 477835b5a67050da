package registry_test

import (
	"context"
	"fmt"
	"iter"

	"github.com/liftmesh/lift"
	"github.com/liftmesh/lift/registry"
)

// one is a registry of one's own: whatever is asked for, localhost serves it.
type one struct{}

func (one) Watch(ctx context.Context, _ string) iter.Seq2[[]lift.Endpoint, error] {
	return func(yield func([]lift.Endpoint, error) bool) {
		if yield([]lift.Endpoint{{Addr: "127.0.0.1:8080"}}, nil) {
			<-ctx.Done()
		}
	}
}

func ExampleRegistry() {
	var r registry.Registry = one{}
	for set := range r.Watch(context.Background(), "orders") {
		fmt.Println(set[0].Addr)
		break
	}
	// Output: 127.0.0.1:8080
}
