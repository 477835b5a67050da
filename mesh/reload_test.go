package mesh_test

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/liftmesh/lift"
	"github.com/liftmesh/lift/balancer"
	"github.com/liftmesh/lift/mesh"
	"github.com/liftmesh/lift/registry/registrytest"
	"github.com/liftmesh/lift/resilience"
	"github.com/liftmesh/lift/transport"
)

func reload(t *testing.T, m *mesh.Mesh, services ...mesh.ServiceConfig) mesh.Changes {
	t.Helper()
	ch, err := m.Reload(services)
	if err != nil {
		t.Fatal(err)
	}
	return ch
}

// A thousand calls a second go on while everything that can change changes, and
// none of them fails.
func TestReloadsUnderLoad(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := all()
		orders, other := registrytest.NewFake(n.endpoints()...), registrytest.NewFake(n.endpoints()[:2]...)
		m := start(t, n, orders, nil)
		var calls, failed atomic.Int64
		var work sync.WaitGroup
		stop := make(chan struct{})
		for w := range 10 {
			work.Go(func() {
				tick := time.NewTicker(10 * time.Millisecond)
				defer tick.Stop()
				for i := w; ; i++ {
					select {
					case <-stop:
						return
					case <-tick.C:
					}
					c := get()
					if i%2 == 0 {
						c = post()
					}
					calls.Add(1)
					if r := send(m, c); r.err != nil || r.status != 200 {
						failed.Add(1)
						t.Errorf("%s failed: %d %v", c.Method, r.status, r.err)
					}
				}
			})
		}
		strategies := []balancer.Strategy{balancer.LeastRequest, balancer.RoundRobin}
		for i := range 100 {
			cfg := mesh.ServiceConfig{
				Name: "orders", Registry: orders, Timeout: time.Duration(1+i%3) * time.Second, Balancer: balancer.Config{Strategy: strategies[i/2%2]},
				Retry: resilience.RetryConfig{Attempts: 1}, // no second try hides a failure
			}
			if i%5 == 4 {
				cfg.Registry = other
			}
			if i%4 < 2 { // else the ways stay
				cfg.Marks.Transport = "same"
			}
			reload(t, m, cfg, mesh.ServiceConfig{Name: fmt.Sprintf("other%d", i%3), Registry: other, Warm: 1})
			time.Sleep(30 * time.Millisecond)
		}
		close(stop)
		work.Wait()
		t.Logf("%d calls, %d failed, over 100 reloads", calls.Load(), failed.Load())
		if calls.Load() < 2900 {
			t.Errorf("only %d calls", calls.Load())
		}
	})
}

// An endpoint that leaves the set just after it was picked still gets the call.
func TestEndpointLeavesAsItIsCalled(t *testing.T) {
	for _, how := range []string{"out of the set", "to another address"} {
		t.Run(how, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				n := newNetwork("a:1", "b:1")
				a, b := n.endpoints()[0], n.endpoints()[1]
				a.ID = "1"
				fake := registrytest.NewFake(a)
				leave := func(next lift.RoundTripper) lift.RoundTripper {
					return lift.RoundTripperFunc(func(a *lift.Attempt) (*lift.Response, error) {
						if how == "to another address" {
							b.ID = "1"
						}
						fake.Set(b)
						synctest.Wait()
						return next.RoundTrip(a)
					})
				}
				m := start(t, n, fake, func(o *mesh.Options) {
					o.Services[0].Adapt = leave
					o.Services[0].Retry.Attempts = 1
				})
				for _, want := range []string{"a:1", "b:1"} {
					if r := send(m, post()); r.err != nil || r.body != want {
						t.Errorf("%q %v, want %s", r.body, r.err, want)
					}
				}
				if s := n.instances["a:1"].seen(); s != 1 {
					t.Errorf("a has seen %d calls", s)
				}
			})
		})
	}
}

