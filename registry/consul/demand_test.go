package consul

import (
	"net/http"
	"testing"
	"testing/synctest"
	"time"
)

func freezes(c *Config) { c.Freezes = true }

// freeze lets d pass by the wall clock alone.
func (f *fake) freeze(d time.Duration) { f.change(func() { f.skew += d }) }

func TestReadsOnlyWhenNeededAndSeldom(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFake(t, a("x")...)
		r := f.client(t, freezes).Registry(Source{})
		w := follow(t, r, "orders")
		f.set(a("y")...)
		time.Sleep(time.Hour) // nobody needs it
		f.wantTimes(t, 0)
		r.Needed("another")
		f.wantTimes(t, 0)
		began := time.Since(f.began)
		for range 65 { // an invocation that is a minute long
			r.Needed("orders")
			time.Sleep(s)
		}
		f.wantTimes(t, 0, began, began+30*s, began+60*s)
		f.freeze(time.Hour)
		synctest.Wait()
		f.wantTimes(t, 0, began, began+30*s, began+60*s)
		r.Needed("orders")
		f.wantTimes(t, 0, began, began+30*s, began+60*s, began+65*s)
		w.want(t, "x", "y")
		for _, q := range f.asked {
			if q.query.Has("index") || q.query.Has("wait") || !q.query.Has("stale") {
				t.Errorf("asked %+v", q)
			}
		}
	})
}

func TestJitterWhereEnvironmentsFreeze(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFake(t, a("x")...)
		r := f.client(t, func(c *Config) { c.Freezes, c.Rand = true, func() uint64 { return 1 << 63 } }).Registry(Source{})
		follow(t, r, "orders")
		for range 40 {
			time.Sleep(s)
			r.Needed("orders")
		}
		f.wantTimes(t, 0, 35*s)
	})
}

// While calls wait for a first set it is tried for, and no longer.
func TestFirstSetWhereEnvironmentsFreeze(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFake(t, a("x")...)
		f.fails(500, "")
		r := f.client(t, freezes).Registry(Source{})
		w := follow(t, r, "orders")
		time.Sleep(time.Minute)
		f.wantTimes(t, 0, s/2, s/2+s, s/2+3*s, 6*s, 8500*time.Millisecond)
		f.change(func() { f.answer = nil })
		r.Needed("orders")
		e := "error: "
		w.want(t, e, e, e, e, e, e, "x")
	})
}

// A read that a freeze cuts in two says nothing of Consul, and does not hold up
// the next one.
func TestFreezeInsideARead(t *testing.T) {
	for _, monoStands := range []bool{true, false} {
		synctest.Test(t, func(t *testing.T) {
			f := newFake(t, a("x")...)
			hang := func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() }
			f.answer = hang
			r := f.client(t, freezes).Registry(Source{})
			w := follow(t, r, "orders")
			f.change(func() { f.answer = nil })
			if monoStands {
				f.freeze(time.Hour)
			} else {
				time.Sleep(4 * s) // short of the read's limit
				f.freeze(3 * s)
			}
			r.Needed("orders")
			w.want(t, "x")
			if n := len(f.times()); n != 2 {
				t.Errorf("asked %d times", n)
			}
		})
	}
}

// 200 environments that are frozen hold nothing at Consul: no query, no
// connection. Those that do not freeze hold one query each.
func TestFrozenEnvironmentsHoldNothingOpen(t *testing.T) {
	const environments = 200
	for name, tt := range map[string]struct {
		change func(*Config)
		held   int
	}{"frozen": {freezes, 0}, "running": {nil, environments}} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				f := newFake(t, a("x", "y")...)
				var all []*Registry
				var told []*follower
				for range environments {
					r := f.client(t, tt.change).Registry(Source{})
					all, told = append(all, r), append(told, follow(t, r, "orders"))
				}
				look := func(when string) {
					t.Helper()
					synctest.Wait()
					f.mu.Lock()
					defer f.mu.Unlock()
					if f.out != tt.held || f.held != tt.held || f.open != tt.held {
						t.Errorf("%s: %d requests and %d connections are open, want %d", when, f.out, f.open, tt.held)
					}
				}
				look("after init")
				f.freeze(time.Hour)
				f.set(a("z")...)
				for _, r := range all { // each is thawed by an invocation
					r.Needed("orders")
				}
				look("after an invocation")
				for _, w := range told {
					w.want(t, "x y", "z")
				}
			})
		})
	}
}
