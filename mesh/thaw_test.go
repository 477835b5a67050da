package mesh_test

import (
	"context"
	"runtime"
	"testing"
	"testing/synctest"
	"time"

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

// What an invocation starts ahead is bounded, however long the registry is silent, and
// ends with the mesh.
func TestThawsOfASilentRegistryAreBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n, silent := newNetwork("a:1"), &registrytest.Fake{}
		m := start(t, n, silent, func(o *mesh.Options) { o.Services[0].Warm = 1 })
		synctest.Wait()
		before := runtime.NumGoroutine()
		for range 1000 {
			m.Invoked(context.Background(), true)
			synctest.Wait()
		}
		if more := runtime.NumGoroutine() - before; more > 10 { // with those of other tests that are just ending
			t.Errorf("%d goroutines wait for one silent registry", more)
		}
		reloads := mesh.ServiceConfig{Name: "orders", Registry: silent, Warm: 1}
		for range 100 {
			reload(t, m, reloads)
			synctest.Wait()
		}
		if more := runtime.NumGoroutine() - before; more > 10 {
			t.Errorf("%d goroutines wait for it after 100 reloads", more)
		}
		silent.Set(n.endpoints()...)
		synctest.Wait()
		if r := send(m, get()); r.err != nil || r.call.Attempts()[0].Fresh {
			t.Errorf("once it has spoken no connection is warm: %v", r.err)
		}
		if more := runtime.NumGoroutine() - before; more > 15 { // the connection's own
			t.Errorf("%d goroutines are left", more)
		}
	})
}

// A thaw that comes while the one before is still worked on is worked on too, once.
func TestThawsInARowAreTaken(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := thawer{registrytest.NewFake(lift.Endpoint{Addr: "a:1"}), make(chan struct{})}
		m := mesh.New(mesh.Options{Services: []mesh.ServiceConfig{{Name: "orders", Registry: r}}})
		defer m.Close()
		for range 10 {
			m.Invoked(context.Background(), true) // the registry is slow to hear of it
			synctest.Wait()
		}
		told := 0
		for quiet := false; !quiet; {
			select {
			case <-r.told:
				told++
			case <-time.After(time.Second):
				quiet = true
			}
		}
		if told != 2 {
			t.Errorf("told %d times; want the one that ran, and once more", told)
		}
	})
}

// Neither a mesh nor a service that is removed leaves behind what waits for a registry.
func TestWarmingEndsWithTheService(t *testing.T) {
	synctest.Test(t, func(t *testing.T) { // which fails if a goroutine is left
		m := start(t, newNetwork(), &registrytest.Fake{}, nil)
		before := runtime.NumGoroutine()
		for range 50 {
			m.Invoked(context.Background(), true)
			synctest.Wait()
			reload(t, m)
			reload(t, m, mesh.ServiceConfig{Name: "orders", Registry: &registrytest.Fake{}})
			synctest.Wait()
		}
		if left := runtime.NumGoroutine() - before; left > 10 {
			t.Errorf("%d goroutines wait for services that are gone", left)
		}
		m.Invoked(context.Background(), true)
		synctest.Wait()
		m.Close()
	})
}

// hasty is a registry that panics when it hears of a thaw.
type hasty struct{ *registrytest.Fake }

func (hasty) Thawed() { panic("thawed") }

func TestAPanicInAThawIsContained(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := newNetwork("a:1")
		m := start(t, n, nil, func(o *mesh.Options) {
			o.Services[0].Registry = hasty{registrytest.NewFake(n.endpoints()...)}
		})
		for range 2 {
			m.Invoked(context.Background(), true)
			synctest.Wait()
		}
		if r := send(m, get()); r.err != nil {
			t.Error(r.err)
		}
	})
}
