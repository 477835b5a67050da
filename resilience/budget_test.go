package resilience_test

import (
	"testing"
	"time"

	"github.com/liftmesh/lift/resilience"
)

func TestBudgetBoundsRetries(t *testing.T) {
	c := newClock()
	b := resilience.NewBudget(resilience.BudgetConfig{}, c.now)
	retries := func(calls int) (n int) {
		for range calls {
			b.Deposit(c.at)
			if b.Withdraw() {
				n++
			}
			c.run(time.Millisecond)
		}
		return n
	}
	if n := retries(1000); n < 205 || n > 215 {
		t.Errorf("%d retries for 1000 calls, want the burst of 10 and a fifth", n)
	}
	c.freeze(time.Hour)
	saved := 0
	for b.Withdraw() {
		saved++
	}
	if saved != 10 {
		t.Errorf("%d retries saved up over an hour, want the burst of 10", saved)
	}
	c.run(5 * time.Second)
	if !b.Withdraw() || b.Withdraw() {
		t.Error("5 s of floor should pay for exactly one retry")
	}
}

func TestBudgetOfABusyServiceSavesMore(t *testing.T) {
	c := newClock()
	b := resilience.NewBudget(resilience.BudgetConfig{}, c.now)
	for range 10_000 {
		b.Deposit(c.at)
		c.run(time.Millisecond)
	}
	n := 0
	for b.Withdraw() {
		n++
	}
	if n < 1500 || n > 2100 {
		t.Errorf("%d retries at once at 1,000 calls/s, want about what 10 s of calls pay for", n)
	}
}

func TestBudgetClockSetBack(t *testing.T) {
	c := newClock()
	b := resilience.NewBudget(resilience.BudgetConfig{}, c.now)
	for b.Withdraw() {
	}
	c.freeze(-time.Hour)
	if b.Withdraw() {
		t.Error("a clock that was set back paid in")
	}
	c.run(6 * time.Second)
	if !b.Withdraw() {
		t.Error("the floor is not paid after the clock was set back")
	}
}

// A call that waited for its body pays in at the moment when it began. That moment
// lies before what others have paid in since, and is no clock that was set back.
func TestBudgetOfCallsThatWaited(t *testing.T) {
	c := newClock()
	b := resilience.NewBudget(resilience.BudgetConfig{}, c.now)
	granted := 0
	for range 200 {
		c.run(10 * time.Millisecond)
		began := c.at
		began.Wall, began.Mono = began.Wall.Add(-10*time.Second), began.Mono-10*time.Second
		b.Deposit(began)
		if b.Withdraw() {
			granted++
		}
	}
	if granted < 48 || granted > 51 {
		t.Errorf("%d retries for 200 calls, want the burst of 10 and a fifth", granted)
	}
}

// After the clock was set back, what calls pay for is counted over 10 s again.
func TestBudgetForgetsTrafficAfterTheClockWasSetBack(t *testing.T) {
	c := newClock()
	b := resilience.NewBudget(resilience.BudgetConfig{}, c.now)
	for range 1000 {
		b.Deposit(c.at)
	}
	c.freeze(-time.Hour)
	for range 3 {
		c.run(11 * time.Second)
		b.Deposit(c.at)
	}
	saved := 0
	for b.Withdraw() {
		saved++
	}
	if saved != 10 {
		t.Errorf("%d retries are saved up by a service that is quiet again, want the burst of 10", saved)
	}
}
