package transport_test

import (
	"context"
	"errors"
	"net"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/liftmesh/lift"
	"github.com/liftmesh/lift/transport"
)

// slow answers after d, each time.
func slow(d time.Duration) peer {
	return func(u *upstream, c conn, r reader) {
		for {
			if _, ok := u.request(r); !ok {
				return
			}
			time.Sleep(d)
			if _, err := c.Write([]byte(okAnswer)); err != nil {
				return
			}
		}
	}
}

// A full pool serves who came first, over the connections that it has.
func TestFullPoolIsFair(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, slow(100*time.Millisecond), transport.Config{MaxConnections: 2})
		var mu sync.Mutex
		var order []int
		var wg sync.WaitGroup
		for i := range 8 {
			method := "GET"
			if i%3 == 0 {
				method = "POST"
			}
			wg.Go(func() {
				b.mustCall(t, method)
				mu.Lock()
				defer mu.Unlock()
				order = append(order, i)
			})
			synctest.Wait()
			if s := b.Stats(); s.Open > 2 {
				t.Fatalf("over the limit: %+v", s)
			}
		}
		began := time.Now()
		wg.Wait()
		if got := time.Since(began); got != 400*time.Millisecond || b.up.dials() != 2 {
			t.Errorf("took %s over %d connections", got, b.up.dials())
		}
		for i, n := range order {
			if n/2 != i/2 { // two at once
				t.Fatalf("served in the order %v", order)
			}
		}
	})
}

// A call that waits in vain is told of the limit when the wait or its time is over. It
// reached nobody, and leaves no gap.
func TestWaitingIsCut(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, slow(3*time.Second), transport.Config{MaxConnections: 1})
		first := b.call("GET", nil)
		first.Timeout, first.Deadline = 0, first.Call.Deadline
		done := make(chan error)
		go func() {
			_, err := b.RoundTrip(first)
			done <- err
		}()
		synctest.Wait()
		for _, tt := range []struct{ left, want time.Duration }{{10 * time.Second, time.Second}, {300 * time.Millisecond, 300 * time.Millisecond}} {
			late := b.call("GET", nil)
			late.Call.Deadline = late.Began.Wall.Add(tt.left)
			began := time.Now()
			_, err := b.RoundTrip(late)
			wantError(t, err, lift.Busy)
			if !strings.Contains(err.Error(), "all 1 connections") || !strings.Contains(err.Error(), "connections.max") {
				t.Errorf("got %v", err)
			}
			if late.Reached != lift.NotReached || late.Queued != tt.want || time.Since(began) != tt.want {
				t.Errorf("reached %s, queued %s of %s", late.Reached, late.Queued, time.Since(began))
			}
		}
		gone := b.call("GET", nil)
		time.AfterFunc(time.Millisecond, func() { gone.Cancel(nil) })
		_, err := b.RoundTrip(gone)
		wantError(t, err, lift.CallCanceled)
		if err := <-done; err != nil {
			t.Fatal(err)
		}
		b.up.set(false, healthy)
		synctest.Wait()
		if s := b.Stats(); s.InUse != 0 {
			t.Errorf("left: %+v", s)
		}
	})
}

// When its connection dies, a waiting call gets the permit.
func TestWaiterGetsPermitOfTheDead(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, func(u *upstream, _ conn, r reader) {
			u.request(r)
			time.Sleep(100 * time.Millisecond)
		}, transport.Config{MaxConnections: 1})
		done := make(chan error)
		go func() {
			_, err := b.RoundTrip(b.call("POST", nil))
			done <- err
		}()
		synctest.Wait()
		b.up.set(false, healthy)
		b.mustCall(t, "POST")
		wantError(t, <-done, lift.Unavailable)
	})
}

func TestIdleConnectionsAreFew(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, slow(time.Millisecond), transport.Config{MaxIdleConnections: 3})
		var wg sync.WaitGroup
		for range 10 {
			wg.Go(func() { b.mustCall(t, "GET") })
		}
		wg.Wait()
		synctest.Wait()
		if s := b.Stats(); s.Open != 3 || s.Idle != 3 {
			t.Errorf("got %+v", s)
		}
	})
}

// Connections are used last in, first out, so that what is not needed ages.
func TestLIFO(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, healthy, transport.Config{})
		if err := b.Warm(t.Context(), 2); err != nil {
			t.Fatal(err)
		}
		for range 40 { // the one not used grows old while the other carries all
			time.Sleep(2 * time.Second)
			b.mustCall(t, "POST")
		}
		synctest.Wait()
		if s := b.Stats(); s.Open != 1 || b.up.dials() != 2 {
			t.Errorf("%+v after %d dials", s, b.up.dials())
		}
	})
}

func TestWarm(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, healthy, transport.Config{MaxIdleConnections: 4})
		for _, step := range []struct{ warm, dials int }{{2, 2}, {2, 2}, {3, 3}, {100, 4}} {
			if err := b.Warm(t.Context(), step.warm); err != nil {
				t.Fatal(err)
			}
			if b.up.dials() != step.dials || b.Stats().Idle != step.dials {
				t.Errorf("warm %d: %d dials, %+v", step.warm, b.up.dials(), b.Stats())
			}
		}
		if c := b.mustCall(t, "POST"); c.Fresh {
			t.Error("a warm connection was not used")
		}
		b.clock.jump(time.Minute, 0)
		if err := b.Warm(t.Context(), 1); err != nil || b.Stats().Open != 1 {
			t.Errorf("after a freeze: %v, %+v", err, b.Stats())
		}
		b.up.set(true, nil)
		wantError(t, b.Warm(t.Context(), 3), lift.Unavailable)
	})
}

