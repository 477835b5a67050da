package dns

import (
	"context"
	"errors"
	"net/netip"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	miekg "github.com/miekg/dns"

	"github.com/liftmesh/lift"
)

// bench is a registry whose one name is answered without a network, in a bubble.
type bench struct {
	*Registry
	began time.Time

	mu    sync.Mutex
	addrs []string
	ttl   time.Duration
	err   error
	skew  time.Duration // of the wall clock
	asked []time.Duration
	told  []string // "" is an error
}

func newBench(random uint64) *bench {
	b := &bench{addrs: []string{"10.0.0.1"}, ttl: 10 * time.Second, began: time.Now()}
	b.Registry = New(Config{Port: 80, Servers: []string{"192.0.2.1:53"}, Rand: func() uint64 { return random }, Now: func() lift.Instant {
		b.mu.Lock()
		defer b.mu.Unlock()
		return lift.Instant{Wall: time.Now().Round(0).Add(b.skew), Mono: time.Since(b.began)}
	}})
	b.exchange = func(_ context.Context, _ conf, q question) (reply, error) {
		b.mu.Lock()
		defer b.mu.Unlock()
		if q.kind == miekg.TypeAAAA {
			return reply{none: true, ttl: b.ttl}, b.err
		}
		b.asked = append(b.asked, time.Since(b.began).Round(time.Millisecond))
		r := reply{ttl: b.ttl, none: len(b.addrs) == 0}
		for _, a := range b.addrs {
			r.addrs = append(r.addrs, netip.MustParseAddr(a))
		}
		return r, b.err
	}
	return b
}

func (b *bench) change(f func()) {
	b.mu.Lock()
	defer b.mu.Unlock()
	f()
}

func (b *bench) watch(t *testing.T) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan struct{})
	go func() {
		defer close(done)
		for set, err := range b.Watch(ctx, "orders") {
			s := ""
			for _, ep := range set {
				s += ep.Addr + " "
			}
			if err == nil && len(set) == 0 {
				s = "nobody"
			}
			b.change(func() { b.told = append(b.told, s) })
		}
	}()
	t.Cleanup(func() { cancel(); <-done })
	synctest.Wait()
}

func (b *bench) wantAsked(t *testing.T, want ...time.Duration) {
	t.Helper()
	synctest.Wait()
	b.mu.Lock()
	defer b.mu.Unlock()
	got := b.asked
	if len(got) != len(want) {
		t.Fatalf("asked at %v, want %v", got, want)
	}
	for i := range got {
		if d := got[i] - want[i]; d < -5*time.Millisecond || d > 5*time.Millisecond {
			t.Fatalf("asked at %v, want %v", got, want)
		}
	}
}

func TestAsksAgainBeforeTheTTLEndsAndTellsOfChangesOnly(t *testing.T) {
	for random, step := range map[uint64]time.Duration{0: 9 * time.Second, ^uint64(0): 10 * time.Second} {
		synctest.Test(t, func(t *testing.T) {
			b := newBench(random)
			b.watch(t)
			time.Sleep(2*step + time.Second)
			b.change(func() { b.addrs = nil })
			time.Sleep(step)
			b.change(func() { b.addrs = []string{"10.0.0.3", "10.0.0.2"} })
			time.Sleep(step)
			b.wantAsked(t, 0, step, 2*step, 3*step, 4*step)
			b.mu.Lock()
			if len(b.told) != 3 || b.told[0] != "10.0.0.1:80 " || b.told[1] != "nobody" || b.told[2] != "10.0.0.2:80 10.0.0.3:80 " {
				t.Errorf("told %q", b.told)
			}
			b.mu.Unlock()
		})
	}
}

func TestBacksOffWhileDNSIsGoneAndTellsTheSameSetAfter(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(0) // waits are half of the most: 0.5, 1, 2, 4, 8, 15, 15 s
		b.watch(t)
		b.change(func() { b.err = errors.New("gone") })
		time.Sleep(9*time.Second + 46*time.Second)
		s := time.Second
		b.wantAsked(t, 0, 9*s, 9*s+s/2, 10*s+s/2, 12*s+s/2, 16*s+s/2, 24*s+s/2, 39*s+s/2, 54*s+s/2)
		b.change(func() { b.err = nil })
		time.Sleep(16 * time.Second)
		b.mu.Lock()
		defer b.mu.Unlock()
		if n := len(b.told); n != 10 || b.told[0] != b.told[n-1] || b.told[1] != "" || b.told[n-2] != "" {
			t.Errorf("told %q", b.told)
		}
	})
}

func TestBacksOffLessUntilThereIsASet(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(^uint64(0))
		b.change(func() { b.err = errors.New("gone") })
		b.watch(t)
		time.Sleep(30 * time.Second)
		s := time.Second
		b.wantAsked(t, 0, 1*s, 3*s, 7*s, 12*s, 17*s, 22*s, 27*s)
	})
}

// After a freeze in which the timer stood still, the wall clock says that the
// answer is too old: at the hint, and without it at the next look.
func TestThaw(t *testing.T) {
	for _, hint := range []bool{true, false} {
		synctest.Test(t, func(t *testing.T) {
			b := newBench(^uint64(0))
			b.ttl = time.Minute
			b.watch(t)
			time.Sleep(time.Second)
			b.Thawed() // nothing has expired
			synctest.Wait()
			b.wantAsked(t, 0)
			b.change(func() { b.skew = time.Hour })
			want := 6 * time.Second // looked at every 5 s from the hint on
			if hint {
				b.Thawed()
				want = time.Second
			}
			time.Sleep(6 * time.Second)
			b.wantAsked(t, 0, want)
		})
	}
}

func TestWallClockSetBack(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(^uint64(0))
		b.watch(t)
		b.change(func() { b.skew = -time.Hour })
		time.Sleep(10500 * time.Millisecond)
		b.wantAsked(t, 0, 10*time.Second)
	})
}

func TestWatchEndsWithinAQuestion(t *testing.T) {
	z := startZone(t)
	arrived := make(chan struct{}, 16)
	z.change(func() {
		z.byUDP = func(miekg.ResponseWriter, *miekg.Msg) bool { arrived <- struct{}{}; return true }
	})
	ctx, cancel := context.WithCancel(t.Context())
	r := New(Config{Port: 80, Servers: []string{z.addr}, Timeout: time.Minute})
	go func() { <-arrived; cancel() }()
	for set, err := range r.Watch(ctx, "orders") {
		t.Errorf("told %v, %v", set, err)
	}
	if len(r.watches) != 0 {
		t.Error("the watch is still known")
	}
}
