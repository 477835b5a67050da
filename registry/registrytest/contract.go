// Package registrytest holds the contract that every registry keeps, and a fake
// that keeps it.
package registrytest

import (
	"context"
	"errors"
	"iter"
	"runtime"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/liftmesh/lift"
	"github.com/liftmesh/lift/registry"
)

// Subject is a registry under test and the ways to move what it tells.
type Subject struct {
	Registry registry.Registry
	// Update changes the set that is told; nil if it never changes.
	Update func([]lift.Endpoint)
	// Fail makes the source fail with an error until the next Update; nil if it
	// cannot fail.
	Fail func(error)
}

// Limit is how long a real registry may take to tell of a change.
const Limit = 10 * time.Second

// Build makes a new subject that tells of first under the service name "orders".
type Build func(t *testing.T, first []lift.Endpoint) Subject

// Run checks the contract.
func Run(t *testing.T, build Build) {
	t.Helper()
	for _, p := range promises() {
		t.Run(p.name, func(t *testing.T) { p.check(t, build) })
	}
}

// RunInBubble checks the contract with a bubble of [synctest.Test] for each of
// its promises, where waits take no time.
func RunInBubble(t *testing.T, build Build) {
	t.Helper()
	for _, p := range promises() {
		t.Run(p.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) { p.check(t, build) })
		})
	}
}

// promise is one part of the contract.
type promise struct {
	name  string
	check func(t *testing.T, build Build)
}

func promises() []promise {
	first := func() []lift.Endpoint {
		return []lift.Endpoint{{ID: "a", Addr: "127.0.0.1:1"}, {ID: "b", Addr: "127.0.0.1:2", Weight: 2}}
	}
	return []promise{
		{"complete set at once", func(t *testing.T, build Build) {
			w := watch(t, build(t, first()).Registry)
			w.wantSet(t, first())
		}},
		{"ends with its context", func(t *testing.T, build Build) {
			w := watch(t, build(t, first()).Registry)
			w.wantSet(t, first())
			w.cancel()
			w.wantEnd(t)
		}},
		{"a context that has ended yields no set for long", func(t *testing.T, build Build) {
			ctx, cancel := context.WithCancel(context.Background())
			cancel()
			n := 0
			for range build(t, first()).Registry.Watch(ctx, "orders") {
				if n++; n > 2 {
					t.Fatal("the watch goes on after its context has ended")
				}
			}
		}},
		{"ends when the loop breaks", func(t *testing.T, build Build) {
			for set, err := range build(t, first()).Registry.Watch(t.Context(), "orders") {
				if err != nil || len(set) != len(first()) {
					t.Fatalf("got %v, %v", set, err)
				}
				break
			}
		}},
		{"leaves no goroutine", leavesNone},
		{"the set belongs to the receiver", func(t *testing.T, build Build) {
			r := build(t, first()).Registry
			for set := range r.Watch(t.Context(), "orders") {
				set[0].Addr = "changed"
				break
			}
			watch(t, r).wantSet(t, first())
		}},
		{"two watches at the same time", func(t *testing.T, build Build) {
			r := build(t, first()).Registry
			a, b := watch(t, r), watch(t, r)
			a.wantSet(t, first())
			b.wantSet(t, first())
		}},
		{"full sets after a change, an empty one too", func(t *testing.T, build Build) {
			s := build(t, first())
			if s.Update == nil {
				return
			}
			w := watch(t, s.Registry)
			w.wantSet(t, first())
			for _, set := range [][]lift.Endpoint{first()[:1], {}, first()} {
				s.Update(set)
				w.wantSet(t, set)
			}
		}},
		{"updates that come faster than they are taken coalesce", func(t *testing.T, build Build) {
			s := build(t, first())
			if s.Update == nil {
				return
			}
			w := watch(t, s.Registry) // which takes one and then waits
			const updates = 50
			for i := range updates {
				s.Update(first()[:i%2])
			}
			s.Update(first()[1:])
			if n := w.wantSet(t, first()[1:]); n > updates/2 {
				t.Fatalf("of %d updates that nobody waited for, %d were told, one after the other", updates, n)
			}
		}},
		{"an error comes with a nil set and ends nothing", func(t *testing.T, build Build) {
			s := build(t, first())
			if s.Fail == nil {
				return
			}
			w := watch(t, s.Registry)
			w.wantSet(t, first())
			s.Fail(errors.New("the source is gone"))
			w.wantError(t)
			s.Update(first()[:1])
			w.wantSet(t, first()[:1])
		}},
	}
}

