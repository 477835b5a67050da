package consul

import (
	"context"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/liftmesh/lift"
	"github.com/liftmesh/lift/registry/registrytest"
)

func TestContract(t *testing.T) {
	registrytest.RunInBubble(t, func(t *testing.T, first []lift.Endpoint) registrytest.Subject {
		f := newFake(t, first...)
		return registrytest.Subject{
			Registry: f.client(t, nil).Registry(Source{}),
			Update:   func(set []lift.Endpoint) { f.set(set...) },
			Fail:     func(err error) { f.fails(http.StatusInternalServerError, err.Error()) },
		}
	})
}

// follower keeps what a watch tells.
type follower struct {
	mu   sync.Mutex
	told []string
}

func follow(t *testing.T, r *Registry, service string) *follower {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	w, done := &follower{}, make(chan struct{})
	go func() {
		defer close(done)
		for set, err := range r.Watch(ctx, service) {
			s := "nobody"
			if err != nil {
				s = "error: " + err.Error()
			}
			for i, ep := range set {
				if i == 0 {
					s = ""
				}
				s += ep.ID + " "
			}
			w.mu.Lock()
			w.told = append(w.told, s)
			w.mu.Unlock()
		}
	}()
	t.Cleanup(func() { cancel(); <-done })
	synctest.Wait()
	return w
}

func (w *follower) want(t *testing.T, want ...string) {
	t.Helper()
	synctest.Wait()
	w.mu.Lock()
	defer w.mu.Unlock()
	if len(w.told) != len(want) {
		t.Fatalf("told %q, want %q", w.told, want)
	}
	for i := range want {
		if !strings.HasPrefix(w.told[i], want[i]) {
			t.Fatalf("told %q, want %q", w.told, want)
		}
	}
}

func (f *fake) wantTimes(t *testing.T, want ...time.Duration) {
	t.Helper()
	synctest.Wait()
	if got := f.times(); !slices.Equal(got, want) {
		t.Fatalf("asked at %v, want %v", got, want)
	}
}

const s = time.Second

func a(ids ...string) (set []lift.Endpoint) {
	for i, id := range ids {
		set = append(set, lift.Endpoint{ID: id, Addr: fmt.Sprintf("10.0.0.%d:80", i+1)})
	}
	return set
}

func TestBlocks(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFake(t, a("x")...)
		w := follow(t, f.client(t, nil).Registry(Source{}), "orders")
		f.wantTimes(t, 0, 0) // one to know, one that waits
		if f.held != 1 {
			t.Fatalf("%d queries wait", f.held)
		}
		time.Sleep(100 * s)
		f.set(a("x", "y")...)
		w.want(t, "x", "x y")
		f.wantTimes(t, 0, 0, 100*s)
		time.Sleep(300 * s) // it comes back with nothing new: no set is told
		f.wantTimes(t, 0, 0, 100*s, 400*s)
		w.want(t, "x", "x y")
		q := f.asked[1].query
		if q.Get("index") != "7" || q.Get("wait") != "300000ms" || !q.Has("stale") || q.Get("passing") != "1" || f.asked[2].query.Get("index") != "8" {
			t.Errorf("asked %+v", f.asked)
		}
	})
}

// A return is no proof of a change, and a service that changes all the time is
// not asked after all the time.
func TestLoopsAreLimited(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFake(t, a("x")...)
		f.index = 0 // does not block: an index that is not kept at 1 loops
		w := follow(t, f.client(t, nil).Registry(Source{}), "orders")
		time.Sleep(s)
		f.change(func() { f.index = 100 })
		for range 600 {
			f.change(func() { f.index++; f.stir() })
			time.Sleep(s / 10)
		}
		if n := len(f.times()); n > 4+2*61/5+2 {
			t.Errorf("%d queries in a minute", n)
		}
		w.want(t, "x")
	})
}

func TestIndexThatGoesBack(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFake(t, a("x")...)
		w := follow(t, f.client(t, nil).Registry(Source{}), "orders")
		f.change(func() { f.index, f.entries = 3, entriesOf(a("y")); f.stir() })
		synctest.Wait()
		f.set(a("z")...)
		w.want(t, "x", "y", "z")
		for i, want := range []string{"", "7", "", "3"} {
			if got := f.asked[i].query.Get("index"); got != want {
				t.Errorf("request %d asked with index %q, want %q", i, got, want)
			}
		}
	})
}

