package mesh_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/liftmesh/lift"
	"github.com/liftmesh/lift/mesh"
	"github.com/liftmesh/lift/registry/registrytest"
	"github.com/liftmesh/lift/registry/static"
	"github.com/liftmesh/lift/transport"
)

func all() *network { return newNetwork("a:1", "b:1", "c:1") }

func TestCallsAreSpread(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := all()
		m := start(t, n, registrytest.NewFake(n.endpoints()...), nil)
		for range 90 {
			if r := send(m, get()); r.err != nil || r.status != 200 || r.body != last(r.call).Endpoint.Addr {
				t.Fatalf("%+v", r)
			}
		}
		for addr, i := range n.instances {
			if i.seen() < 15 {
				t.Errorf("%s saw %d of 90 calls", addr, i.seen())
			}
		}
	})
}

// Every upheaval, for calls that can be sent again and for others, whatever is
// spoken.
func TestUpheavals(t *testing.T) {
	for _, protocol := range []transport.Protocol{transport.HTTP, transport.H2C} {
		t.Run(string(protocol), func(t *testing.T) { upheavals(t, protocol) })
	}
}

func upheavals(t *testing.T, protocol transport.Protocol) {
	for _, tt := range []struct {
		name      string
		move      func(a *instance)
		back      func(a *instance)
		postsLost int // the most POSTs that may be lost
	}{
		{"killed", func(a *instance) { a.Kill() }, func(a *instance) { a.Revive() }, 0},
		{"hung", func(a *instance) { a.set(func(i *instance) { i.hung = make(chan struct{}) }) },
			func(a *instance) { a.set(func(i *instance) { close(i.hung); i.hung = nil }) }, 3},
		{"answers 503", func(a *instance) { a.set(func(i *instance) { i.status = 503 }) }, func(a *instance) { a.set(func(i *instance) { i.status = 200 }) }, 3},
	} {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				n := all()
				m := start(t, n, registrytest.NewFake(n.endpoints()...), func(o *mesh.Options) { o.Services[0].Transport.Protocol = protocol })
				lost := 0
				flow := func(d time.Duration) {
					for end := time.Now().Add(d); time.Now().Before(end); time.Sleep(20 * time.Millisecond) {
						if r := send(m, get()); r.err != nil || r.status != 200 {
							t.Fatalf("a GET failed: %d %v", r.status, r.err)
						}
						if r := send(m, post()); r.err != nil || r.status != 200 {
							lost++
						}
					}
				}
				flow(time.Second)
				a := n.instances["a:1"]
				tt.move(a)
				flow(10 * time.Second)
				if lost > tt.postsLost {
					t.Errorf("%d POSTs were lost, want %d at most", lost, tt.postsLost)
				}
				tt.back(a)
				lost = 0
				flow(5 * time.Second)
				before := a.seen()
				flow(time.Second)
				if lost > 0 || a.seen()-before < 10 {
					t.Errorf("after it was back %d POSTs were lost, and it got %d calls in a second", lost, a.seen()-before)
				}
			})
		})
	}
}

func TestAllDownFailsFastAndUnreached(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := all()
		m := start(t, n, registrytest.NewFake(n.endpoints()...), nil)
		for _, i := range n.instances {
			i.Kill()
		}
		first := send(m, post())
		if !errors.Is(first.err, lift.Unavailable) || first.call.Tries() != 3 {
			t.Fatalf("the first call: %v", first.err)
		}
		if text := first.err.Error(); strings.Contains(text, "unjudged") || strings.Count(text, "attempt 3") != 1 || strings.Contains(first.call.Attempts()[0].Err.Error(), "[") {
			t.Fatalf("the record in the error is not whole, or nested: %v; first attempt: %v", first.err, first.call.Attempts()[0].Err)
		}
		if !first.call.Attempts()[0].Fresh {
			t.Error("a connect that was refused is told as a warm connection")
		}
		r := send(m, post())
		e, ok := errors.AsType[*lift.Error](r.err)
		if !ok || e.Code != lift.AllOpen || e.Reached != lift.NotReached || r.took != 0 || !strings.Contains(r.err.Error(), "a:1: connection refused (next probe in 1") {
			t.Fatalf("after %v: %v", r.took, r.err)
		}
		for _, i := range n.instances {
			i.Revive()
		}
		time.Sleep(2 * time.Second)
		if r := send(m, post()); r.err != nil {
			t.Errorf("back again: %v", r.err)
		}
	})
}

