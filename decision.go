package lift

import (
	"fmt"
	"slices"
	"time"
)

// MaxDecisions is how many decisions a call keeps. Further ones are only counted.
const MaxDecisions = 16

// Decision is one decision about a call, other than the choice of an endpoint, which is
// in the attempts' records. A call that succeeds at once has none.
type Decision struct {
	// After is the time since the call's beginning, by the wall clock.
	After time.Duration
	// N is a number; Kind says what it means.
	N int64
	// Tries is how many attempts had been started by then.
	Tries int32
	Kind  DecisionKind
}

// DecisionKind is the kind of a decision.
type DecisionKind uint8

// Kinds of decisions. A duration N is in nanoseconds.
const (
	_ DecisionKind = iota
	// TimeoutOfCall: the call's own timeout, N, replaced the service's.
	TimeoutOfCall
	// DeadlineOfCaller: the deadline that the call came with, N after its beginning,
	// is before the end of its timeout.
	DeadlineOfCaller
	// DeadlineOfInvocation: the end of the invocation, which leaves the call N, is
	// before the end of its timeout.
	DeadlineOfInvocation
	// VouchedIdempotent: the service's configuration says that the call may be sent
	// twice, although its method is not idempotent.
	VouchedIdempotent
	// WaitedForBody: the call waited for its whole request body, N bytes.
	WaitedForBody
	// WaitedForEndpoints: the call waited for the registry's first set, for N.
	WaitedForEndpoints
	// NobodyServes: the registry says that the service has no endpoint.
	NobodyServes
	// AllOut: all endpoints were out; the next probe is due in N, 0 if one is running.
	AllOut
	// Retrying: the call is retried after a wait of N.
	Retrying
	// NoRetryLimit: not retried, because it had been sent N times.
	NoRetryLimit
	// NoRetryUnsafe: not retried, because an endpoint may have acted on it and it is
	// not idempotent.
	NoRetryUnsafe
	// NoRetryBody: not retried, because its body cannot be sent again.
	NoRetryBody
	// NoRetryAsked: not retried, because the endpoint forbade it.
	NoRetryAsked
	// NoRetryTime: not retried, because there was no time left for the wait of N.
	NoRetryTime
	// NoRetryBudget: not retried, because the service's retry budget was empty.
	NoRetryBudget
	// NoRetryNowhere: not retried, because no endpoint was left; the caller gets the
	// answer at hand.
	NoRetryNowhere
	kinds
)

var decisionNames = [kinds]string{
	TimeoutOfCall: "timeout_of_call", DeadlineOfCaller: "deadline_of_caller", DeadlineOfInvocation: "deadline_of_invocation",
	VouchedIdempotent: "vouched_idempotent", WaitedForBody: "waited_for_body", WaitedForEndpoints: "waited_for_endpoints",
	NobodyServes: "nobody_serves", AllOut: "all_out", Retrying: "retrying",
	NoRetryLimit: "no_retry_limit", NoRetryUnsafe: "no_retry_unsafe", NoRetryBody: "no_retry_body", NoRetryAsked: "no_retry_asked",
	NoRetryTime: "no_retry_time", NoRetryBudget: "no_retry_budget", NoRetryNowhere: "no_retry_nowhere",
}

// String returns the kind's name as logs and the wire write it.
func (k DecisionKind) String() string {
	if k > 0 && k < kinds {
		return decisionNames[k]
	}
	return "unknown"
}

// String returns the decision as a sentence.
func (d Decision) String() string {
	n := time.Duration(d.N).Round(time.Microsecond)
	switch d.Kind {
	case TimeoutOfCall:
		return fmt.Sprintf("the call's own timeout, %s, replaced the service's", n)
	case DeadlineOfCaller:
		return fmt.Sprintf("the deadline that the call came with left it %s", n)
	case DeadlineOfInvocation:
		return fmt.Sprintf("the end of the invocation left the call %s", n)
	case VouchedIdempotent:
		return "the service's configuration says that the call may be sent twice"
	case WaitedForBody:
		return fmt.Sprintf("waited for all of the request's body, %d bytes", d.N)
	case WaitedForEndpoints:
		return fmt.Sprintf("waited %s for the registry's first answer", n)
	case NobodyServes:
		return "the registry lists no endpoints"
	case AllOut:
		if d.N <= 0 {
			return "all endpoints were out, a probe among them"
		}
		return fmt.Sprintf("all endpoints were out; the next probe may go in %s", n)
	case Retrying:
		return fmt.Sprintf("to be sent again, after a wait of %s", n)
	case NoRetryLimit:
		return fmt.Sprintf("not sent again: it was sent %d times, which is retry.attempts", d.N)
	case NoRetryUnsafe:
		return "not sent again: an endpoint may have acted, and the call is not idempotent"
	case NoRetryBody:
		return "not sent again: the request's body cannot be sent twice"
	case NoRetryAsked:
		return "not sent again: the endpoint asked for that"
	case NoRetryTime:
		return fmt.Sprintf("not sent again: no time was left after a wait of %s", n)
	case NoRetryBudget:
		return "not sent again: the retry budget was empty"
	case NoRetryNowhere:
		return "not sent again: no endpoint could be had, so the answer at hand stayed"
	default:
		return d.Kind.String()
	}
}

// Note adds a decision to the call's record; kind says what n means. The first two
// allocate nothing. Safe for concurrent use.
func (c *Call) Note(kind DecisionKind, n int64) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if len(c.decisions) == MaxDecisions {
		c.dropped++
		return
	}
	if c.decisions == nil {
		c.decisions = c.few[:0]
	}
	d := Decision{Kind: kind, Tries: int32(len(c.record)), N: n} //nolint:gosec // a handful
	if c.now != nil {
		d.After = c.now().Since(c.Began)
	}
	c.decisions = append(c.decisions, d)
}

// Decisions returns a copy of the decisions, in order, and how many more than
// [MaxDecisions] there were. Safe for concurrent use.
func (c *Call) Decisions() (list []Decision, dropped int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	return slices.Clone(c.decisions), c.dropped
}
