package resilience

import (
	"time"

	"github.com/liftmesh/lift"
)

// Deadline sets the wall time by which a call must be over: the earlier of the deadline
// that it came with and the end of its timeout, which is its own or else timeout, the
// service's.
//
// A call without a deadline also ends before the current invocation does. invocation
// returns the end of that, and may be nil. An invocation that has ended is ignored: a
// function's first call may arrive before its INVOKE event. A call whose deadline has
// passed is refused, unsent. Deadline notes on the call which limit took the place of
// the service's timeout.
func Deadline(timeout time.Duration, now func() lift.Instant, invocation func() time.Time) lift.Policy {
	return func(next lift.Caller) lift.Caller {
		return lift.CallerFunc(func(c *lift.Call) (*lift.Response, error) {
			by := lift.DeadlineOfCaller
			if invocation != nil {
				if end := inside(invocation(), c); !end.Equal(c.Deadline) {
					c.Deadline, by = end, lift.DeadlineOfInvocation
				}
			}
			limit := timeout
			if c.Timeout > 0 {
				limit = c.Timeout
				c.Note(lift.TimeoutOfCall, int64(limit))
			}
			switch end := c.Began.Wall.Add(limit); {
			case limit > 0 && (c.Deadline.IsZero() || end.Before(c.Deadline)):
				c.Deadline = end
			case !c.Deadline.IsZero():
				c.Note(by, int64(c.Deadline.Sub(c.Began.Wall)))
			}
			if left, limited := c.Remaining(now()); limited && left <= 0 {
				return nil, lift.Errorf(c, lift.DeadlineExceeded, "the call's deadline passed %s before it was made; give it more time, or make it sooner", -left.Round(time.Millisecond))
			}
			return next.Call(c)
		})
	}
}

// inside returns c's deadline, or a time shortly before end, the invocation's, if c has
// none. A deadline within the margin around end is taken for the invocation's own, which
// the function's context passed on: it has crossed two processes and was rounded.
func inside(end time.Time, c *lift.Call) time.Time {
	if !end.After(c.Began.Wall) {
		return c.Deadline
	}
	margin := InvocationMargin(end.Sub(c.Began.Wall))
	first, last := end.Add(-margin), end.Add(margin)
	if own := c.Deadline; !own.IsZero() && (own.Before(first) || own.After(last)) {
		return own
	}
	return first
}

// InvocationMargin returns how long before the invocation's end a call ends, so that
// the function can still answer: a tenth of the time left, 50 ms at most.
func InvocationMargin(left time.Duration) time.Duration {
	return min(left/10, 50*time.Millisecond)
}

// AttemptTimeout limits one attempt: by timeout, and by the call's deadline where
// that is nearer. The attempt's connection enforces it.
//
// timeout 0 gives each attempt half of the call's own time, so that one that hangs
// leaves time for another endpoint. The call's own time is its Timeout, or service,
// the timeout of its service. A deadline that it came with ends the call and does not
// change that share: it says when the caller stops waiting, and not how long an
// answer may take. An attempt that has less time than the service's timeout would
// give it is marked [lift.AttemptRecord.Hurried].
func AttemptTimeout(timeout, service time.Duration) lift.AttemptPolicy {
	return func(next lift.RoundTripper) lift.RoundTripper {
		return lift.RoundTripperFunc(func(a *lift.Attempt) (*lift.Response, error) {
			c := a.Call
			a.Timeout, a.Deadline = timeout, c.Deadline
			if timeout <= 0 {
				a.Timeout = service / 2
				if c.Timeout > 0 {
					a.Timeout, a.Hurried = c.Timeout/2, c.Timeout < service
				}
			}
			if a.Timeout > 0 {
				if end := a.Began.Wall.Add(a.Timeout); a.Deadline.IsZero() || end.Before(a.Deadline) {
					a.Deadline = end
				}
			}
			return next.RoundTrip(a)
		})
	}
}