func TestTimes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := newNetwork("a:1")
		m := start(t, n, registrytest.NewFake(n.endpoints()...), nil)
		n.instances["a:1"].hung = make(chan struct{})
		r := send(m, post())
		if !errors.Is(r.err, lift.AttemptTimeout) || r.took != time.Second || !errors.Is(r.err, context.DeadlineExceeded) {
			t.Errorf("a POST took %v: %v", r.took, r.err)
		}
		if e, _ := errors.AsType[*lift.Error](r.err); e.Reached != lift.MayHaveActed {
			t.Errorf("reached %v", e.Reached)
		}
		c := get()
		c.Deadline = time.Now().Add(300 * time.Millisecond)
		r = send(m, c)
		if !errors.Is(r.err, lift.DeadlineExceeded) || r.took != 300*time.Millisecond || last(r.call).Outcome != lift.CutShort {
			t.Errorf("a call with 300 ms took %v: %v", r.took, r.err)
		}
		if r = send(m, get()); r.took > 2*time.Second {
			t.Errorf("a GET took %v, over the service's timeout", r.took)
		}
		c = get()
		time.AfterFunc(50*time.Millisecond, func() { c.Cancel(nil) })
		if r = send(m, c); !errors.Is(r.err, lift.CallCanceled) || r.took != 50*time.Millisecond {
			t.Errorf("a canceled call took %v: %v", r.took, r.err)
		}
	})
}

// An endpoint that hangs is found though every call is cut by its own deadline.
func TestShortDeadlinesStillFindAHungEndpoint(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := newNetwork("a:1")
		m := start(t, n, registrytest.NewFake(n.endpoints()...), nil)
		slow := n.instances["a:1"]
		for range 5 {
			gate := make(chan struct{})
			slow.set(func(i *instance) { i.hung = gate })
			time.AfterFunc(time.Millisecond, func() { close(gate) })
			send(m, get())
		}
		slow.set(func(i *instance) { i.hung = make(chan struct{}) })
		var r result
		for range 4 {
			c := get()
			c.Deadline = time.Now().Add(100 * time.Millisecond)
			r = send(m, c)
		}
		if !errors.Is(r.err, lift.AllOpen) {
			t.Errorf("after three calls cut at 100 times the usual: %v", r.err)
		}
	})
}

func TestUnknownServiceNamesTheKnown(t *testing.T) {
	m := mesh.New(mesh.Options{Services: []mesh.ServiceConfig{
		{Name: "orders", Registry: static.New(nil)}, {Name: "billing", Registry: static.New(nil)},
	}})
	defer m.Close()
	c := get()
	c.Service = "order"
	r := send(m, c)
	if !errors.Is(r.err, lift.UnknownService) || !strings.Contains(r.err.Error(), "billing, orders") {
		t.Errorf("got %v", r.err)
	}
	empty := mesh.New(mesh.Options{})
	defer empty.Close()
	if r := send(empty, get()); !errors.Is(r.err, lift.UnknownService) || !strings.Contains(r.err.Error(), "lift.yaml") {
		t.Errorf("got %v", r.err)
	}
}

func TestBrokenServiceBreaksAlone(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := all()
		wrong := errors.New("lift.yaml:7:3: services.billing.timeout: want a duration")
		m := start(t, n, registrytest.NewFake(n.endpoints()...), func(o *mesh.Options) {
			o.Services = append(o.Services, mesh.ServiceConfig{Name: "billing", Broken: wrong})
		})
		c := get()
		c.Service = "billing"
		if r := send(m, c); !errors.Is(r.err, lift.Misconfigured) || !errors.Is(r.err, wrong) {
			t.Errorf("the broken one: %v", r.err)
		}
		if r := send(m, get()); r.err != nil {
			t.Errorf("the other one: %v", r.err)
		}
	})
}

