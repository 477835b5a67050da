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

// Policy wraps a Caller with one concern: a deadline, retries, a record.
type Policy func(next Caller) Caller

// Stack puts policies around base. The first is the outermost; nil policies
// vanish, so that a step that a service does not use costs nothing.
func Stack(base Caller, policies ...Policy) Caller {
	for _, p := range slices.Backward(policies) {
		if p != nil {
			base = p(base)
		}
	}
	return base
}
