package resilience

import (
	"time"

	"github.com/liftmesh/lift"
)

// Retry sends a call again, to another endpoint where there is one, if the
// attempt failed and a second one can do no harm: nothing can have acted on the
// first, or the call is idempotent. It waits with full jitter in between, stays
// inside the call's deadline and pays every retry from budget.
//
// rand gives random bits (nil is not allowed); now reads the clocks.
func Retry(cfg RetryConfig, budget *Budget, now func() lift.Instant, rand func() uint64) lift.Policy {
	cfg = cfg.WithDefaults()
	return func(next lift.Caller) lift.Caller {
		return lift.CallerFunc(func(c *lift.Call) (*lift.Response, error) {
			budget.Deposit(c.Began)
			resp, err := next.Call(c)
			for n := 1; n < cfg.Attempts; n++ {
				a := c.Current()
				if a == nil || !again(c, a) || !budget.Withdraw() || !pause(c, cfg.backoff(n, a, rand), now) {
					return resp, err
				}
				tried := len(c.Attempts)
				if held, live := resp, isLive(resp); live { // a live answer must be let go first
					_ = held.Body.Close()
					resp = nil
				}
				resp2, err2 := next.Call(c)
				if len(c.Attempts) == tried && (resp != nil || err != nil) {
					return resp, err // nowhere left to go: the first answer is the better one
				}
				resp, err = resp2, err2
			}
			return resp, err
		})
	}
}

// Idempotent vouches for every call that says nothing itself: it may be sent again
// though an endpoint may have acted on it, whatever its method. What a caller says
// of one call stands.
func Idempotent(next lift.Caller) lift.Caller {
	return lift.CallerFunc(func(c *lift.Call) (*lift.Response, error) {
		if c.Idempotent == lift.ByMethod {
			c.Idempotent = lift.Idempotent
		}
		return next.Call(c)
	})
}

// again reports whether the last attempt's end allows another.
func again(c *lift.Call, a *lift.Attempt) bool {
	switch a.Outcome {
	case lift.Failed, lift.Overloaded, lift.Straddled:
	default:
		return false
	}
	return a.RetryAfter >= 0 && c.Err() == nil && c.Replayable() && (a.Reached == lift.NotReached || c.IsIdempotent())
}

// backoff is how long to wait before attempt n+1: what the endpoint asked for, not
// at all if the last one reached nobody (but for one who had too much to do), else a random time in [0, Backoff*(2^n - 1)), capped. Source:
// Envoy's router filter, x-envoy-max-retries.
func (c RetryConfig) backoff(n int, a *lift.Attempt, rand func() uint64) time.Duration {
	switch {
	case a.RetryAfter > 0:
		return a.RetryAfter
	case a.Reached == lift.NotReached && a.Outcome != lift.Overloaded:
		return 0
	}
	limit := min(c.Backoff*time.Duration(int64(1)<<min(n, 20)-1), c.BackoffMax)
	if limit <= 0 {
		return 0
	}
	return time.Duration(rand()>>1) % limit //nolint:gosec // 63 bits fit
}

// pause waits d and reports whether the call still has time for an attempt.
func pause(c *lift.Call, d time.Duration, now func() lift.Instant) bool {
	if left, limited := c.Remaining(now()); limited && left <= d {
		return false
	}
	if d <= 0 {
		return true
	}
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return true
	case <-c.Done():
		return false
	}
}

func isLive(r *lift.Response) bool {
	if r == nil {
		return false
	}
	_, whole := r.Body.Complete()
	return !whole
}
