package resilience_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/liftmesh/lift"
	"github.com/liftmesh/lift/resilience"
)

// What a breaker has seen outlives a change of its settings.
func TestBreakerChange(t *testing.T) {
	b, g, c := newBreaker(resilience.BreakerConfig{Consecutive: 5, MinCalls: 100})
	for range 2 {
		report(b, c.now, attempt(lift.Failed))
	}
	b.Change(resilience.BreakerConfig{Consecutive: 3, MinCalls: 100, Window: time.Minute, OpenFor: 4 * time.Second})
	if report(b, c.now, attempt(lift.Failed)); g.state != "open" || g.length < 4*time.Second {
		t.Fatalf("after three in a row, two of them before the change: %s for %s", g.state, g.length)
	}
	b.Change(resilience.BreakerConfig{Consecutive: 9, MinCalls: 100, OpenFor: time.Second})
	if g.state != "open" {
		t.Error("a change closes")
	}
	c.run(5 * time.Second)
	if report(b, c.now, probe(lift.OK)); g.state != "closed" {
		t.Errorf("after its probe: %s", g.state)
	}
	for range 8 {
		report(b, c.now, attempt(lift.Failed))
	}
	if g.state != "closed" {
		t.Error("the old settings hold")
	}
}

func TestBreakerChangeOfTheWindow(t *testing.T) {
	b, g, c := newBreaker(resilience.BreakerConfig{Consecutive: 100, MinCalls: 4})
	end := func(outcomes ...lift.Outcome) {
		for _, o := range outcomes {
			report(b, c.now, attempt(o))
		}
	}
	end(lift.Failed, lift.OK, lift.Failed)
	b.Change(resilience.BreakerConfig{Consecutive: 100, MinCalls: 4, Window: time.Minute})
	end(lift.Failed, lift.OK, lift.OK)
	if g.state == "open" {
		t.Error("what the old window counted counts in the new one")
	}
	if end(lift.Failed); g.state != "open" {
		t.Error("two of four do not open")
	}
}

func TestBudgetChange(t *testing.T) {
	c := newClock()
	b := resilience.NewBudget(resilience.BudgetConfig{Burst: 10}, c.now)
	for range 4 {
		b.Withdraw()
	}
	left := func() (n int) {
		for b.Withdraw() {
			n++
		}
		return n
	}
	b.Change(resilience.BudgetConfig{Burst: 100})
	if got := left(); got != 6 {
		t.Errorf("%d are left of what was saved, want 6", got)
	}
	b.Change(resilience.BudgetConfig{Burst: 10, FloorPerSecond: 1})
	c.run(8 * time.Second)
	b.Change(resilience.BudgetConfig{Burst: 3})
	if got := left(); got != 3 {
		t.Errorf("%d are left, want no more than the new burst", got)
	}
}

func ExampleBudget_Change() {
	b := resilience.NewBudget(resilience.BudgetConfig{Burst: 2}, lift.Now)
	b.Change(resilience.BudgetConfig{Burst: 1})
	fmt.Println(b.Withdraw(), b.Withdraw())
	// Output: true false
}