func TestWholeConfigBroken(t *testing.T) {
	wrong := errors.New("lift.yaml: cannot be read")
	m := mesh.New(mesh.Options{Broken: wrong})
	defer m.Close()
	if r := send(m, get()); !errors.Is(r.err, lift.Misconfigured) || !errors.Is(r.err, wrong) {
		t.Errorf("got %v", r.err)
	}
}

func TestWaitsForTheFirstSet(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := all()
		registry := &registrytest.Fake{}
		m := start(t, n, registry, nil)
		time.AfterFunc(time.Second, func() { registry.Set(n.endpoints()...) })
		if r := send(m, get()); r.err != nil || r.took != time.Second {
			t.Errorf("after %v: %v", r.took, r.err)
		}
	})
	synctest.Test(t, func(t *testing.T) {
		registry := &registrytest.Fake{}
		m := start(t, all(), registry, nil)
		registry.Fail(errors.New("no leader"))
		r := send(m, get())
		if !errors.Is(r.err, lift.NoSet) || r.took != 2*time.Second || !strings.Contains(r.err.Error(), "no leader") {
			t.Errorf("after %v: %v", r.took, r.err)
		}
		c := get()
		time.AfterFunc(time.Millisecond, func() { c.Cancel(nil) })
		if r := send(m, c); !errors.Is(r.err, lift.CallCanceled) {
			t.Errorf("canceled: %v", r.err)
		}
	})
}

func TestMembership(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := all()
		registry := registrytest.NewFake()
		m := start(t, n, registry, nil)
		synctest.Wait()
		if r := send(m, get()); !errors.Is(r.err, lift.NoEndpoints) {
			t.Fatalf("an empty set: %v", r.err)
		}
		registry.Set(lift.Endpoint{Addr: "a:1"}, lift.Endpoint{Addr: "a:1"})
		synctest.Wait()
		if r := send(m, get()); r.err != nil || r.body != "a:1" {
			t.Fatalf("one, told twice: %v", r.err)
		}
		registry.Fail(errors.New("gone"))
		synctest.Wait()
		if r := send(m, get()); r.err != nil {
			t.Fatalf("a registry that fails took the last set along: %v", r.err)
		}
		// A flap must not make a broken endpoint look well.
		n.instances["a:1"].Kill()
		send(m, get())
		registry.Set(lift.Endpoint{Addr: "b:1"})
		synctest.Wait()
		registry.Set(lift.Endpoint{Addr: "a:1"})
		synctest.Wait()
		if r := send(m, get()); !errors.Is(r.err, lift.AllOpen) {
			t.Errorf("after a flap: %v", r.err)
		}
		registry.Set(lift.Endpoint{Addr: "b:1"})
		synctest.Wait()
		time.Sleep(2 * time.Minute)
		registry.Set(lift.Endpoint{Addr: "c:1"})
		synctest.Wait()
		n.instances["a:1"].Revive()
		registry.Set(lift.Endpoint{ID: "i-1", Addr: "a:1"})
		synctest.Wait()
		if r := send(m, get()); r.err != nil {
			t.Errorf("long after: %v", r.err)
		}
		// An id that moved to another address is another endpoint.
		registry.Set(lift.Endpoint{ID: "i-1", Addr: "b:1"})
		synctest.Wait()
		if r := send(m, get()); r.err != nil || r.body != "b:1" {
			t.Errorf("moved: %q %v", r.body, r.err)
		}
	})
}

