package mesh_test

import (
	"errors"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/liftmesh/lift"
	"github.com/liftmesh/lift/mesh"
	"github.com/liftmesh/lift/registry/registrytest"
)

func status(t *testing.T, m *mesh.Mesh) lift.ServiceStatus {
	t.Helper()
	all, err := m.Services(t.Context(), "orders")
	if err != nil || len(all) != 1 {
		t.Fatalf("got %v, %v", all, err)
	}
	return all[0]
}

func TestServicesTellWhoServesAndWhoIsOut(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := newNetwork("a:1", "b:1")
		fake := &registrytest.Fake{}
		m := start(t, n, fake, func(o *mesh.Options) {
			o.Services[0].From = "fake"
			o.Services = append(o.Services, mesh.ServiceConfig{Name: "bad", Broken: errors.New("line 7 is wrong")})
		})
		synctest.Wait()
		if s := status(t, m); s.Name != "orders" || s.From != "fake" || !s.Told.IsZero() || s.Endpoints != nil || !s.At.Equal(time.Now()) {
			t.Errorf("before the first set: %+v", s)
		}

		told := time.Now()
		b := lift.Endpoint{ID: "1", Addr: "b:1", Zone: "z1", Weight: 3, Tags: []string{"v2"}}
		fake.Set(lift.Endpoint{Addr: "a:1"}, b)
		synctest.Wait()
		time.Sleep(time.Minute)
		hung := make(chan struct{})
		n.instances["a:1"].Kill()
		for n.instances["b:1"].seen() < 20 || status(t, m).Endpoints[1].State == "closed" {
			send(m, get()) // by chance some find that a refuses
		}
		n.instances["b:1"].set(func(i *instance) { i.hung = hung })
		var calls sync.WaitGroup
		for range 2 {
			calls.Go(func() { send(m, post()) })
		}
		synctest.Wait()
		s := status(t, m)
		if !s.Told.Equal(told) || s.At.Sub(s.Told) != time.Minute || s.Error != "" || len(s.Endpoints) != 2 {
			t.Fatalf("got %+v", s)
		}
		at, out := s.Endpoints[0], s.Endpoints[1]
		if !at.Equal(b) || at.State != "closed" || at.Why != "" || !at.Until.IsZero() || at.InFlight != 2 || at.Open < 2 || at.Idle != at.Open-2 {
			t.Errorf("b is %+v", at)
		}
		if out.Addr != "a:1" || out.State != "open" || out.Why != "connection refused" || !out.Until.After(s.At) || out.Failures != 1 || out.InFlight != 0 || out.Open != 0 || out.Attempts != 1 || out.Failed != 1 {
			t.Errorf("a is %+v", out)
		}
		close(hung)
		calls.Wait()
		synctest.Wait()
		if at := status(t, m).Endpoints[0]; at.InFlight != 0 || at.Idle != at.Open || at.Usual <= 0 || at.Attempts < 22 || at.Failed != 0 {
			t.Errorf("b is %+v", at)
		}

		fake.Fail(errors.New("no route"))
		synctest.Wait()
		if s := status(t, m); s.Error != "no route" || len(s.Endpoints) != 2 || !s.Told.Equal(told) {
			t.Errorf("while the registry fails: %+v", s)
		}
		fake.Set()
		synctest.Wait()
		if s := status(t, m); s.Error != "" || s.Endpoints == nil || len(s.Endpoints) != 0 {
			t.Errorf("nobody serves: %+v", s)
		}

		all, err := m.Services(t.Context())
		if err != nil || len(all) != 2 || all[0].Name != "bad" || all[0].Broken != "line 7 is wrong" || all[1].Name != "orders" {
			t.Errorf("got %+v, %v", all, err)
		}
		if all, err := m.Services(t.Context(), "orders", "orders"); err != nil || len(all) != 1 {
			t.Errorf("named twice: %+v, %v", all, err)
		}
		if _, err := m.Services(t.Context(), "orders", "ordres"); lift.CodeOf(err) != lift.UnknownService || !strings.Contains(err.Error(), "bad, orders") {
			t.Errorf("got %v", err)
		}
	})
}

func TestServicesOfABrokenConfiguration(t *testing.T) {
	m := mesh.New(mesh.Options{Broken: errors.New("lift.yaml cannot be read")})
	defer m.Close()
	if _, err := m.Services(t.Context()); lift.CodeOf(err) != lift.Misconfigured || !strings.Contains(err.Error(), "cannot be read") {
		t.Errorf("got %v", err)
	}
}
