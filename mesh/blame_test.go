package mesh_test

import (
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/liftmesh/lift"
	"github.com/liftmesh/lift/balancer"
	"github.com/liftmesh/lift/mesh"
	"github.com/liftmesh/lift/registry/registrytest"
	"github.com/liftmesh/lift/resilience"
)

// badURL is a handler that always fails; all other URLs are well.
const badURL = "/report"

func withBadURL(n *network, status int, grpcStatus string) {
	for _, i := range n.instances {
		i.serve = func(w http.ResponseWriter, r *http.Request) {
			_, _ = io.Copy(io.Discard, r.Body)
			bad := r.URL.Path == badURL
			if grpcStatus == "" {
				if bad {
					w.WriteHeader(status)
				}
				return
			}
			code := "0"
			if bad {
				code = grpcStatus
			}
			w.Header().Set("Content-Type", "application/grpc")
			w.Header().Set(http.TrailerPrefix+"Grpc-Status", code)
			w.WriteHeader(http.StatusOK)
		}
	}
}

// One URL whose handler always fails costs the calls to all others nothing: none is
// refused, whatever its share, the number of endpoints, the method and the protocol.
func TestOneBadURLCostsTheOthersNothing(t *testing.T) {
	shares := []float64{0.01, 0.05, 0.2, 0.6}
	for _, kind := range []struct {
		name, method string
		status       int
		grpc         string
		strategy     balancer.Strategy
	}{
		{name: "GET 500", method: "GET", status: 500},
		{name: "POST 500", method: "POST", status: 500},
		{name: "GET 501", method: "GET", status: 501},
		{name: "GET 429", method: "GET", status: 429},
		{name: "POST 500 by hash", method: "POST", status: 500, strategy: balancer.ConsistentHash},
		{name: "gRPC UNKNOWN", grpc: "2"},
		{name: "gRPC INTERNAL", grpc: "13"},
	} {
		for _, instances := range []int{1, 2, 3} {
			t.Run(fmt.Sprint(kind.name, " ", instances), func(t *testing.T) {
				for _, share := range shares {
					synctest.Test(t, func(t *testing.T) {
						n := newNetwork([]string{"a:1", "b:1", "c:1"}[:instances]...)
						withBadURL(n, kind.status, kind.grpc)
						var m *mesh.Mesh
						if kind.grpc != "" {
							m = startGRPC(t, n, true)
						} else {
							m = start(t, n, registrytest.NewFake(n.endpoints()...), func(o *mesh.Options) {
								o.Services[0].Breaker = resilience.BreakerConfig{} // the defaults
								o.Services[0].Balancer = balancer.Config{Strategy: kind.strategy, Hash: balancer.HashConfig{Path: true}}
							})
						}
						r := rand.New(rand.NewPCG(1, uint64(share*100)))
						refused := 0
						const calls = 500 // 10 s at 50/s
						for i := range calls {
							time.Sleep(20 * time.Millisecond)
							c := get()
							if kind.grpc != "" {
								c = unary()
							} else if kind.method == "POST" {
								c = post()
							}
							bad := r.Float64() < share
							c.Path = fmt.Sprint("/orders/", i)
							if bad {
								c.Path = badURL
							}
							if got := send(m, c); !bad && (got.err != nil || got.status != 200) {
								refused++
								t.Logf("%v %v", got.status, got.err)
							}
						}
						if refused > 0 {
							t.Errorf("share %g: %d good calls of %d failed", share, refused, calls)
						}
						for _, e := range status(t, m).Endpoints { // the URL meets one of them always
							if kind.strategy == balancer.ConsistentHash && e.State != "closed" {
								t.Errorf("share %g: %s is %s: %s", share, e.Addr, e.State, e.Why)
							}
						}
					})
				}
			})
		}
	}
}

// An instance that answers badly to everything, while others do not, gets a few calls:
// some more if nothing is known of the others yet.
func TestAnInstanceThatOnlyAnswersBadlyIsTakenOut(t *testing.T) {
	for _, tt := range []struct {
		method string
		before int // good calls before
		most   int
	}{{"GET", 0, 6}, {"GET", 200, 4}, {"POST", 0, 10}, {"POST", 200, 4}} {
		t.Run(fmt.Sprint(tt.method, " after ", tt.before), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				n := all()
				m := start(t, n, registrytest.NewFake(n.endpoints()...), func(o *mesh.Options) {
					o.Services[0].Breaker = resilience.BreakerConfig{}
					o.Rand = seeded()
				})
				call := func() result {
					time.Sleep(20 * time.Millisecond)
					if tt.method == "POST" {
						return send(m, post())
					}
					return send(m, get())
				}
				for range tt.before {
					call()
				}
				a := n.instances["a:1"]
				a.set(func(i *instance) { i.status, i.calls = 500, 0 })
				bad := 0
				for range 50 {
					if r := call(); r.status != 200 {
						bad++
					}
				}
				s := status(t, m).Endpoints[0]
				if a.seen() > tt.most || s.State != "open" || tt.method == "GET" && bad > 0 {
					t.Errorf("it saw %d calls, and %d failed; %+v", a.seen(), bad, s)
				}
				if !strings.HasPrefix(s.Why, "answers worse than the others: ") || !strings.HasSuffix(s.Why, "the last: status 500") {
					t.Errorf("why: %s", s.Why)
				}
			})
		})
	}
}

