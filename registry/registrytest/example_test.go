package registrytest_test

import (
	"context"
	"fmt"

	"github.com/liftmesh/lift"
	"github.com/liftmesh/lift/registry/registrytest"
)

func ExampleFake() {
	f := registrytest.NewFake(lift.Endpoint{Addr: "10.0.0.7:80"})
	for set, err := range f.Watch(context.Background(), "orders") {
		fmt.Println(len(set), err)
		if len(set) == 0 {
			break
		}
		f.Set() // everybody has left
	}
	// Output:
	// 1 <nil>
	// 0 <nil>
}
