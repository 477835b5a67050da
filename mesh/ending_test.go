package mesh_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/liftmesh/lift"
	"github.com/liftmesh/lift/mesh"
	"github.com/liftmesh/lift/registry/registrytest"
	"github.com/liftmesh/lift/registry/static"
	"github.com/liftmesh/lift/resilience"
	"github.com/liftmesh/lift/transport"
)

// ends collects the ends of calls.
type ends struct {
	mu   sync.Mutex
	list []ended
}

type ended struct {
	lift.Ending
	service   string
	attempts  []lift.AttemptRecord
	decisions []lift.DecisionKind
	began     lift.Instant
}

func (o *ends) see(c *lift.Call, e lift.Ending) {
	decisions, _ := c.Decisions()
	end := ended{Ending: e, service: c.Service, attempts: c.Attempts(), began: c.Began}
	for _, d := range decisions {
		end.decisions = append(end.decisions, d.Kind)
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	o.list = append(o.list, end)
}

// one is the end of the only call since.
func (o *ends) one(t *testing.T) ended {
	t.Helper()
	synctest.Wait()
	o.mu.Lock()
	defer o.mu.Unlock()
	if len(o.list) != 1 {
		t.Fatalf("told of %d ends, want 1: %+v", len(o.list), o.list)
	}
	e := o.list[0]
	o.list = nil
	for i, a := range e.attempts {
		if a.Outcome == lift.Unjudged || a.Ended.IsZero() {
			t.Errorf("attempt %d has not ended: %+v", i+1, a)
		}
	}
	return e
}

func observed(o *ends, change func(*mesh.ServiceConfig)) func(*mesh.Options) {
	return func(mo *mesh.Options) {
		mo.OnEnd = o.see
		if change != nil {
			change(&mo.Services[0])
		}
	}
}

// The observer is told once of each call, at its true end.
func TestEveryCallsEndIsTold(t *testing.T) {
	for _, protocol := range []transport.Protocol{transport.HTTP, transport.H2C} {
		for _, tt := range []struct {
			name   string
			set    func(*instance)
			call   func(m *mesh.Mesh, c *lift.Call) // nil: send
			status int
			code   lift.Code
			or     lift.Code // another code that will do
			head   time.Duration
			took   time.Duration
			tries  int // at least
		}{
			{name: "whole", set: func(i *instance) { i.after = 300 * time.Millisecond }, status: 200, head: 300 * time.Millisecond, took: 300 * time.Millisecond, tries: 1},
			{name: "an error of the application", set: func(i *instance) { i.status = 404 }, status: 404, tries: 1},
			{name: "a stream that breaks", set: func(i *instance) { i.drip, i.breaks = true, time.Second }, status: 200, code: lift.Unavailable, or: lift.BadResponse, took: time.Second, tries: 1},
			{name: "a stream that its deadline ends", set: func(i *instance) { i.drip = true }, status: 200, code: lift.DeadlineExceeded, took: 2 * time.Second, tries: 1},
			{name: "a stream that is read for a while", set: func(i *instance) { i.drip = true }, call: func(m *mesh.Mesh, c *lift.Call) {
				defer c.End()
				resp, err := m.Call(c)
				if err == nil {
					time.Sleep(1500 * time.Millisecond)
					_ = resp.Body.Close()
				}
			}, status: 200, took: 1500 * time.Millisecond, tries: 1},
			{name: "a stream that nobody reads", set: func(i *instance) { i.drip = true }, call: func(m *mesh.Mesh, c *lift.Call) {
				_, _ = m.Call(c)
				time.Sleep(time.Second)
				c.End()
			}, status: 200, took: time.Second, tries: 1},
			{name: "a stream whose caller vanishes", set: func(i *instance) { i.drip = true }, call: func(m *mesh.Mesh, c *lift.Call) {
				time.AfterFunc(time.Second, func() { c.Cancel(errors.New("gone")) })
				send(m, c)
			}, status: 200, code: lift.CallCanceled, took: time.Second, tries: 1},
			{name: "none in time", set: func(i *instance) { i.hung = make(chan struct{}) }, call: func(m *mesh.Mesh, c *lift.Call) {
				c.Deadline = time.Now().Add(300 * time.Millisecond)
				send(m, c)
			}, code: lift.DeadlineExceeded, took: 300 * time.Millisecond, tries: 1},
			{name: "no connection", set: func(i *instance) { i.Kill() }, code: lift.Unavailable, or: lift.AllOpen, tries: 1},
			{name: "a deadline that has passed", call: func(m *mesh.Mesh, c *lift.Call) {
				c.Deadline = time.Now().Add(-time.Second)
				send(m, c)
			}, code: lift.DeadlineExceeded},
			{name: "an unknown service", call: func(m *mesh.Mesh, c *lift.Call) { c.Service = "nobody"; send(m, c) }, code: lift.UnknownService},
			{name: "a broken service", call: func(m *mesh.Mesh, c *lift.Call) { c.Service = "broken"; send(m, c) }, code: lift.Misconfigured},
			{name: "a panic", call: func(m *mesh.Mesh, c *lift.Call) { c.Service = "panics"; send(m, c) }, code: lift.Internal},
		} {
			t.Run(fmt.Sprintf("%s/%s", protocol, tt.name), func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					n, o := newNetwork("a:1"), &ends{}
					m := start(t, n, registrytest.NewFake(n.endpoints()...), func(mo *mesh.Options) {
						mo.OnEnd = o.see
						mo.Services[0].Transport.Protocol = protocol
						mo.Services = append(mo.Services, mesh.ServiceConfig{Name: "broken", Broken: errors.New("it is broken")},
							mesh.ServiceConfig{Name: "panics", Registry: onDemandPanic{registrytest.NewFake()}})
					})
					synctest.Wait()
					if tt.set != nil {
						tt.set(n.instances["a:1"])
					}
					c := get()
					if tt.call == nil {
						send(m, c)
					} else {
						tt.call(m, c)
					}
					e := o.one(t)
					if code := lift.CodeOf(e.Err); e.Status != tt.status || code != tt.code && (tt.or == "" || code != tt.or) || len(e.attempts) < tt.tries {
						t.Errorf("%d, %v, %d attempts; want %d, %q, %d", e.Status, e.Err, len(e.attempts), tt.status, tt.code, tt.tries)
					}
					if took := e.Ended.Since(e.began); took != tt.took {
						t.Errorf("it took %s, want %s", took, tt.took)
					}
					if tt.status != 0 && e.Head.Since(e.began) != tt.head || tt.status == 0 && !e.Head.IsZero() {
						t.Errorf("its head came after %s, want %s", e.Head.Since(e.began), tt.head)
					}
				})
			})
		}
	}
}