func seeded() func() uint64 {
	var mu sync.Mutex
	r := rand.New(rand.NewPCG(1, 2))
	return func() uint64 {
		mu.Lock()
		defer mu.Unlock()
		return r.Uint64()
	}
}

// One call counts once against one endpoint, however often it is sent there again.
func TestOneCallCountsOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := newNetwork("a:1")
		n.instances["a:1"].set(func(i *instance) { i.status = 503 })
		m := start(t, n, registrytest.NewFake(n.endpoints()...), nil)
		synctest.Wait()
		for k := range 3 {
			if e := status(t, m).Endpoints[0]; e.State != "closed" || e.Failures != k {
				t.Fatalf("after %d calls: %+v", k, e)
			}
			if r := send(m, get()); r.status != 503 || k < 2 && r.call.Tries() != 3 {
				t.Fatalf("%d tries: %d %v", r.call.Tries(), r.status, r.err)
			}
		}
		if e := status(t, m).Endpoints[0]; e.State != "open" {
			t.Errorf("after three calls: %+v", e)
		}
	})
}

// stream is a GET whose answer's head comes at once and whose end does not.
func stream(t *testing.T, m *mesh.Mesh) (*lift.Response, *lift.Call) {
	t.Helper()
	c := get()
	c.Path = "/stream"
	c.Timeout = time.Hour
	resp, err := m.Call(c)
	if err != nil {
		t.Fatalf("the stream: %v", err)
	}
	return resp, c
}

// A good head gives the probe back, however long the answer goes on.
func TestAProbeThatStreamsHoldsNobodyUp(t *testing.T) {
	for _, instances := range []int{1, 2} {
		t.Run(fmt.Sprint(instances), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				n := newNetwork([]string{"a:1", "b:1"}[:instances]...)
				a := n.instances["a:1"]
				m := start(t, n, registrytest.NewFake(n.endpoints()...), nil)
				a.Kill()
				for range 10 {
					send(m, get())
				}
				if s := status(t, m).Endpoints[0]; s.State != "open" {
					t.Fatalf("%+v", s)
				}
				a.Revive()
				a.set(func(i *instance) { i.drip = true })
				time.Sleep(3 * time.Second)
				resp, c := stream(t, m)
				defer c.End()
				if got := c.Attempts(); !got[0].Probe || got[0].Endpoint.Addr != "a:1" {
					t.Fatalf("the stream was no probe: %+v", got)
				}
				a.set(func(i *instance) { i.drip = false })
				before := a.seen()
				for range 40 {
					if r := send(m, get()); r.err != nil {
						t.Fatalf("while the stream goes on: %v", r.err)
					}
				}
				if got := a.seen() - before; got < 3 {
					t.Errorf("the recovered one got %d of 40 calls", got)
				}
				_ = resp.Body.Close()
				if s := status(t, m).Endpoints[0]; s.State != "closed" {
					t.Errorf("after the stream's end: %+v", s)
				}
			})
		})
	}
}

// An instance that hangs from its first call on is found, though each caller gives up
// long before the attempt's time; a slow service with impatient callers is left alone.
func TestHungFromItsFirstCall(t *testing.T) {
	impatient := func() *lift.Call {
		c := get()
		c.Deadline = time.Now().Add(200 * time.Millisecond)
		return c
	}
	t.Run("one of two", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			n := newNetwork("a:1", "b:1")
			n.instances["a:1"].set(func(i *instance) { i.hung = make(chan struct{}) })
			n.instances["b:1"].set(func(i *instance) { i.serve = takes(5 * time.Millisecond) })
			m := start(t, n, registrytest.NewFake(n.endpoints()...), func(o *mesh.Options) { o.Rand = seeded() })
			failed := 0
			for range 60 {
				if r := send(m, impatient()); r.err != nil {
					failed++
				}
			}
			if s := status(t, m).Endpoints[0]; failed > 8 || s.State != "open" {
				t.Errorf("%d of 60 failed; %+v", failed, s)
			}
		})
	})
	t.Run("all are slow", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			n := newNetwork("a:1", "b:1")
			for _, i := range n.instances {
				i.serve = takes(300 * time.Millisecond)
			}
			m := start(t, n, registrytest.NewFake(n.endpoints()...), nil)
			for range 60 {
				send(m, impatient())
			}
			for _, e := range status(t, m).Endpoints {
				if e.State != "closed" {
					t.Errorf("%+v", e)
				}
			}
			for range 4 { // one patient caller in between teaches what is usual
				send(m, get())
				send(m, impatient())
			}
			if r := send(m, get()); r.err != nil {
				t.Error(r.err)
			}
		})
	})
}

