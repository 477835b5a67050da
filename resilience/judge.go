package resilience

import (
	"errors"
	"net/http"
	"time"

	"github.com/liftmesh/lift"
)

// Judge decides how an attempt ended, from its record and the error that it ended
// with, nil if it was answered. It decides once; breaker, balancer, retry and metrics
// read the outcome.
type Judge func(a *lift.Attempt, now lift.Instant, err error) lift.Outcome

// Classify is the default [Judge]. An answer is judged by its grpc-status, where
// [ReadGRPC] found one, else by its HTTP status. An error is put down to the first of
// these that holds: a freeze inside the attempt, the caller's giving up, the call's own
// time, a limit of this process; else to the endpoint.
func Classify(a *lift.Attempt, now lift.Instant, err error) lift.Outcome {
	switch {
	case err != nil:
	case a.GRPC != "":
		return byGRPC(a, now)
	default:
		return byStatus(a.Status)
	}
	switch {
	case straddled(a, now, err):
		return lift.Straddled
	case errors.Is(err, lift.CallCanceled) || a.Err() != nil:
		return lift.Canceled
	case errors.Is(err, lift.DeadlineExceeded):
		return lift.CutShort
	case errors.Is(err, lift.AttemptTimeout) && a.Hurried:
		return lift.CutShort // other callers may allow it enough time
	case errors.Is(err, lift.Busy):
		return lift.Limited
	case errors.Is(err, lift.InvalidCall) || errors.Is(err, lift.TooLarge):
		return lift.CallerFault
	case errors.Is(err, lift.Internal) || errors.Is(err, lift.Misconfigured):
		return lift.Canceled // ours, not the endpoint's
	default:
		return lift.Failed
	}
}

// straddled reports whether a freeze lies inside the attempt: the two clocks differ, or
// the attempt outlived its limit by as much, which shows a freeze where monotonic time
// ran on.
func straddled(a *lift.Attempt, now lift.Instant, err error) bool {
	if now.Straddles(a.Began) {
		return true
	}
	limit := limitOf(a, err)
	return !limit.IsZero() && now.Wall.Sub(limit) > lift.FreezeGap
}

// limitOf returns the wall time by which the attempt must have ended if our timers ran,
// zero if there is none. The attempt's own limit holds up to the answer's head (or its
// end, where it is read whole); the call's deadline holds for a stream that follows,
// and nothing does for an upgraded connection. If the attempt's limit applied to
// streams, each stream that breaks late would count as a freeze, and an instance that
// breaks all streams would never be taken out.
func limitOf(a *lift.Attempt, err error) time.Time {
	switch {
	case a.Status == http.StatusSwitchingProtocols:
		return time.Time{}
	case a.Reached == lift.Answered && !errors.Is(err, lift.AttemptTimeout):
		return a.Call.Deadline
	default:
		return a.Deadline
	}
}

func byStatus(status int) lift.Outcome {
	switch {
	case status == http.StatusTooManyRequests, status == http.StatusServiceUnavailable:
		return lift.Overloaded
	case status == http.StatusNotImplemented, status == http.StatusHTTPVersionNotSupported:
		return lift.CallerFault // the request's fault: another endpoint would answer the same
	case status >= 500:
		return lift.Failed
	case status >= 400:
		return lift.CallerFault
	default:
		return lift.OK
	}
}
