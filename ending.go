package lift

import "errors"

// Ending says how a call ended, as its caller saw it.
type Ending struct {
	// Status is the HTTP status of the answer's head, 0 if none came.
	Status int
	// Head is when that head arrived, zero if none did.
	Head Instant
	// Ended is when the call was over: the answer had been read to its end or given up,
	// or the caller had its error.
	Ended Instant
	// Err is the error that the caller got instead of an answer, or the error that
	// broke the answer off; [ErrBodyClosed] if the caller stopped reading. nil if the
	// answer was read to its end.
	Err error
}

// Observer gets a call once, when it has ended and its record is complete: the results
// of [Call.Attempts] and [Call.Decisions] do not change any more. It runs in the
// goroutine that ended the call, so it must not block. It must not change the call, nor
// keep it: it copies what it needs. Safe for concurrent use.
type Observer func(c *Call, e Ending)

// Observed is a [Caller] whose calls are observed. A door calls Observe for each call
// that it has read, before it decides anything about the call. So calls that the door
// itself refuses are observed too.
type Observed interface {
	Caller
	// Observe observes c. The call is reported when [Call.End] ends it.
	Observe(c *Call)
}

// Observe makes caller observe c, if caller is [Observed].
func Observe(caller Caller, c *Call) {
	if o, ok := caller.(Observed); ok {
		o.Observe(c)
	}
}

// observed is a call's state for its observer. Guarded by Call.mu.
type observed struct {
	observer  Observer
	now       func() Instant
	running   int // attempts that have not ended
	over      bool
	response  *Response
	head      Instant
	failure   error
	decisions []Decision
	few       [2]Decision // where the first decisions are kept, so that they allocate nothing
	dropped   int
}

// Observe makes f the call's observer; nil means none. now reads the clocks for that
// and for [Call.Note]. The first observer stays. Observe sets Began if it is not set.
// Safe for concurrent use.
func (c *Call) Observe(now func() Instant, f Observer) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.now == nil {
		c.now = now
	}
	if c.observer == nil {
		c.observer = f
	}
	if c.Began.IsZero() {
		c.Began = now()
	}
}

// Answered notes the response that the caller gets, and when its head arrived. Safe for
// concurrent use.
func (c *Call) Answered(resp *Response, head Instant) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.response, c.head = resp, head
}

// Fail notes the error that the caller gets instead of an answer or of its rest. The
// last error stays, because it is from the step nearest to the caller. Safe for
// concurrent use.
func (c *Call) Fail(err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.failure = err
}

// End ends the call, gives back what it holds and closes its response. The observer
// gets the call then, or once the last attempt has ended. A second End does nothing.
// Safe for concurrent use.
func (c *Call) End() {
	if !c.end() {
		return
	}
	c.mu.Lock()
	resp := c.response
	c.mu.Unlock()
	if resp != nil {
		_ = resp.Body.Close() // else the attempt behind it would never end
	}
	c.mu.Lock()
	c.over = true
	c.report()
}

// attemptEnded notes that one more attempt has ended.
func (c *Call) attemptEnded() {
	c.mu.Lock()
	c.running--
	c.report()
}

// report calls the observer, once, if the call is over and no attempt is running. mu is
// held when report is called, and released when it returns.
func (c *Call) report() {
	f := c.observer
	if f == nil || !c.over || c.running > 0 {
		c.mu.Unlock()
		return
	}
	c.observer = nil
	e := Ending{Head: c.head, Err: c.failure}
	resp, now, cause := c.response, c.now, c.err
	c.mu.Unlock()
	if resp != nil {
		e.Status = resp.Status
		if e.Err == nil {
			e.Err = resp.Body.Err()
		}
	}
	if e.Err != nil && cause != nil {
		own, ours := errors.AsType[*Error](cause)
		switch {
		case ours: // the error that ended the call on this side says more than the errors that the steps derived from it
			e.Err = own
		case errors.Is(e.Err, ErrBodyClosed): // not because its reader stopped reading
			e.Err = &Error{Code: CallCanceled, Service: c.Service, Reached: Answered, Err: cause}
		}
	}
	e.Ended = now()
	f(c, e)
}
