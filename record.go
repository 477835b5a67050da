package lift

import "time"

// AttemptRecord describes one attempt: where it went, why, and how it ended. It is a
// plain value that can be copied and kept; errors, the SDK and the wire carry it. The
// record of an attempt that still runs has the Outcome Unjudged.
type AttemptRecord struct {
	Endpoint Endpoint
	// Began and Ended are read when the endpoint was picked and when the
	// attempt was judged.
	Began, Ended Instant
	// Timeout is how long the endpoint may take for each thing that it has to do up to
	// the head of its answer: to be connected to, to take more of the request, and to
	// answer once it has all of it. 0 means no limit.
	Timeout time.Duration
	// Deadline is the wall time at which the attempt is cut: the end of Timeout or the
	// call's deadline, whichever comes first. Zero means none. When something else than
	// the endpoint has been waited for, it is later than Timeout after Began.
	Deadline time.Time
	// Hurried says that the call's own timeout, shorter than the service's, left the
	// attempt less time than the service would have. If that time runs out, it does not
	// count against the endpoint.
	Hurried bool
	// Queued is how long the attempt waited for a limit of this process: for a
	// connection, or a place on one.
	Queued time.Duration
	// Sending is how long it waited for the caller to send more of the request.
	Sending time.Duration
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
	// RetryAfter is how long the endpoint asked to wait before another try: negative if
	// it forbids one, 0 if it said nothing.
	RetryAfter time.Duration
	Outcome    Outcome
	Reached    Reached
	// Err is why there was no (whole) answer, nil if there was.
	Err error
}

// Cut reports whether the attempt is limited by the call's deadline and not by
// its own timeout.
func (r *AttemptRecord) Cut() bool {
	return !r.Deadline.IsZero() && (r.Timeout <= 0 || r.Deadline.Before(r.Began.Wall.Add(r.Timeout)))
}

// Duration is the attempt's length by the wall clock, 0 while it runs.
func (r *AttemptRecord) Duration() time.Duration {
	if r.Ended.IsZero() {
		return 0
	}
	return r.Ended.Since(r.Began)
}

// Owed is how much of its length the attempt waited for the endpoint only.
func (r *AttemptRecord) Owed() time.Duration {
	return max(0, r.Duration()-r.Queued-r.Sending)
}

// Attempts returns a copy of the call's record: what was tried, in order, each
// attempt as it was last published. It is nil before the first attempt. Safe for
// concurrent use, also while attempts run.
func (c *Call) Attempts() []AttemptRecord { return c.AppendAttempts(nil, 0) }

// AppendAttempts appends to dst what [Call.Attempts] returns, without the first skip
// attempts, and returns the longer slice. Safe for concurrent use.
func (c *Call) AppendAttempts(dst []AttemptRecord, skip int) []AttemptRecord {
	c.mu.Lock()
	defer c.mu.Unlock()
	return append(dst, c.record[min(skip, len(c.record)):]...)
}

// SetAttempts replaces the call's record by a copy of records. It is for a Caller that
// gets the record from another process, and starts no attempts itself. Safe for
// concurrent use.
func (c *Call) SetAttempts(records []AttemptRecord) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.record == nil {
		c.record = c.inline[:0]
	}
	c.record = append(c.record[:0], records...)
	c.tries.Store(int32(len(c.record))) //nolint:gosec // attempts are few
}

// Tries returns how many attempts have been started. Safe for concurrent use.
func (c *Call) Tries() int { return int(c.tries.Load()) }

// Tried reports whether the call has been tried at the endpoint with this key.
// Safe for concurrent use.
func (c *Call) Tried(key string) bool {
	if c.Tries() == 0 {
		return false
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	for i := range c.record {
		if c.record[i].Endpoint.Key() == key {
			return true
		}
	}
	return false
}
