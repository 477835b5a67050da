package resilience_test

import (
	"fmt"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/liftmesh/lift"
	"github.com/liftmesh/lift/resilience"
)

func noJitter() uint64 { return 0 }

func newBreaker(cfg resilience.BreakerConfig) (*resilience.Breaker, *gate, *clock) {
	g, c := &gate{state: "closed"}, newClock()
	return resilience.NewBreaker(cfg, g, c.now, noJitter), g, c
}

func TestBreakerOpens(t *testing.T) {
	const ok, failed, overloaded = lift.OK, lift.Failed, lift.Overloaded
	for _, tt := range []struct {
		name     string
		outcomes []lift.Outcome
		open     bool
		why      string
	}{
		{"three in a row", []lift.Outcome{failed, failed, failed}, true, "3 failures in a row"},
		{"overload counts", []lift.Outcome{overloaded, overloaded, overloaded}, true, "3 failures in a row"},
		{"two in a row", []lift.Outcome{failed, failed, ok, failed, ok, ok}, false, ""},
		{"half of five", []lift.Outcome{failed, ok, failed, ok, failed}, true, "at least 0.5 of the calls"},
		{"half of four is too few", []lift.Outcome{failed, ok, failed, ok}, false, ""},
		{"what judges nobody does not count", []lift.Outcome{failed, failed, lift.Canceled, lift.CutShort, lift.Straddled}, false, ""},
		{"nor does it break a row", []lift.Outcome{failed, failed, lift.Straddled, failed}, true, "3 failures in a row"},
		{"the caller's fault is the endpoint's success", []lift.Outcome{failed, failed, lift.CallerFault, failed}, false, ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			b, g, c := newBreaker(resilience.BreakerConfig{})
			for _, o := range tt.outcomes {
				report(b, c.now, attempt(o))
				c.run(10 * time.Millisecond)
			}
			if open := g.state == "open"; open != tt.open || tt.open && !strings.Contains(g.log[0], tt.why) {
				t.Errorf("open %v, want %v; %q", open, tt.open, g.log)
			}
		})
	}
}

func TestBreakerRefusedOpensAtOnce(t *testing.T) {
	b, g, c := newBreaker(resilience.BreakerConfig{})
	report(b, c.now, &lift.AttemptRecord{Outcome: lift.Failed, Err: fmt.Errorf("dial: %w", syscall.ECONNREFUSED)})
	if g.state != "open" {
		t.Error("a refused connection did not open")
	}
}

// An answer is the word of an endpoint that lives, however bad it is.
func TestBreakerAnswersDoNotOpen(t *testing.T) {
	for _, a := range []lift.AttemptRecord{{Outcome: lift.Failed, Status: 500}, {Outcome: lift.Overloaded, Status: 429}, {Outcome: lift.Failed, Status: 200, GRPC: "2"}} {
		b, g, c := newBreaker(resilience.BreakerConfig{})
		for range 20 {
			report(b, c.now, &a)
		}
		if g.state != "closed" {
			t.Errorf("%d %s opened: %q", a.Status, a.GRPC, g.log)
		}
	}
}

func TestBreakerProbes(t *testing.T) {
	b, g, c := newBreaker(resilience.BreakerConfig{})
	open := func() time.Duration { return g.length }
	for range 3 {
		report(b, c.now, attempt(lift.Failed))
	}
	if open() != time.Second {
		t.Fatalf("open for %v the first time, want 1s", open())
	}
	report(b, c.now, attempt(lift.OK))
	if g.state != "open" {
		t.Fatal("an attempt from before the opening closed it")
	}
	for _, want := range []time.Duration{2 * time.Second, 4 * time.Second, 8 * time.Second, 16 * time.Second, 32 * time.Second, time.Minute, time.Minute} {
		c.run(open())
		report(b, c.now, probe(lift.Failed))
		if open() != want {
			t.Fatalf("open for %v after a failed probe, want %v", open(), want)
		}
	}
	c.run(open())
	report(b, c.now, probe(lift.Straddled))
	if last := g.log[len(g.log)-1]; !strings.HasPrefix(last, "returned") {
		t.Fatalf("a straddled probe: %q", last)
	}
	report(b, c.now, probe(lift.OK))
	if g.state != "closed" {
		t.Fatal("a good probe did not close")
	}
	for range 3 {
		report(b, c.now, attempt(lift.Failed))
	}
	if open() != time.Minute {
		t.Fatalf("a relapse opened for %v, want the last time again", open())
	}
	c.run(open())
	report(b, c.now, probe(lift.OK))
	c.run(31 * time.Second)
	report(b, c.now, attempt(lift.OK))
	for range 3 {
		report(b, c.now, attempt(lift.Failed))
	}
	if open() != time.Second {
		t.Errorf("after a window of health it opened for %v, want 1s", open())
	}
}

