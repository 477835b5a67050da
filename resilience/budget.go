package resilience

import (
	"sync"
	"time"

	"github.com/liftmesh/lift"
)

// budgetSpan is the time over which a service's calls are counted: their retries are
// what it may save up. Source: the ttl of Finagle's RetryBudget.
const budgetSpan = 10 * time.Second

// Budget limits a service's retries to a share of its calls, so that retries cannot
// multiply an overload. All calls of a service share one Budget. A retry is paid for
// when it is decided, before its back-off, so that waiting retries cannot burst later.
// Safe for concurrent use.
type Budget struct {
	cfg BudgetConfig
	now func() lift.Instant

	mu     sync.Mutex
	tokens float64
	filled lift.Instant // the time up to which the floor has been paid in
	span   lift.Instant // start of the running span
	calls  [2]float64   // in the running span and the one before
}

// NewBudget returns a budget with a full burst. now reads the clocks.
func NewBudget(cfg BudgetConfig, now func() lift.Instant) *Budget {
	cfg = cfg.WithDefaults()
	at := now()
	return &Budget{cfg: cfg, now: now, tokens: cfg.Burst, filled: at, span: at}
}

// Change replaces the configuration. Saved retries stay, up to the new capacity.
func (b *Budget) Change(cfg BudgetConfig) {
	at := b.now()
	b.mu.Lock()
	defer b.mu.Unlock()
	b.advance(at)
	b.cfg = cfg.WithDefaults()
	b.tokens = min(b.tokens, b.capacity())
}

// Deposit pays in for one call, which began at the given time.
func (b *Budget) Deposit(at lift.Instant) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.advance(at)
	b.calls[0]++
	b.tokens = min(b.tokens+b.cfg.Ratio, b.capacity())
}

// Withdraw pays for one retry and reports whether the budget had one.
func (b *Budget) Withdraw() bool {
	at := b.now()
	b.mu.Lock()
	defer b.mu.Unlock()
	b.advance(at)
	if b.tokens < 1 {
		return false
	}
	b.tokens--
	return true
}

// capacity returns how many retries can be saved up: the burst, or what the service's
// calls of 10 s pay for, whichever is more.
func (b *Budget) capacity() float64 {
	return max(b.cfg.Burst, b.cfg.Ratio*max(b.calls[0], b.calls[1]))
}

// advance pays in the floor for the wall time that has passed, and moves the spans on.
// A call that waited before it came here brings a time that lies before the last one by
// the monotonic clock too: that time has been paid in already. If only the wall clock
// went back, it was set back, and counting starts again from there.
func (b *Budget) advance(at lift.Instant) {
	if at.Mono < b.filled.Mono {
		return
	}
	if at.Wall.Before(b.filled.Wall) {
		b.filled, b.span = at, at
	}
	if gone := at.Since(b.span); gone >= budgetSpan {
		b.calls[1] = b.calls[0]
		if gone >= 2*budgetSpan {
			b.calls[1] = 0
		}
		b.calls[0], b.span = 0, at
	}
	gone := at.Since(b.filled)
	b.filled = at
	b.tokens = min(b.tokens+gone.Seconds()*b.cfg.FloorPerSecond, b.capacity())
}
