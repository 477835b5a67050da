package mesh_test

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"github.com/liftmesh/lift"
	"github.com/liftmesh/lift/mesh"
	"github.com/liftmesh/lift/registry/registrytest"
)

// demanding is a registry that asks on demand.
type demanding struct {
	*registrytest.Fake
	told chan string
}

func (d demanding) Needed(service string) { d.told <- service }

func TestRegistriesAreToldWhatIsNeeded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := demanding{registrytest.NewFake(), make(chan string, 99)} // nobody serves
		m := mesh.New(mesh.Options{Services: []mesh.ServiceConfig{
			{Name: "orders", Lookup: "shop-orders", Registry: r},
			{Name: "broken", Broken: context.Canceled, Registry: r},
		}})
		defer m.Close()
		want := func(n int, when string) {
			t.Helper()
			for range n {
				if got := <-r.told; got != "shop-orders" {
					t.Errorf("%s: told of %s", when, got)
				}
			}
			if len(r.told) > 0 {
				t.Fatalf("%s: told too often", when)
			}
		}
		call := func() { _, _ = m.Call(&lift.Call{Service: "orders"}) }
		m.Invoked(t.Context(), false)
		want(0, "an invocation in which nothing has been called")
		call()
		want(1, "a call")
		for range 20 { // two seconds of calls
			time.Sleep(100 * time.Millisecond)
			call()
		}
		want(2, "calls, once a second")
		for range 3 {
			time.Sleep(time.Minute)
			m.Invoked(t.Context(), true)
		}
		want(3, "invocations soon after a call")
		time.Sleep(time.Minute)
		m.Invoked(t.Context(), true)
		want(0, "an invocation long after")
	})
}
