package resilience

import (
	"cmp"
	"time"
)

// RetryConfig says when a call is retried. A zero field means its default.
type RetryConfig struct {
	// Attempts is the largest number of attempts of a call, the first one included.
	// Default 3; 1 switches retries off.
	Attempts int
	// Backoff is the base of the full jitter between attempts: before attempt
	// n+1 a call waits a random time in [0, Backoff*(2^n - 1)). Default 25 ms
	// (Envoy's).
	Backoff time.Duration
	// BackoffMax caps that time. Default 250 ms (Envoy's).
	BackoffMax time.Duration
	Budget     BudgetConfig
}

// BudgetConfig limits retries to a share of a service's calls. A zero field
// means its default.
type BudgetConfig struct {
	// Ratio is how many retries each call pays for. Default 0.2 (linkerd's and
	// Finagle's 20 %).
	Ratio float64
	// FloorPerSecond is how many retries a second are paid in without calls. Default
	// 0.2: an environment that sends one call a second still gets them.
	FloorPerSecond float64
	// Burst is how many retries any service can save up; a busy service can save what
	// 10 s of its calls pay for. Default 10.
	Burst float64
}

// BreakerConfig says when an endpoint is taken out, and for how long. A zero
// field means its default.
type BreakerConfig struct {
	// Answers says how bad answers count. Default Compare. These always count as
	// failures: refused, reset, timed out, garbage, 502, 503, 504, UNAVAILABLE.
	Answers Answers
	// Consecutive failures that open. Default 3: a single environment sends few
	// calls, and another endpoint can serve meanwhile.
	Consecutive int
	// FailureRatio of the calls in Window that opens, from MinCalls on. Default
	// 0.5 and 5 (Finagle opens below a success rate of 0.8 at the same 5; half
	// is kinder to an endpoint that fails one kind of request). Where answers are
	// compared it is the share that an outlier fails of what the others answer well.
	FailureRatio float64
	MinCalls     int
	// Window over which failures are counted. Default 30 s (Finagle's).
	Window time.Duration
	// OpenFor is how long an endpoint stays open the first time; it doubles each
	// time its probe fails, with jitter, up to OpenForMax. Defaults 1 s and 60 s
	// (linkerd's penalties).
	OpenFor, OpenForMax time.Duration
}

// WithDefaults returns c with its zero fields set to their defaults.
func (c RetryConfig) WithDefaults() RetryConfig {
	c.Attempts = cmp.Or(c.Attempts, 3)
	c.Backoff = cmp.Or(c.Backoff, 25*time.Millisecond)
	c.BackoffMax = cmp.Or(c.BackoffMax, 250*time.Millisecond)
	c.Budget = c.Budget.WithDefaults()
	return c
}

// WithDefaults returns c with its zero fields set to their defaults.
func (c BudgetConfig) WithDefaults() BudgetConfig {
	c.Ratio = cmp.Or(c.Ratio, 0.2)
	c.FloorPerSecond = cmp.Or(c.FloorPerSecond, 0.2)
	c.Burst = cmp.Or(c.Burst, 10)
	return c
}

// WithDefaults returns c with its zero fields set to their defaults.
func (c BreakerConfig) WithDefaults() BreakerConfig {
	c.Answers = cmp.Or(c.Answers, Compare)
	c.Consecutive = cmp.Or(c.Consecutive, 3)
	c.FailureRatio = cmp.Or(c.FailureRatio, 0.5)
	c.MinCalls = cmp.Or(c.MinCalls, 5)
	c.Window = cmp.Or(c.Window, 30*time.Second)
	c.OpenFor = cmp.Or(c.OpenFor, time.Second)
	c.OpenForMax = cmp.Or(c.OpenForMax, 60*time.Second)
	return c
}

// openFor is how long an endpoint is out after it was taken out trips times already:
// OpenFor the first time, twice as long each time after that, with up to half as much
// again at random, so that the probes of many environments part. Source: linkerd2's
// breaker, 1 s to 60 s, jitter 0.5.
func (c BreakerConfig) openFor(trips int, rand func() uint64) time.Duration {
	d := min(c.OpenFor<<min(trips, 20), c.OpenForMax)
	return min(d+time.Duration(rand()>>1)%(d/2+1), c.OpenForMax) //nolint:gosec // 63 bits fit
}
