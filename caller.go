package lift

import "slices"

// Caller takes a call and answers it.
//
// Call returns at the response's head; the call is over when the response's
// Body has ended. A Caller is safe for concurrent use with different calls. It
// returns either a response or an error, never both and never neither, and
// every error that leaves it is an [*Error]. It must not keep c after the call
// has been ended.
type Caller interface {
	Call(c *Call) (*Response, error)
}

// CallerFunc is a function that is a [Caller].
type CallerFunc func(c *Call) (*Response, error)

// Call calls f.
func (f CallerFunc) Call(c *Call) (*Response, error) { return f(c) }

// Policy wraps a Caller with one concern of a call: a deadline, retries, a record.
type Policy func(next Caller) Caller

// Stack puts policies around base. The first is the outermost; nil policies
// vanish, so that a step that a service does not use costs nothing.
func Stack(base Caller, policies ...Policy) Caller { return stack(base, policies) }

// RoundTripper sends one attempt to its endpoint and returns the answer.
//
// The name is net/http's, because the contract is: one exchange with one peer. A
// RoundTripper does not choose the endpoint and does not try another; both are the work
// of a [Caller] above it. The promises of a Caller about response, errors and
// concurrent use apply here too. A RoundTripper sends the attempt's Method, Path,
// Header and Body, not the call's, and does not change the call.
type RoundTripper interface {
	RoundTrip(a *Attempt) (*Response, error)
}

// RoundTripperFunc is a function that is a [RoundTripper].
type RoundTripperFunc func(a *Attempt) (*Response, error)

// RoundTrip calls f.
func (f RoundTripperFunc) RoundTrip(a *Attempt) (*Response, error) { return f(a) }

// AttemptPolicy wraps a RoundTripper with one concern of an attempt: its timeout, its
// verdict, another form of the request. It is the counterpart of [Policy] for attempts,
// and runs once for each attempt.
type AttemptPolicy func(next RoundTripper) RoundTripper

// StackAttempt puts policies around base as [Stack] does.
func StackAttempt(base RoundTripper, policies ...AttemptPolicy) RoundTripper {
	return stack(base, policies)
}

func stack[C any, P ~func(next C) C](base C, policies []P) C {
	for _, p := range slices.Backward(policies) {
		if p != nil {
			base = p(base)
		}
	}
	return base
}