// What is not touched keeps its connections, and with them its watch.
func TestReloadLeavesAlone(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := all()
		cfg := mesh.ServiceConfig{Name: "orders", Registry: registrytest.NewFake(n.endpoints()[:1]...), Marks: mesh.Marks{All: "1", Source: "1", Transport: "1"}}
		m := start(t, n, nil, func(o *mesh.Options) { o.Services = []mesh.ServiceConfig{cfg} })
		ok := func() {
			t.Helper()
			if r := send(m, post()); r.err != nil {
				t.Fatal(r.err)
			}
		}
		ok()
		before := m.Service("orders")
		a := n.instances["a:1"]

		again := cfg
		again.Registry = registrytest.NewFake() // as a file that was read anew has it
		if ch := reload(t, m, again); !ch.None() || m.Service("orders") != before {
			t.Errorf("it was touched: %+v", ch)
		}
		ok()

		// New settings for calls; where they come from and how is as it was.
		again.Marks.All, again.Timeout = "2", time.Minute
		if ch := reload(t, m, again); len(ch.Changed) != 1 || m.Service("orders") != before {
			t.Errorf("it was not changed: %+v", ch)
		}
		ok()
		if a.Dials() != 1 {
			t.Errorf("%d connections, want the one that there was", a.Dials())
		}

		again.Marks.All, again.Marks.Transport, again.Transport = "3", "2", transport.Config{MaxConnections: 1}
		reload(t, m, again)
		ok()
		if a.Dials() != 2 {
			t.Errorf("%d connections, want a new one", a.Dials())
		}
	})
}

// Verdicts outlive the settings under which they were found.
func TestReloadKeepsVerdicts(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := all()
		n.instances["a:1"].Kill()
		m := start(t, n, registrytest.NewFake(n.endpoints()...), func(o *mesh.Options) {
			o.Services[0].Breaker = resilience.BreakerConfig{OpenFor: time.Hour, OpenForMax: time.Hour}
			o.Services[0].Marks.Transport = "same"
		})
		for range 20 {
			send(m, get())
		}
		open := func(name string) (open []string) {
			for _, e := range m.Service(name).Snapshot().Endpoints {
				if e.State == "open" {
					open = append(open, e.Addr)
				}
			}
			return open
		}
		if got := open("orders"); len(got) != 1 {
			t.Fatalf("open: %v", got)
		}
		// Another source with one endpoint more, and everything else anew.
		n.add("d:1")
		reload(t, m, mesh.ServiceConfig{
			Name: "orders", Registry: registrytest.NewFake(append(n.endpoints(), lift.Endpoint{Addr: "d:1"})...), Balancer: balancer.Config{Strategy: balancer.RoundRobin},
			Breaker: resilience.BreakerConfig{Window: time.Minute, OpenFor: time.Second}, Timeout: time.Minute,
			Marks: mesh.Marks{Transport: "same"},
		})
		synctest.Wait()
		if got := open("orders"); len(got) != 1 || got[0] != "a:1" {
			t.Errorf("open: %v", got)
		}
		for range 30 {
			if r := send(m, get()); r.err != nil || r.call.Tries() > 1 || r.body == "a:1" {
				t.Fatalf("%v, %d attempts", r.err, r.call.Tries())
			}
		}
		if n.instances["d:1"].seen() < 5 {
			t.Error("the new endpoint is not used")
		}
	})
}

// A running call ends as it began, by its own timeout, on its own connection; a
// call that begins later has what is new. A service that was removed ends after
// its running calls.
func TestReloadUnderARunningCall(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := all()
		fake := registrytest.NewFake(n.endpoints()[:1]...)
		m := start(t, n, fake, func(o *mesh.Options) { o.Services[0].Timeout, o.Services[0].AttemptTimeout = time.Minute, time.Minute })
		a := n.instances["a:1"]
		a.set(func(i *instance) { i.hung = make(chan struct{}) })
		running := make(chan result, 2)
		go func() { running <- send(m, post()) }()
		synctest.Wait()
		reload(t, m, mesh.ServiceConfig{Name: "orders", Registry: fake, Timeout: 10 * time.Millisecond, AttemptTimeout: 10 * time.Millisecond, Retry: resilience.RetryConfig{Attempts: 1}})
		if r := send(m, post()); r.err == nil || r.took > 20*time.Millisecond {
			t.Errorf("a new call has the old timeout: %v after %s", r.err, r.took)
		}
		reload(t, m, mesh.ServiceConfig{Name: "other", Registry: fake})
		if r := send(m, post()); !errors.Is(r.err, lift.UnknownService) || !strings.Contains(r.err.Error(), "other") {
			t.Errorf("a call to what was removed: %v", r.err)
		}
		time.Sleep(30 * time.Second)
		a.set(func(i *instance) { close(i.hung); i.hung = nil })
		if r := <-running; r.err != nil || r.call.Tries() != 1 {
			t.Errorf("the running call: %v, %d attempts", r.err, r.call.Tries())
		}
		synctest.Wait()
		if n := a.Open(); n > 0 {
			t.Errorf("%d connections of the service that was removed stay open", n)
		}
	})
}