// onDemandPanic is a registry with a bug.
type onDemandPanic struct{ *registrytest.Fake }

func (onDemandPanic) Needed(string) { panic("a bug") }

func TestEndsOfABrokenConfigurationAreTold(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o := &ends{}
		m := mesh.New(mesh.Options{Broken: errors.New("no file"), OnEnd: o.see})
		defer m.Close()
		send(m, get())
		if e := o.one(t); lift.CodeOf(e.Err) != lift.Misconfigured || e.service != "orders" {
			t.Errorf("%+v", e)
		}
	})
}

func TestAPanicOfTheObserverIsContained(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := newNetwork("a:1")
		m := start(t, n, registrytest.NewFake(n.endpoints()...), func(o *mesh.Options) {
			o.OnEnd = func(*lift.Call, lift.Ending) { panic("a bug") }
		})
		for range 3 {
			if r := send(m, get()); r.err != nil {
				t.Error(r.err)
			}
		}
	})
}

// What was decided on the way is told with the end, and an ordinary call has nothing
// to tell.
func TestDecisionsAreTold(t *testing.T) {
	sick := func(i *instance) { i.status = 503 }
	for _, tt := range []struct {
		name  string
		set   func(*instance)
		cfg   func(*mesh.ServiceConfig)
		call  func(*lift.Call)
		calls int // before
		want  []lift.DecisionKind
	}{
		{name: "ordinary"},
		{name: "its own timeout", call: func(c *lift.Call) { c.Timeout = time.Second }, want: []lift.DecisionKind{lift.TimeoutOfCall}},
		{name: "its own deadline", call: func(c *lift.Call) { c.Deadline = time.Now().Add(time.Second) }, want: []lift.DecisionKind{lift.DeadlineOfCaller}},
		{name: "a later deadline", call: func(c *lift.Call) { c.Deadline = time.Now().Add(time.Hour) }},
		{name: "may have acted", set: sick, call: func(c *lift.Call) { c.Method = "POST" }, want: []lift.DecisionKind{lift.NoRetryUnsafe}},
		{name: "vouched for", set: sick, cfg: func(c *mesh.ServiceConfig) { c.Idempotent, c.Retry.Attempts = true, 2 }, call: func(c *lift.Call) { c.Method = "POST" },
			want: []lift.DecisionKind{lift.VouchedIdempotent, lift.Retrying, lift.NoRetryLimit}},
		{name: "a body that is gone", set: sick, call: func(c *lift.Call) {
			c.Method, c.Body = "PUT", lift.StreamBody(io.NopCloser(io.LimitReader(zeros{}, 100<<10)), -1, 10)
		}, want: []lift.DecisionKind{lift.NoRetryBody}},
		{name: "as often as it may", set: sick, want: []lift.DecisionKind{lift.Retrying, lift.Retrying, lift.NoRetryLimit}},
		{name: "no time", set: sick, cfg: func(c *mesh.ServiceConfig) { c.Retry.Backoff, c.Retry.BackoffMax = time.Hour, time.Hour },
			call: func(c *lift.Call) { c.Deadline = time.Now().Add(time.Millisecond) }, want: []lift.DecisionKind{lift.DeadlineOfCaller, lift.NoRetryTime}},
		{name: "no budget", set: sick, cfg: func(c *mesh.ServiceConfig) {
			c.Retry.Budget = resilience.BudgetConfig{Burst: 1, Ratio: 1e-9, FloorPerSecond: 1e-9}
		}, want: []lift.DecisionKind{lift.Retrying, lift.NoRetryBudget}},
		{name: "all out", set: sick, cfg: func(c *mesh.ServiceConfig) { c.Breaker.OpenFor, c.Breaker.OpenForMax = time.Minute, time.Minute },
			calls: 4, want: []lift.DecisionKind{lift.AllOut}},
		{name: "nobody", cfg: func(c *mesh.ServiceConfig) { c.Registry = static.New(nil) }, want: []lift.DecisionKind{lift.NobodyServes}},
		{name: "all of the body first", cfg: func(c *mesh.ServiceConfig) { c.WholeBody = 1 << 20 }, call: func(c *lift.Call) {
			c.Method, c.Body = "PUT", lift.StreamBody(io.NopCloser(io.LimitReader(zeros{}, 100)), -1, 10)
		}, want: []lift.DecisionKind{lift.WaitedForBody}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				n, o := newNetwork("a:1"), &ends{}
				m := start(t, n, registrytest.NewFake(n.endpoints()...), observed(o, func(c *mesh.ServiceConfig) {
					if tt.cfg != nil {
						tt.cfg(c)
					}
				}))
				synctest.Wait()
				if tt.set != nil {
					n.instances["a:1"].set(tt.set)
				}
				for range tt.calls {
					send(m, get())
					o.one(t)
				}
				c := get()
				if tt.call != nil {
					tt.call(c)
				}
				send(m, c)
				if e := o.one(t); !slices.Equal(e.decisions, tt.want) {
					t.Errorf("%v, want %v (%v)", e.decisions, tt.want, e.Err)
				}
			})
		})
	}
}