func TestPanicIsContained(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := all()
		var log strings.Builder
		var mu sync.Mutex
		m := start(t, n, registrytest.NewFake(n.endpoints()...), func(o *mesh.Options) {
			o.Log = slog.New(slog.NewTextHandler(&locked{&mu, &log}, nil))
			o.Invocation = func() time.Time { panic("a bug") }
		})
		r := send(m, get())
		if !errors.Is(r.err, lift.Internal) || !strings.Contains(r.err.Error(), "a bug") {
			t.Errorf("got %v", r.err)
		}
		mu.Lock()
		defer mu.Unlock()
		if !strings.Contains(log.String(), "panic in a call, contained") {
			t.Errorf("the log says %q", log.String())
		}
	})
}

type locked struct {
	mu *sync.Mutex
	b  *strings.Builder
}

func (l *locked) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

func TestChangesAreLoggedOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := all()
		var log strings.Builder
		var mu sync.Mutex
		m := start(t, n, registrytest.NewFake(n.endpoints()...), func(o *mesh.Options) {
			o.Log = slog.New(slog.NewTextHandler(&locked{&mu, &log}, nil))
		})
		synctest.Wait()
		n.instances["b:1"].Kill()
		for range 50 {
			send(m, get())
		}
		mu.Lock()
		defer mu.Unlock()
		if got := strings.Count(log.String(), "endpoint=b:1 from=closed to=open"); got != 1 {
			t.Errorf("%d lines for one change:\n%s", got, log.String())
		}
	})
}

func TestWarm(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := all()
		m := start(t, n, registrytest.NewFake(n.endpoints()...), func(o *mesh.Options) { o.Services[0].Warm = 1 })
		m.Warm(t.Context())
		for range 20 {
			if r := send(m, get()); r.err != nil || last(r.call).Fresh {
				t.Fatalf("a call had to open a connection: fresh %v, %v", last(r.call).Fresh, r.err)
			}
		}
	})
}

func ExampleMesh() {
	m := mesh.New(mesh.Options{Services: []mesh.ServiceConfig{{
		Name:     "orders",
		Registry: static.New([]lift.Endpoint{{Addr: "127.0.0.1:1"}}), // nothing listens there
		Timeout:  time.Second,
	}}})
	defer m.Close()

	c := &lift.Call{Service: "orders", Method: "GET", Path: "/orders/1"}
	defer c.End()
	_, err := m.Call(c)
	fmt.Println(lift.CodeOf(err), c.Tries() > 0)
	// Output: unavailable true
}

func ExampleMesh_Reload() {
	m := mesh.New(mesh.Options{Services: []mesh.ServiceConfig{{Name: "orders", Registry: static.New(nil)}}})
	defer m.Close()
	// A mark that stays says that the service did; without marks all has changed.
	changes, err := m.Reload([]mesh.ServiceConfig{
		{Name: "orders", Registry: static.New(nil), Timeout: time.Second},
		{Name: "billing", Registry: static.New(nil)},
	})
	fmt.Printf("%+v %v", changes, err)
	// Output: {Added:[billing] Changed:[orders] Removed:[]} <nil>
}

// A stream that the call's own deadline ends says nothing against its endpoint:
// the head came in time, and how long the rest may last is the caller's to say.
func TestStreamsThatEndAtTheirDeadline(t *testing.T) {
	for _, protocol := range []transport.Protocol{transport.HTTP, transport.H2C} {
		t.Run(string(protocol), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				n := newNetwork("a:1")
				m := start(t, n, registrytest.NewFake(n.endpoints()...), func(o *mesh.Options) { o.Services[0].Transport.Protocol = protocol })
				for range 20 { // what it usually takes is known
					if r := send(m, get()); r.err != nil {
						t.Fatal(r.err)
					}
				}
				n.instances["a:1"].set(func(i *instance) { i.drip = true })
				for range 5 {
					r := send(m, get())
					if !errors.Is(r.err, lift.DeadlineExceeded) || r.took != 2*time.Second || last(r.call).Outcome != lift.CutShort {
						t.Errorf("%v after %s, %s", r.err, r.took, last(r.call).Outcome)
					}
				}
				if s, _ := m.Services(t.Context()); len(s) > 0 && s[0].Endpoints[0].State != "closed" {
					t.Errorf("%+v", s[0].Endpoints[0])
				}
			})
		})
	}
}