// The old set serves until a new source has spoken.
func TestReloadToASilentSource(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := all()
		m := start(t, n, registrytest.NewFake(n.endpoints()...), nil)
		send(m, get())
		silent := registrytest.NewFake()
		silent.Fail(errors.New("nobody answers"))
		reload(t, m, mesh.ServiceConfig{Name: "orders", Registry: silent})
		synctest.Wait()
		if r := send(m, get()); r.err != nil {
			t.Errorf("before it speaks: %v", r.err)
		}
		silent.Set(n.endpoints()[2:]...)
		synctest.Wait()
		if r := send(m, get()); r.err != nil || r.body != "c:1" {
			t.Errorf("after it spoke: %v %s", r.err, r.body)
		}
	})
}

func TestReloadIsRefusedWhole(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := all()
		m := start(t, n, registrytest.NewFake(n.endpoints()...), nil)
		_, err := m.Reload([]mesh.ServiceConfig{
			{Name: "new", Registry: registrytest.NewFake()}, {Name: "orders", Broken: errors.New("a bad timeout")}, {Name: "nowhere"},
		})
		if err == nil || !strings.Contains(err.Error(), "orders: a bad timeout") || !strings.Contains(err.Error(), "nowhere") {
			t.Errorf("%v", err)
		}
		if names := m.Names(); len(names) != 1 || names[0] != "orders" {
			t.Errorf("services: %v", names)
		}
		if r := send(m, get()); r.err != nil {
			t.Error(r.err)
		}
		m.Close()
		if _, err := m.Reload(nil); err == nil {
			t.Error("a mesh that is closed was reloaded")
		}
	})
}

// A service that was broken from the start can be corrected.
func TestReloadMends(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := all()
		m := start(t, n, nil, func(o *mesh.Options) {
			o.Broken = errors.New("no file")
			o.Services = []mesh.ServiceConfig{{Name: "orders", Broken: errors.New("bad")}}
		})
		if r := send(m, get()); !errors.Is(r.err, lift.Misconfigured) {
			t.Fatal(r.err)
		}
		reload(t, m, mesh.ServiceConfig{Name: "orders", Registry: registrytest.NewFake(n.endpoints()...)})
		if r := send(m, get()); r.err != nil {
			t.Error(r.err)
		}
	})
}

// A running call of a service that was removed still has its second try.
func TestReloadLeavesARunningCallItsRetries(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := all()
		fake := registrytest.NewFake(n.endpoints()...)
		m := start(t, n, fake, func(o *mesh.Options) { o.Services[0].Timeout, o.Services[0].AttemptTimeout = time.Minute, time.Minute })
		for _, i := range n.instances {
			i.set(func(i *instance) { i.hung = make(chan struct{}) })
		}
		running := make(chan result)
		go func() { running <- send(m, get()) }()
		synctest.Wait()
		reload(t, m, mesh.ServiceConfig{Name: "other", Registry: fake})
		for _, i := range n.instances {
			if i.seen() > 0 {
				i.Kill()
				continue
			}
			i.set(func(i *instance) { close(i.hung); i.hung = nil })
		}
		if r := <-running; r.err != nil || r.call.Tries() != 2 {
			t.Errorf("%v, %d attempts", r.err, r.call.Tries())
		}
	})
}

// late is a registry that says one more thing when it is told to end.
type late struct{ first, last []lift.Endpoint }

func (l late) Watch(ctx context.Context, _ string) iter.Seq2[[]lift.Endpoint, error] {
	return func(yield func([]lift.Endpoint, error) bool) {
		if !yield(l.first, nil) {
			return
		}
		<-ctx.Done()
		time.Sleep(time.Second)
		if yield(l.last, nil) {
			yield(nil, errors.New("and I am broken"))
		}
	}
}

// Once another source has the word, the one before it has none.
func TestReloadEndsTheOldSource(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := all()
		m := start(t, n, nil, func(o *mesh.Options) {
			o.Services[0].Registry = late{n.endpoints()[:1], n.endpoints()[1:2]}
		})
		send(m, get())
		reload(t, m, mesh.ServiceConfig{Name: "orders", Registry: registrytest.NewFake(n.endpoints()[2:]...)})
		time.Sleep(2 * time.Second)
		st := m.Service("orders").Snapshot()
		if r := send(m, get()); r.err != nil || r.body != "c:1" || st.Error != "" {
			t.Errorf("%v, answered by %s, error %q", r.err, r.body, st.Error)
		}
	})
}
