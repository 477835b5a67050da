package mesh_test

import (
	"context"
	"testing"
	"testing/synctest"

	"github.com/liftmesh/lift"
	"github.com/liftmesh/lift/mesh"
	"github.com/liftmesh/lift/registry/registrytest"
)

// thawer is a registry that takes the hint.
type thawer struct {
	*registrytest.Fake
	told chan struct{}
}

func (t thawer) Thawed() { t.told <- struct{}{} }

func TestRegistriesAreToldOfAThaw(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := thawer{registrytest.NewFake(lift.Endpoint{Addr: "a:1"}), make(chan struct{}, 9)}
		m := mesh.New(mesh.Options{Services: []mesh.ServiceConfig{{Name: "orders", Registry: r}}})
		defer m.Close()
		for i, thawed := range []bool{false, true} {
			m.Invoked(context.Background(), thawed)
			synctest.Wait()
			if len(r.told) != i {
				t.Errorf("thawed %v: told %d times", thawed, len(r.told))
			}
		}
	})
}