type zeros struct{}

func (zeros) Read(p []byte) (int, error) { return len(p), nil }

// The wait for a registry's first word, and an invocation's end, are told too.
func TestDecisionsAboutTimeAreTold(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n, o, late := newNetwork("a:1"), &ends{}, &registrytest.Fake{}
		m := start(t, n, late, func(mo *mesh.Options) {
			mo.OnEnd = o.see
			mo.Invocation = func() time.Time { return time.Now().Add(time.Second) }
		})
		time.AfterFunc(300*time.Millisecond, func() { late.Set(n.endpoints()...) })
		if r := send(m, get()); r.err != nil {
			t.Error(r.err)
		}
		if e := o.one(t); !slices.Equal(e.decisions, []lift.DecisionKind{lift.DeadlineOfInvocation, lift.WaitedForEndpoints}) {
			t.Errorf("%v", e.decisions)
		}
	})
}

// Calls are told of once each while a reload removes their service and much else goes on.
func TestEndsAreToldOnceUnderLoad(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n, o := all(), &ends{}
		m := start(t, n, registrytest.NewFake(n.endpoints()...), observed(o, nil))
		n.instances["a:1"].set(func(i *instance) { i.drip, i.breaks = true, 50*time.Millisecond })
		const callers, calls = 20, 10
		var all sync.WaitGroup
		for caller := range callers {
			all.Go(func() {
				for n := range calls {
					c := get()
					switch (caller + n) % 4 {
					case 0:
						time.AfterFunc(time.Duration(n)*time.Millisecond, func() { c.Cancel(context.Canceled) })
					case 1:
						c.Deadline = time.Now().Add(time.Duration(n) * 10 * time.Millisecond)
					}
					send(m, c)
				}
			})
		}
		time.AfterFunc(100*time.Millisecond, func() { reload(t, m) })
		all.Wait()
		synctest.Wait()
		if len(o.list) != callers*calls {
			t.Errorf("%d ends for %d calls", len(o.list), callers*calls)
		}
		for _, e := range o.list {
			for _, a := range e.attempts {
				if a.Outcome == lift.Unjudged {
					t.Errorf("%+v", a)
				}
			}
		}
	})
}

func ExampleOptions_onEnd() {
	m := mesh.New(mesh.Options{
		Services: []mesh.ServiceConfig{{Name: "orders", Registry: static.New(nil)}},
		OnEnd: func(c *lift.Call, e lift.Ending) {
			fmt.Println(c.Service, e.Status, lift.CodeOf(e.Err), len(c.Attempts()))
		},
	})
	defer m.Close()

	c := &lift.Call{Service: "billing", Path: "/invoices"}
	_, _ = m.Call(c)
	c.End() // the observer is told now
	// Output: billing 0 unknown_service 0
}
