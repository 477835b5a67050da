//go:build e2e && linux

package e2e_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/liftmesh/lift"
	"github.com/liftmesh/lift/balancer"
	"github.com/liftmesh/lift/mesh"
	"github.com/liftmesh/lift/registry/static"
	"github.com/liftmesh/lift/resilience"
	"github.com/liftmesh/lift/sdk"
)

// Calls through the sidecar go on while its upstreams are killed, hung and broken.
func TestStandaloneUpheavals(t *testing.T) {
	t.Parallel()
	trio := startTrio(t)
	s := startSidecar(t, fmt.Sprintf(`
services:
  orders:
    from: static
    endpoints: %s
    timeout: 3s
    attempt_timeout: 400ms
    balancer: {strategy: round_robin}
    breaker: {open_for: 300ms..1s}
`, endpoints(trio.addrs()...)))
	upheavals(t, s.dial(t), trio)
	for _, u := range trio {
		s.out.moved(u.Addr, "closed", "open")
		s.out.moved(u.Addr, "half_open", "closed")
	}
}

// The same SDK over the engine in process, through the same, with no sidecar.
func TestInProcessUpheavals(t *testing.T) {
	t.Parallel()
	trio := startTrio(t)
	var members []lift.Endpoint
	for _, addr := range trio.addrs() {
		members = append(members, lift.Endpoint{Addr: addr})
	}
	m := mesh.New(mesh.Options{Services: []mesh.ServiceConfig{{
		Name:           "orders",
		Registry:       static.New(members),
		Timeout:        3 * time.Second,
		AttemptTimeout: 400 * time.Millisecond,
		Balancer:       balancer.Config{Strategy: balancer.RoundRobin},
		Breaker:        resilience.BreakerConfig{OpenFor: 300 * time.Millisecond, OpenForMax: time.Second},
	}}})
	t.Cleanup(m.Close)
	upheavals(t, sdk.New(m), trio)
}

// trio is three instances of one service, processes of their own.
type trio []*upstream

func startTrio(t *testing.T) trio {
	t.Helper()
	return startUpstreams(t, nil, "A", "B", "C")
}

func (tr trio) addrs() (all []string) {
	for _, u := range tr {
		all = append(all, u.Addr)
	}
	return all
}

// upheavals has each instance fail in a way of its own while calls go on, and
// come back. No GET may fail, and a POST only in a way that says what it means.
func upheavals(t *testing.T, client *sdk.Client, instances trio) {
	t.Helper()
	load := startLoad(t, client)
	for i, u := range instances {
		load.servedBy(t, u, "before anything has happened")
		down, up := u.Kill, u.Start
		switch i {
		case 1:
			down, up = u.Hang, u.Continue
		case 2:
			down, up = func() { u.Status(http.StatusServiceUnavailable) }, func() { u.Status(http.StatusOK) }
		}
		down()
		load.skips(t, u)
		up()
		load.servedBy(t, u, "after its return")
	}
	load.stop(t)
	// All of them: calls fail, at once and in words, and go on once they can.
	for _, u := range instances {
		u.Kill()
	}
	var err error
	waitFor(t, "calls are refused at once", func() bool {
		began := time.Now()
		_, err = sdk.Get[answer](within(t, patience), client, "orders", "/")
		return errors.Is(err, lift.AllOpen) && time.Since(began) < time.Second
	})
	if e, ok := errors.AsType[*lift.Error](err); !ok || e.Reached != lift.NotReached || !strings.Contains(err.Error(), "3 endpoints") {
		t.Errorf("all are dead; the error is %v", err)
	}
	for _, u := range instances {
		u.Start()
	}
	waitFor(t, "a call goes well again", func() bool {
		_, err = sdk.Get[answer](within(t, patience), client, "orders", "/")
		return err == nil
	})
}

// answer is what an instance says of itself.
type answer struct {
	Instance string `json:"instance"`
}

// load is calls that go on beside a test.
type load struct {
	cancel context.CancelFunc
	work   sync.WaitGroup

	gets, posts atomic.Int64
	mu          sync.Mutex
	served      map[string]int64 // answers by instance
	wrong       []string         // what must not have happened
}

func startLoad(t *testing.T, client *sdk.Client) *load {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	l := &load{cancel: cancel, served: map[string]int64{}}
	t.Cleanup(func() { l.stop(t) })
	for range 3 {
		l.work.Go(func() {
			l.run(ctx, &l.gets, func() (answer, error) { return sdk.Get[answer](ctx, client, "orders", "/") }, noFailure)
		})
	}
	l.work.Go(func() {
		l.run(ctx, &l.posts, func() (answer, error) { return sdk.Post[answer](ctx, client, "orders", "/", answer{}) }, honestFailure)
	})
	return l
}

func (l *load) run(ctx context.Context, count *atomic.Int64, call func() (answer, error), judge func(error) string) {
	for ctx.Err() == nil {
		got, err := call()
		if ctx.Err() != nil {
			return
		}
		count.Add(1)
		l.mu.Lock()
		if err == nil {
			l.served[got.Instance]++
		} else if wrong := judge(err); wrong != "" {
			l.wrong = append(l.wrong, wrong)
		}
		l.mu.Unlock()
		time.Sleep(5 * time.Millisecond)
	}
}

// noFailure is what a GET may die of while an instance is well.
func noFailure(err error) string { return "GET: " + err.Error() }

// honestFailure: a POST is never sent twice, so it fails where an instance may
// have acted, and says that, or brings the instance's own 503.
func honestFailure(err error) string {
	if e, ok := errors.AsType[*lift.Error](err); ok && e.Reached == lift.MayHaveActed {
		return ""
	}
	if e, ok := errors.AsType[*sdk.StatusError](err); ok && e.Status == http.StatusServiceUnavailable {
		return ""
	}
	return "POST: " + err.Error()
}

// stop ends the load and tells what went wrong in it. Stopping twice does nothing.
func (l *load) stop(t *testing.T) {
	l.cancel()
	l.work.Wait()
	l.mu.Lock()
	defer l.mu.Unlock()
	for i, w := range l.wrong {
		if i == 5 {
			t.Errorf("... %d in all", len(l.wrong))
			break
		}
		t.Error(w)
	}
	if l.wrong = nil; l.served != nil {
		t.Logf("%d GETs, %d POSTs, answers by instance: %v", l.gets.Load(), l.posts.Load(), l.served)
		l.served = nil
	}
}

func (l *load) count(u *upstream) int64 {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.served[u.Name]
}

// servedBy waits until the instance answers calls.
func (l *load) servedBy(t *testing.T, u *upstream, when string) {
	t.Helper()
	from := l.count(u)
	waitFor(t, "instance "+u.Name+" serves "+when, func() bool { return l.count(u) >= from+5 })
}

// skips waits until calls have long gone elsewhere: to each of the others, and
// enough of them for the breaker to have probed once.
func (l *load) skips(t *testing.T, u *upstream) {
	t.Helper()
	gets := l.gets.Load()
	began := time.Now()
	waitFor(t, "GETs go on without instance "+u.Name, func() bool {
		return l.gets.Load() >= gets+100 && time.Since(began) > 700*time.Millisecond
	})
}
