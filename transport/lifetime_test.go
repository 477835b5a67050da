package transport_test

import (
	"io"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/liftmesh/lift/transport"
)

// A connection past its age carries no new call, however much it is used, by
// whichever clock tells; what is younger by more than a fifth is kept.
func TestMaxAge(t *testing.T) {
	for face, pass := range faces {
		if face == "wall set back" { // the freeze table has it: what sets ages is the same
			continue
		}
		t.Run(face, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				b := newBench(t, healthy, transport.Config{MaxAge: 10 * time.Second, SafeIdle: time.Minute, MaxIdle: time.Minute})
				for range 7 {
					b.mustCall(t, "POST")
					pass(b.clock, time.Second)
				}
				if n := b.up.dials(); n != 1 {
					t.Errorf("%d connections before the age", n)
				}
				pass(b.clock, 4*time.Second)
				if c := b.mustCall(t, "POST"); !c.Fresh || b.up.dials() != 2 {
					t.Errorf("after the age: fresh %v, %d connections", c.Fresh, b.up.dials())
				}
				synctest.Wait()
				if s := b.Stats(); s != (transport.Stats{Open: 1, Idle: 1}) {
					t.Errorf("left: %+v", s)
				}
			})
		})
	}
}

// What is under way when the age comes ends in its own time; then the connection
// goes, and who waits for one gets a fresh one.
func TestMaxAgeWhileBusy(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, ticking(5), transport.Config{MaxAge: time.Second, MaxConnections: 1, Wait: time.Minute})
		c := b.call("GET", nil)
		_, r := b.open(t, c)
		b.up.set(false, healthy)
		w := b.call("POST", nil)
		w.Timeout, w.Deadline = 0, w.Call.Deadline
		waited := make(chan error)
		go func() {
			_, err := b.RoundTrip(w)
			waited <- err
		}()
		if _, err := io.ReadAll(r); err != nil {
			t.Error(err)
		}
		c.End()
		if err := <-waited; err != nil || !w.Fresh || b.up.dials() != 2 {
			t.Errorf("%v; fresh %v, %d connections", err, w.Fresh, b.up.dials())
		}
	})
}

// Connections that were opened together are not replaced together.
func TestMaxAgeSpreads(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		up, clock, n := &upstream{next: healthy}, newClock(), atomic.Uint64{}
		p := transport.NewPool("orders.test:80", transport.Options{
			Config: transport.Config{MaxAge: 10 * time.Second, SafeIdle: time.Minute, MaxIdle: time.Minute}, Now: clock.now, Dial: up.dial,
			Rand: func() uint64 { return n.Add(uint64(time.Second) / 2) },
		})
		if err := p.Warm(t.Context(), 4); err != nil {
			t.Fatal(err)
		}
		var left []int
		for range 5 {
			p.Thaw()
			left = append(left, p.Stats().Open)
			clock.jump(500*time.Millisecond, 0)
			if len(left) == 1 {
				clock.jump(7600*time.Millisecond, 0)
			}
		}
		for i, want := range []int{4, 4, 3, 2, 1} {
			if left[i] != want {
				t.Fatalf("left %v, want one less each time", left)
			}
		}
		p.Close()
		up.close()
	})
}

func TestMuxMaxAge(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newH2Bench(t, transport.Config{MaxAge: 10 * time.Second, SafeIdle: time.Minute, MaxIdle: time.Minute})
		for range 7 {
			b.mustCall(t, "POST")
			b.clock.jump(time.Second, 0)
		}
		if n := len(b.up.all()); n != 1 {
			t.Errorf("%d connections before the age", n)
		}
		b.clock.jump(4*time.Second, 0)
		if c := b.mustCall(t, "POST"); !c.Fresh || len(b.up.all()) != 2 {
			t.Errorf("after the age: fresh %v, %d connections", c.Fresh, len(b.up.all()))
		}
		synctest.Wait()
		if s := b.Stats(); s != (transport.Stats{Open: 1, Idle: 1}) {
			t.Errorf("left: %+v", s)
		}
	})
}