// leavesNone checks that what a watch has started ends with it.
func leavesNone(t *testing.T, build Build) {
	r := build(t, []lift.Endpoint{{ID: "a", Addr: "127.0.0.1:1"}}).Registry
	before := runtime.NumGoroutine()
	for range 3 {
		for range r.Watch(t.Context(), "orders") {
			break
		}
	}
	limit := time.After(Limit)
	for runtime.NumGoroutine() > before {
		select {
		case <-time.After(time.Millisecond):
		case <-limit:
			t.Fatalf("%d goroutines are left of 3 watches", runtime.NumGoroutine()-before)
		}
	}
}

type told struct {
	set []lift.Endpoint
	err error
}

type watcher struct {
	cancel context.CancelFunc
	told   chan told
}

func watch(t *testing.T, r registry.Registry) *watcher {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	w := &watcher{cancel: cancel, told: make(chan told, 1)}
	seq := r.Watch(ctx, "orders")
	go w.run(ctx, seq)
	t.Cleanup(func() {
		cancel()
		w.wantEnd(t)
	})
	return w
}

func (w *watcher) run(ctx context.Context, seq iter.Seq2[[]lift.Endpoint, error]) {
	defer close(w.told)
	for set, err := range seq {
		select {
		case w.told <- told{set, err}:
		case <-ctx.Done():
			return
		}
	}
}

// wantSet reads on, past errors and repeated sets, until want is told, and returns
// how much was.
func (w *watcher) wantSet(t *testing.T, want []lift.Endpoint) (n int) {
	t.Helper()
	w.until(t, "set", func(got told) bool {
		n++
		return got.err == nil && got.set != nil && sameSet(got.set, want)
	})
	return n
}

func (w *watcher) wantError(t *testing.T) {
	t.Helper()
	w.until(t, "error", func(got told) bool {
		if got.err != nil && got.set != nil {
			t.Fatalf("an error came with a set: %v, %v", got.set, got.err)
		}
		return got.err != nil
	})
}

func (w *watcher) wantEnd(t *testing.T) {
	t.Helper()
	limit := time.After(Limit)
	for {
		select {
		case _, ok := <-w.told:
			if !ok {
				return
			}
		case <-limit:
			t.Fatal("the watch does not end")
		}
	}
}

func (w *watcher) until(t *testing.T, what string, match func(told) bool) {
	t.Helper()
	limit := time.After(Limit)
	for {
		select {
		case got, ok := <-w.told:
			if !ok {
				t.Fatalf("the watch ended before the %s came", what)
			}
			if match(got) {
				return
			}
		case <-limit:
			t.Fatalf("no %s within %s", what, Limit)
		}
	}
}

func sameSet(a, b []lift.Endpoint) bool {
	if len(a) != len(b) {
		return false
	}
	a, b = slices.Clone(a), slices.Clone(b)
	order := func(x, y lift.Endpoint) int {
		if x.Key() < y.Key() {
			return -1
		}
		return 1
	}
	slices.SortFunc(a, order)
	slices.SortFunc(b, order)
	return slices.EqualFunc(a, b, func(x, y lift.Endpoint) bool {
		return x.Key() == y.Key() && x.Addr == y.Addr && max(x.Weight, 1) == max(y.Weight, 1)
	})
}