// An agent that streams names no leader when the last instance goes.
func TestNobodyWithoutALeader(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFake(t, a("x")...)
		w := follow(t, f.client(t, nil).Registry(Source{}), "orders")
		f.streams = true
		f.set()
		w.want(t, "x", "nobody")
		f.set(a("y")...)
		w.want(t, "x", "nobody", "y")
	})
}

// A Consul that begins anew while a watch waits for its bucket is not asked with the
// old one's index, on which it would block for minutes.
func TestConsulBeginsAnewBetweenTwoQuestions(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFake(t, a("x")...)
		f.index = 1000
		w := follow(t, f.client(t, nil).Registry(Source{}), "orders")
		for range 5 {
			f.set(a("y")...)
			synctest.Wait()
		}
		f.change(func() { f.index, f.entries = 3, entriesOf(a("z")) })
		time.Sleep(6 * s)
		w.want(t, "x", "y", "z")
	})
}

func TestBacksOffAndComesBack(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFake(t, a("x")...)
		w := follow(t, f.client(t, nil).Registry(Source{}), "orders")
		f.fails(500, "rpc error")
		time.Sleep(20 * s) // half of 1, 2, 4, 8, 16 s as there is no luck
		f.wantTimes(t, 0, 0, s/2, s/2+s, s/2+3*s, s/2+7*s, s/2+15*s)
		f.change(func() { f.answer = nil })
		time.Sleep(15 * s)
		synctest.Wait()
		e := `error: consul at http://127.0.0.1:8500 answers 500 "rpc error"`
		w.want(t, "x", e, e, e, e, e, e, "x")
	})
}

func TestFirstSetIsTriedForSooner(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFake(t)
		f.fails(500, "")
		follow(t, f.client(t, nil).Registry(Source{}), "orders")
		time.Sleep(14 * s)
		f.wantTimes(t, 0, s/2, s/2+s, s/2+3*s, 6*s, 8500*time.Millisecond, 11*s, 13500*time.Millisecond)
	})
}

func TestPreparedQueryIsPolled(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFake(t, a("x")...)
		w := follow(t, f.client(t, nil).Registry(Source{Query: true, Datacenter: "dc2"}), "near-orders")
		time.Sleep(9 * s)
		f.set(a("y")...)
		time.Sleep(8 * s)
		f.wantTimes(t, 0, 8*s, 16*s)
		w.want(t, "x", "y")
		if got := f.asked[0]; got.path != "/v1/query/near-orders/execute" || got.query.Get("dc") != "dc2" || got.query.Has("index") {
			t.Errorf("asked %+v", got)
		}
	})
}

func TestOptionsArePassedOn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFake(t, a("x")...)
		c := f.client(t, func(c *Config) {
			c.Address, c.Token = "consul.internal/behind/", Token{Value: "secret"}
			c.Datacenter, c.Namespace, c.Partition, c.Wait = "dc1", "ns1", "p1", time.Minute
		})
		follow(t, c.Registry(Source{Tags: []string{"v2", "eu"}}), "orders")
		follow(t, c.Registry(Source{Datacenter: "dc2", Namespace: "ns2", Partition: "p2"}), "orders")
		f.mu.Lock()
		defer f.mu.Unlock()
		one, two := f.asked[0], f.asked[2]
		if one.path != "/behind/v1/health/service/orders" || one.token != "secret" || !slices.Equal(one.query["tag"], []string{"v2", "eu"}) ||
			one.query.Get("dc") != "dc1" || one.query.Get("ns") != "ns1" || one.query.Get("partition") != "p1" || f.asked[1].query.Get("wait") != "60000ms" {
			t.Errorf("asked %+v, then %+v", one, f.asked[1])
		}
		if two.query.Get("dc") != "dc2" || two.query.Get("ns") != "ns2" || two.query.Get("partition") != "p2" || two.query.Has("tag") {
			t.Errorf("asked %+v", two)
		}
	})
}

// After a watch nothing is left: no goroutine, no connection.
func TestNothingIsLeft(t *testing.T) {
	for name, c := range map[string]func(*Config){"blocking": nil, "freezing": func(c *Config) { c.Freezes = true }} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				f := newFake(t, a("x")...)
				r := f.client(t, c).Registry(Source{})
				ctx, cancel := context.WithCancel(t.Context())
				done := make(chan struct{})
				go func() {
					defer close(done)
					for range r.Watch(ctx, "orders") {
					}
				}()
				synctest.Wait()
				cancel()
				<-done
				synctest.Wait()
				if f.open != 0 || f.out != 0 || len(r.watches) != 0 {
					t.Errorf("%d connections, %d requests, %d watches are left", f.open, f.out, len(r.watches))
				}
			})
		})
	}
}