func TestThaw(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, healthy, transport.Config{})
		if err := b.Warm(t.Context(), 3); err != nil {
			t.Fatal(err)
		}
		b.Thaw()
		if s := b.Stats(); s.Idle != 3 {
			t.Errorf("healthy ones went: %+v", s)
		}
		b.clock.jump(time.Minute, 0)
		b.Thaw()
		if s := b.Stats(); s.Open != 0 {
			t.Errorf("old ones stayed: %+v", s)
		}
	})
}

func TestClose(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, slow(100*time.Millisecond), transport.Config{})
		if err := b.Warm(t.Context(), 2); err != nil {
			t.Fatal(err)
		}
		done := make(chan struct{})
		go func() { defer close(done); b.mustCall(t, "GET") }()
		synctest.Wait()
		b.Close()
		b.Close()
		if s := b.Stats(); s.Open != 1 {
			t.Errorf("the call in flight has to go on, and idle ones to go: %+v", s)
		}
		c := b.call("GET", nil)
		_, err := b.RoundTrip(c)
		wantError(t, err, lift.Unavailable)
		<-done
		synctest.Wait()
		if s := b.Stats(); s.Open != 0 {
			t.Errorf("left: %+v", s)
		}
	})
}

// Pools share the process's descriptors: an idle connection makes room.
func TestSlots(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		up, clock := &upstream{next: slow(100 * time.Millisecond)}, newClock()
		slots := transport.NewSlots(2, 1)
		var pools []*transport.Pool
		for range 3 {
			p := transport.NewPool("x:1", transport.Options{Now: clock.now, Dial: up.dial, Slots: slots})
			pools = append(pools, p)
		}
		call := func(p *transport.Pool, method string) error {
			now := clock.now()
			resp, err := p.RoundTrip(tryOf(&lift.Call{Method: method, Deadline: now.Wall.Add(time.Second)}))
			if err == nil {
				_, err = resp.Body.ReadAll(0)
			}
			return err
		}
		for _, p := range pools {
			if err := call(p, "POST"); err != nil {
				t.Fatal(err)
			}
			time.Sleep(time.Millisecond)
		}
		if a, b, c := pools[0].Stats().Open, pools[1].Stats().Open, pools[2].Stats().Open; a != 0 || b != 1 || c != 1 {
			t.Errorf("the oldest has to go: %d %d %d", a, b, c)
		}
		// More at once than there are descriptors: all get their turn.
		var wg sync.WaitGroup
		for range 5 {
			for _, p := range pools {
				wg.Go(func() {
					if err := call(p, "POST"); err != nil {
						t.Error(err)
					}
				})
			}
		}
		wg.Wait()
		// A doubtful connection, and no descriptor for one beside it.
		clock.jump(10*time.Second, 0)
		for _, p := range pools {
			wg.Go(func() {
				if err := call(p, "GET"); err != nil {
					t.Error(err)
				}
			})
		}
		wg.Wait()
		for _, p := range pools {
			p.Close()
		}
		synctest.Wait()
		for _, p := range pools {
			if s := p.Stats(); s.Open != 0 {
				t.Errorf("left: %+v", s)
			}
		}
		up.close()
	})
}

// No more connects are under way at once than the slots allow.
func TestConnectsAtOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var now, most atomic.Int64
		p := transport.NewPool("x:1", transport.Options{
			Slots: transport.NewSlots(0, 0),
			Dial: func(ctx context.Context, _, _ string) (net.Conn, error) {
				n := now.Add(1)
				defer now.Add(-1)
				for m := most.Load(); n > m && !most.CompareAndSwap(m, n); m = most.Load() {
				}
				time.Sleep(10 * time.Millisecond)
				return nil, errors.New("no")
			},
		})
		_ = p.Warm(t.Context(), 0)
		var wg sync.WaitGroup
		for range 20 {
			wg.Go(func() { _, _ = p.RoundTrip(tryOf(&lift.Call{})) })
		}
		wg.Wait()
		if most.Load() != transport.DefaultConnects {
			t.Errorf("%d connects at once, want %d", most.Load(), transport.DefaultConnects)
		}
	})
}

// A dial that panics fails what waits for it, and costs no permit.
func TestPanickingDial(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		up, clock, panics := &upstream{next: onceThen(resetting)}, newClock(), false
		p := transport.NewPool("x:1", transport.Options{
			Now: clock.now,
			Dial: func(ctx context.Context, network, addr string) (net.Conn, error) {
				if panics {
					panic("boom")
				}
				return up.dial(ctx, network, addr)
			},
		})
		if _, err := p.RoundTrip(tryOf(&lift.Call{})); err != nil {
			t.Fatal(err)
		}
		clock.jump(10*time.Second, 0)
		panics = true
		_, err := p.RoundTrip(tryOf(&lift.Call{Deadline: clock.now().Wall.Add(time.Second)})) // the dial beside it panics, then it is reset
		wantError(t, err, lift.Internal)
		if err := p.Warm(t.Context(), 1); err == nil {
			t.Error("warmed by a panic")
		}
		synctest.Wait()
		if s := p.Stats(); s.Open != 0 {
			t.Errorf("left: %+v", s)
		}
		p.Close()
		up.close()
	})
}