func takes(d time.Duration) http.HandlerFunc {
	return func(_ http.ResponseWriter, r *http.Request) {
		select {
		case <-time.After(d):
		case <-r.Context().Done():
		}
	}
}

// A URL that is slower than its callers wait says nothing of an endpoint that answers
// others meanwhile, even where it is the only one.
func TestASlowURLOpensNoEndpointThatLives(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := newNetwork("a:1")
		n.instances["a:1"].serve = func(w http.ResponseWriter, r *http.Request) {
			if r.URL.Path == badURL {
				takes(time.Hour)(w, r)
			}
		}
		m := start(t, n, registrytest.NewFake(n.endpoints()...), nil)
		for range 50 {
			done := make(chan struct{})
			c := get()
			c.Path, c.Deadline = badURL, time.Now().Add(3*time.Second)
			go func() {
				defer close(done)
				send(m, c)
			}()
			for range 10 {
				time.Sleep(100 * time.Millisecond)
				if r := send(m, get()); r.err != nil {
					t.Fatal(r.err)
				}
			}
			<-done
		}
	})
}

// The wait that a refusal tells of is never longer than was configured, whatever the
// clock does; and no jump of it, and no length of a stream, teaches a usual time.
func TestTheClockJumps(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := newNetwork("a:1")
		var jump atomicDuration
		m := start(t, n, registrytest.NewFake(n.endpoints()...), func(o *mesh.Options) {
			o.Now = func() lift.Instant {
				i := lift.Now()
				i.Wall = i.Wall.Add(jump.Load())
				return i
			}
		})
		a := n.instances["a:1"]
		a.set(func(i *instance) {
			i.serve = func(w http.ResponseWriter, r *http.Request) {
				jump.Store(time.Hour)
				takes(4*time.Millisecond)(w, r)
			}
		})
		send(m, get())
		a.set(func(i *instance) { i.serve = takes(4 * time.Millisecond) })
		for range 3 {
			send(m, get())
		}
		a.set(func(i *instance) { i.serve = nil; i.drip = true })
		resp, c := stream(t, m)
		time.Sleep(10 * time.Second)
		_ = resp.Body.Close()
		c.End()
		if s := status(t, m).Endpoints[0]; s.Usual > 10*time.Millisecond {
			t.Errorf("a jump or a stream taught a usual time of %v", s.Usual)
		}

		a.Kill()
		send(m, get())
		jump.Store(0) // an hour back
		r := send(m, get())
		if !errors.Is(r.err, lift.AllOpen) || !strings.Contains(r.err.Error(), "(next probe in 1") {
			t.Fatalf("%v", r.err)
		}
		if s := status(t, m); s.Endpoints[0].Until.Sub(s.At) > 1500*time.Millisecond {
			t.Errorf("out for %v from now", s.Endpoints[0].Until.Sub(s.At))
		}
		a.Revive()
		a.set(func(i *instance) { i.drip = false })
		time.Sleep(1500 * time.Millisecond)
		if r := send(m, get()); r.err != nil {
			t.Errorf("after its time: %v", r.err)
		}
	})
}

// Both instances were away, and one is back: calls find it long before the time for
// which it was to be left alone.
func TestAServiceThatIsBackIsFoundSoon(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := newNetwork("a:1", "b:1")
		m := start(t, n, registrytest.NewFake(n.endpoints()...), func(o *mesh.Options) {
			o.Services[0].Breaker = resilience.BreakerConfig{OpenFor: 4 * time.Second, OpenForMax: 4 * time.Second}
		})
		n.instances["a:1"].Kill()
		n.instances["b:1"].Kill()
		send(m, post())
		n.instances["a:1"].Revive()
		back := time.Now()
		refused := 0
		for send(m, post()).err != nil {
			refused++
			time.Sleep(22 * time.Millisecond) // 80 in 1.8 s
		}
		if took := time.Since(back); took > time.Second {
			t.Errorf("found after %v and %d calls", took, refused)
		}
	})
}
