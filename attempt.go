package lift

import (
	"fmt"
	"time"
)

// Attempt is one try of a call at one endpoint, while it runs. [Call.NewAttempt] starts
// it; its address stays valid for as long as it is used. Several attempts of one call
// may run at the same time, each in its own goroutine.
//
// Exactly one goroutine at a time, the one that carries the attempt, reads and
// writes its fields. Others see the attempt's record as it was last published, by
// [Call.Attempts]. Cancel, Err, Done, OnCancel and Hold may be used from any goroutine.
type Attempt struct {
	// AttemptRecord is what the steps below Pick write. [Attempt.Publish] shows it to
	// others. [Attempt.Err] says whether the attempt was canceled; why there was no
	// answer is AttemptRecord.Err.
	AttemptRecord

	// Call is the call that the attempt belongs to. Steps below Pick must not change
	// it.
	Call *Call

	// Method, Path, Header, Body, Upgrade and Idempotent are what the attempt sends: at
	// first the call's own. A step that sends something else replaces them here, for
	// this attempt only. Header is shared with the call: replace the slice, do not
	// change its elements.
	Method, Path string
	Header       []Field
	Body         *Body
	Upgrade      string
	Idempotent   Idempotence

	lifetime
	n    int      // its index in Call.record
	prev *Attempt // the one started before it
}

// NewAttempt starts one more attempt of c, and publishes its record, r. The attempt
// sends what the call holds now. It is canceled when the call is, at once if the call
// has been canceled already. Safe for concurrent use, also while other attempts run.
func (c *Call) NewAttempt(r AttemptRecord) *Attempt {
	c.mu.Lock()
	a := &c.first
	if c.last != nil {
		a = new(Attempt)
	}
	a.AttemptRecord, a.Call = r, c
	a.Method, a.Path, a.Header, a.Body, a.Upgrade, a.Idempotent = c.Method, c.Path, c.Header, c.Body, c.Upgrade, c.Idempotent
	a.err = c.err
	if c.record == nil {
		c.record = c.inline[:0]
	}
	a.n, a.prev, c.last = len(c.record), c.last, a
	c.record = append(c.record, r)
	c.tries.Store(int32(len(c.record))) //nolint:gosec // attempts are few
	c.running++
	next := c.onNext
	c.onNext = nil
	c.mu.Unlock()
	if next != nil {
		next()
	}
	return a
}

// OnNextAttempt runs f when the next attempt starts, which is after an endpoint was
// found for it and before anything is sent. A later f replaces an earlier one. stop
// removes f and reports whether it did so before f was started. Safe for concurrent
// use.
func (c *Call) OnNextAttempt(f func()) (stop func() bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.onNext = f
	return func() bool {
		c.mu.Lock()
		defer c.mu.Unlock()
		waiting := c.onNext != nil
		c.onNext = nil
		return waiting
	}
}

// Err returns why the attempt was canceled, nil if it was not. Safe for concurrent use.
func (a *Attempt) Err() error { return a.lifetime.Err() }

// Publish makes the attempt's current record visible to [Call.Attempts].
func (a *Attempt) Publish() {
	c := a.Call
	c.mu.Lock()
	defer c.mu.Unlock()
	c.record[a.n] = a.AttemptRecord
}

// End publishes the attempt's record for the last time, ends the attempt and gives back
// what it holds. A second End does nothing.
func (a *Attempt) End() {
	a.Publish()
	if a.end() {
		a.Call.attemptEnded()
	}
}

// QueuedInAll returns how long the call's attempts, this one included, have waited for
// limits of this process. It is for the goroutine that carries the attempt.
func (a *Attempt) QueuedInAll() time.Duration {
	all := a.Queued
	if a.n == 0 {
		return all
	}
	a.Call.mu.Lock()
	defer a.Call.mu.Unlock()
	for i := range a.Call.record {
		if i != a.n {
			all += a.Call.record[i].Queued
		}
	}
	return all
}

// IsIdempotent reports whether what the attempt sends may be sent again even if the
// endpoint may have acted on it.
func (a *Attempt) IsIdempotent() bool {
	return isIdempotent(a.Upgrade, a.Idempotent, a.Method, a.Header)
}

// Replayable reports whether the attempt's request can be sent once more, byte for byte.
func (a *Attempt) Replayable() bool { return a.Body == nil || a.Body.Replayable() }

// Errorf makes the error that a ends with, from a code and a cause; args are as for
// [fmt.Errorf]. It has no record of what was tried: the steps above, which may be
// trying elsewhere, add the call's.
func (a *Attempt) Errorf(code Code, format string, args ...any) *Error {
	return &Error{Code: code, Service: a.Call.Service, Endpoint: a.Endpoint.Addr, Reached: a.Reached, Err: fmt.Errorf(format, args...)}
}
