package pace_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"testing"
	"testing/synctest"
	"time"

	"github.com/liftmesh/lift"
	"github.com/liftmesh/lift/registry/pace"
)

func config(freezes bool) pace.Config {
	return pace.Config{Limit: 5 * time.Second, Freezes: freezes, Now: lift.Now, Rand: rand.Uint64}
}

func TestDue(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		began := time.Now()
		p := pace.New(config(false))
		p.Begin(func() {})
		p.End()
		p.Due(t.Context(), time.Minute)
		if took := time.Since(began); took != time.Minute {
			t.Errorf("due after %s", took)
		}
	})
}

// Where environments freeze, a question waits for need, and nothing ticks.
func TestDueOnceNeeded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := pace.New(config(true))
		p.Mark()
		time.Sleep(time.Hour) // not needed any more
		due := make(chan struct{})
		go func() {
			p.Due(t.Context(), time.Minute)
			close(due)
		}()
		time.Sleep(time.Hour)
		select {
		case <-due:
			t.Fatal("due without need")
		default:
		}
		p.Need()
		<-due
	})
}

func TestDueEndsWithItsContext(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		p := pace.New(config(true))
		p.Mark()
		p.Due(ctx, time.Hour)
		if ctx.Err() == nil {
			t.Error("due too early")
		}
	})
}

// A question that a freeze has cut in two is known as such, and given up once the
// service is needed again.
func TestFreezeInsideAQuestion(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var frozen time.Duration
		cfg := config(true)
		cfg.Now = func() lift.Instant {
			now := lift.Now()
			now.Wall = now.Wall.Add(frozen)
			return now
		}
		p := pace.New(cfg)
		given := false
		p.Begin(func() { given = true })
		p.Need()
		if given || p.Straddled() {
			t.Error("given up without a freeze")
		}
		frozen = time.Hour
		if !p.Straddled() {
			t.Error("no freeze seen")
		}
		if p.Need(); !given {
			t.Error("not given up")
		}
		p.End()
		given = false
		if p.Need(); given {
			t.Error("given up after its end")
		}
	})
}

func TestBackoff(t *testing.T) {
	for _, most := range []uint64{0, 1<<64 - 1} {
		cfg := config(false)
		cfg.Rand = func() uint64 { return most }
		p := pace.New(cfg)
		for n, want := range map[int]time.Duration{1: time.Second, 2: 2 * time.Second, 4: 8 * time.Second, 100: 30 * time.Second} {
			if most == 0 {
				want /= 2
			}
			if got := p.Backoff(n, true).Round(time.Millisecond); got != want {
				t.Errorf("failure %d: %s, want %s", n, got, want)
			}
		}
		if got := p.Backoff(100, false); got > 5*time.Second {
			t.Errorf("before the first set: %s", got)
		}
	}
}

func ExamplePace() {
	p := pace.New(pace.Config{Limit: 5 * time.Second, Now: lift.Now, Rand: rand.Uint64})
	for failures := range 2 {
		ctx, cancel := context.WithCancel(context.Background())
		p.Begin(cancel)
		fmt.Println("asking", ctx.Err())
		p.End()
		cancel()
		p.Due(context.Background(), time.Duration(failures)*time.Millisecond)
	}
	// Output:
	// asking <nil>
	// asking <nil>
}