// An early probe that fails changes nothing: it was not due.
func TestBreakerEarlyProbe(t *testing.T) {
	b, g, c := newBreaker(resilience.BreakerConfig{OpenFor: 8 * time.Second})
	for range 3 {
		report(b, c.now, attempt(lift.Failed))
	}
	for range 3 {
		c.run(time.Second)
		report(b, c.now, probe(lift.Failed))
	}
	if g.length != 8*time.Second || len(g.log) != 4 || g.log[3] != "returned: an early probe failed: status 502" {
		t.Fatalf("open for %v: %q", g.length, g.log)
	}
	report(b, c.now, probe(lift.OK))
	if g.state != "closed" {
		t.Error("an early probe that went well did not close")
	}
}

// gobreaker's own open time runs on the monotonic clock; ours must not.
func TestBreakerAgesOnTheWallClock(t *testing.T) {
	b, g, c := newBreaker(resilience.BreakerConfig{})
	report(b, c.now, attempt(lift.Failed))
	report(b, c.now, attempt(lift.Failed))
	c.freeze(time.Hour)
	report(b, c.now, attempt(lift.Failed))
	if g.state != "closed" {
		t.Error("failures of an hour ago count")
	}
	report(b, c.now, attempt(lift.Failed))
	report(b, c.now, attempt(lift.Failed))
	if g.state != "open" {
		t.Error("three fresh failures did not open")
	}
}

func TestBreakerJitterStaysInBounds(t *testing.T) {
	for _, bits := range []uint64{0, 1 << 40, ^uint64(0)} {
		g, c := &gate{}, newClock()
		b := resilience.NewBreaker(resilience.BreakerConfig{}, g, c.now, func() uint64 { return bits })
		for range 3 {
			report(b, c.now, attempt(lift.Failed))
		}
		if d := g.length; d < time.Second || d > 1500*time.Millisecond {
			t.Errorf("open for %v, want 1s to 1.5s", d)
		}
	}
}

func ExampleBreaker() {
	g := &gate{}
	b := resilience.NewBreaker(resilience.BreakerConfig{Consecutive: 2}, g, lift.Now, noJitter)
	report(b, lift.Now, attempt(lift.Failed))
	report(b, lift.Now, attempt(lift.Failed))
	fmt.Println(g.state)
	report(b, lift.Now, probe(lift.OK))
	fmt.Println(g.state)
	// Output:
	// open
	// closed
}

func BenchmarkBreakerHealthy(b *testing.B) {
	br, _, _ := newBreaker(resilience.BreakerConfig{})
	a := attempt(lift.OK)
	b.ReportAllocs()
	for b.Loop() {
		br.Report(a, resilience.Well)
	}
}

func BenchmarkBreakerSuspect(b *testing.B) {
	br := resilience.NewBreaker(resilience.BreakerConfig{Consecutive: 1 << 30, MinCalls: 1 << 30}, &gate{}, lift.Now, noJitter)
	a := attempt(lift.OK)
	report(br, lift.Now, attempt(lift.Failed))
	b.ReportAllocs()
	for b.Loop() {
		br.Report(a, resilience.Well)
	}
}
