package lift

import "time"

// Attempt is one try of a call at one endpoint, and the record of it. The steps
// below Pick write it; when it has ended it does not change.
type Attempt struct {
	Endpoint Endpoint
	// Began and Ended are read when the endpoint was picked and when the
	// attempt was judged.
	Began, Ended Instant
	// Timeout is the attempt's own limit; 0 is none.
	Timeout time.Duration
	// Deadline is the wall time at which the attempt is cut: the end of Timeout
	// or the call's deadline, whichever comes first. Zero is none.
	Deadline time.Time
	// Candidates is how many endpoints the picker could choose from.
	Candidates int
	// Why says in a few words how the endpoint was chosen.
	Why string
	// Probe: this attempt is a half-open endpoint's one probe.
	Probe bool
	// Fresh: the connection was opened for this attempt, not taken warm.
	Fresh bool
	// Status is the HTTP status of the answer, 0 without one.
	Status int
	// GRPC is the grpc-status of the answer to a gRPC call, a number; "none" if it
	// ended without one; "" before, and of calls that are not gRPC.
	GRPC string
	// RetryAfter is what the endpoint asked for: how long to wait before another try,
	// negative for none at all, 0 if it said nothing.
	RetryAfter time.Duration
	Outcome    Outcome
	Reached    Reached
	// Err is why there was no (whole) answer, nil if there was.
	Err error
}

// Cut reports whether the attempt is limited by the call's deadline and not by
// its own timeout.
func (a *Attempt) Cut() bool {
	return !a.Deadline.IsZero() && (a.Timeout <= 0 || a.Deadline.Before(a.Began.Wall.Add(a.Timeout)))
}

// Duration is the attempt's length by the wall clock, 0 while it runs.
func (a *Attempt) Duration() time.Duration {
	if a.Ended.IsZero() {
		return 0
	}
	return a.Ended.Since(a.Began)
}
