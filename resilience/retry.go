package resilience

import (
	"time"

	"github.com/liftmesh/lift"
)

// Retry sends a call again, to another endpoint if there is one, if every attempt of
// the last try failed and one more can do no harm: no endpoint can have acted on the
// call, or it is idempotent. It obeys the call's deadline, and budget pays for every
// retry.
//
// Before a retry it waits for a random time (full jitter), or for as long as the
// endpoint asked. A Retry-After of HTTP concerns the endpoint that sent it: if
// elsewhere reports an endpoint that the call has not tried, the retry goes there
// without that wait. A gRPC pushback concerns the call, and Retry always waits for it.
// If the call has no time for the wait, Retry does not retry: the caller gets the
// answer at hand.
//
// An attempt that a limit of this process stopped is only retried at another endpoint.
//
// elsewhere may be nil: there is no other endpoint then. rand returns random bits, now
// reads the clocks.
func Retry(cfg RetryConfig, budget *Budget, elsewhere func(*lift.Call) bool, now func() lift.Instant, rand func() uint64) lift.Policy {
	cfg = cfg.WithDefaults()
	return func(next lift.Caller) lift.Caller {
		return lift.CallerFunc(func(c *lift.Call) (*lift.Response, error) {
			budget.Deposit(c.Began)
			tried := c.Tries()
			resp, err := next.Call(c)
			for n := 1; ; n++ {
				var room [1]lift.AttemptRecord
				since := c.AppendAttempts(room[:0], tried)
				another := func() bool { return elsewhere != nil && elsewhere(c) }
				if !again(c, since, another) {
					return resp, err
				}
				if n >= cfg.Attempts {
					c.Note(lift.NoRetryLimit, int64(n))
					return resp, err
				}
				wait := cfg.backoff(n, rand)
				if asked, ok := asked(since, another); ok {
					wait = asked
				}
				if !hasTime(c, wait, now) {
					c.Note(lift.NoRetryTime, int64(wait))
					return resp, err
				}
				if !budget.Withdraw() {
					c.Note(lift.NoRetryBudget, 0)
					return resp, err
				}
				c.Note(lift.Retrying, int64(wait))
				if !pause(c, wait) {
					return resp, err
				}
				tried += len(since)
				stop := releaseOnNextAttempt(c, resp)
				resp2, err2 := next.Call(c)
				if c.Tries() == tried { // no endpoint is left: the answer at hand is the better one
					stop()
					c.Note(lift.NoRetryNowhere, 0)
					return resp, err
				}
				resp, err = resp2, err2
			}
		})
	}
}

// releaseOnNextAttempt gives up an answer whose body is still coming in, but only
// once the next attempt has an endpoint: until then it may be the best that the
// caller can get.
func releaseOnNextAttempt(c *lift.Call, resp *lift.Response) (stop func() bool) {
	if !isLive(resp) {
		return func() bool { return false }
	}
	return c.OnNextAttempt(func() { _ = resp.Body.Close() })
}

// Idempotent marks every call as idempotent, whatever its method: it may be sent again
// although an endpoint may have acted on it. A call for which the caller has decided
// that is left as it is.
func Idempotent(next lift.Caller) lift.Caller {
	return lift.CallerFunc(func(c *lift.Call) (*lift.Response, error) {
		if c.Idempotent == lift.ByMethod {
			if !c.IsIdempotent() {
				c.Note(lift.VouchedIdempotent, 0)
			}
			c.Idempotent = lift.Idempotent
		}
		return next.Call(c)
	})
}

// again reports whether the attempts since the last decision allow another one: each of
// them failed, and none forbids it. It notes the reason that forbids it.
func again(c *lift.Call, since []lift.AttemptRecord, elsewhere func() bool) bool {
	for i := range since {
		a := &since[i]
		switch a.Outcome {
		case lift.Failed, lift.Overloaded, lift.Straddled:
		case lift.CutShort:
			if !a.Hurried {
				return false // the call's time is up
			}
		case lift.Limited:
			if !elsewhere() {
				c.Note(lift.NoRetryNowhere, 0)
				return false // the call has already waited for that limit
			}
		default:
			return false
		}
		switch {
		case c.Err() != nil:
			return false
		case a.RetryAfter < 0:
			c.Note(lift.NoRetryAsked, 0)
			return false
		case a.Reached != lift.NotReached && !c.IsIdempotent():
			c.Note(lift.NoRetryUnsafe, 0)
			return false
		}
	}
	if len(since) == 0 {
		return false
	}
	if !c.Replayable() {
		c.Note(lift.NoRetryBody, 0)
		return false
	}
	return true
}

// asked returns the wait before the next try if the attempts decide it: the wait that
// an endpoint asked for, or none if no endpoint was reached. ok is false if the
// back-off decides.
func asked(since []lift.AttemptRecord, elsewhere func() bool) (wait time.Duration, ok bool) {
	unreached, binds := true, false
	for i := range since {
		a := &since[i]
		// An overloaded endpoint gets time, although nothing ran.
		unreached = unreached && a.Reached == lift.NotReached && a.Outcome != lift.Overloaded
		wait = max(wait, a.RetryAfter)
		binds = binds || a.GRPC != ""
	}
	return wait, unreached || wait > 0 && (binds || !elsewhere())
}

// backoff returns a random wait before try n+1, in [0, Backoff*(2^n - 1)), capped.
// Source: Envoy's router filter, x-envoy-max-retries.
func (c RetryConfig) backoff(n int, rand func() uint64) time.Duration {
	limit := min(c.Backoff*time.Duration(int64(1)<<min(n, 20)-1), c.BackoffMax)
	if limit <= 0 {
		return 0
	}
	return time.Duration(rand()>>1) % limit //nolint:gosec // 63 bits fit
}

// hasTime reports whether the call has time for an attempt after a wait of d.
func hasTime(c *lift.Call, d time.Duration, now func() lift.Instant) bool {
	left, limited := c.Remaining(now())
	return !limited || left > d
}

// pause waits d and reports whether the caller still waits, too.
func pause(c *lift.Call, d time.Duration) bool {
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
