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
			tried := c.Tries()
			resp, err := next.Call(c)
			for n := 1; n < cfg.Attempts; n++ {
				var room [1]lift.AttemptRecord
				since := c.AppendAttempts(room[:0], tried)
				if !again(c, since) || !budget.Withdraw() || !pause(c, cfg.backoff(n, since, rand), now) {
					return resp, err
				}
				tried += len(since)
				if held, live := resp, isLive(resp); live { // a live answer must be let go first
					_ = held.Body.Close()
					resp = nil
				}
				resp2, err2 := next.Call(c)
				if c.Tries() == tried && (resp != nil || err != nil) {
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

// again reports whether the attempts since the last decision allow another: each of
// them failed, and none forbids it.
func again(c *lift.Call, since []lift.AttemptRecord) bool {
	for i := range since {
		a := &since[i]
		switch a.Outcome {
		case lift.Failed, lift.Overloaded, lift.Straddled:
		case lift.CutShort:
			if !a.Hurried {
				return false // the call's time is up
			}
		default:
			return false
		}
		if a.RetryAfter < 0 || a.Reached != lift.NotReached && !c.IsIdempotent() {
			return false
		}
	}
	return len(since) > 0 && c.Err() == nil && c.Replayable()
}

// backoff is how long to wait before try n+1: what an endpoint asked for; not at all
// if the attempts reached nobody, unless one was turned away for having too much to do;
// else a random time in [0, Backoff*(2^n - 1)), capped. Source: Envoy's router filter,
// x-envoy-max-retries.
func (c RetryConfig) backoff(n int, since []lift.AttemptRecord, rand func() uint64) time.Duration {
	asked, unreached := time.Duration(0), true
	for i := range since {
		a := &since[i]
		asked = max(asked, a.RetryAfter)
		unreached = unreached && a.Reached == lift.NotReached && a.Outcome != lift.Overloaded
	}
	switch {
	case asked > 0:
		return asked
	case unreached:
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
