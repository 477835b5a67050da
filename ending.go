package lift

import "errors"

// Ending says how a call ended, as its caller saw it.
type Ending struct {
	// Status is the HTTP status of the answer's head, 0 if none came.
	Status int
	// Head is when that head was there, zero if none came.
	Head Instant
	// Ended is when the call was over: its answer had been read to the end or given up,
	// or its error told.
	Ended Instant
	// Err is the error that the caller was told in place of an answer, or what broke the
	// answer off; [ErrBodyClosed] if the caller had enough of it. nil if it was read to
	// its end.
	Err error
}

// Observer is told of a call once, when it has ended and its record is complete:
// what [Call.Attempts] and [Call.Decisions] return does not change any more. It runs
// in the goroutine that ended the call, so it must not block. It must not change the
// call, nor keep it: it copies what it wants. Safe for concurrent use.
type Observer func(c *Call, e Ending)

// Observed is a [Caller] whose calls are observed. A door tells it of each call that
// it has read, before it decides anything about it, so that calls are observed too
// which the door refuses by itself.
type Observed interface {
	Caller
	// Observe has c observed. The call is reported when it is ended, by [Call.End].
	Observe(c *Call)
}

// Observe has c observed by caller, if that is [Observed].
func Observe(caller Caller, c *Call) {
	if o, ok := caller.(Observed); ok {
		o.Observe(c)
	}
}

// observed is what a call keeps for its observer. Guarded by Call.mu.
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

// Observe has f told of the call's end, nil for nobody. now reads the clocks for that
// and for [Call.Note]. The first observer stays. Began is set if it was not.
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

// Answered notes the response that the caller gets, and when its head was there.
// Safe for concurrent use.
func (c *Call) Answered(resp *Response, head Instant) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.response, c.head = resp, head
}

// Fail notes the error that the caller is told, in place of an answer or of its rest.
// The last one stays: who is nearest to the caller has the last word. Safe for
// concurrent use.
func (c *Call) Fail(err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.failure = err
}

// End ends the call, gives back what it holds and closes its response. The observer
// is told then, or once the last attempt has ended. Ending twice does nothing. Safe
// for concurrent use.
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

// report tells the observer, once, if the call is over and nothing of it runs. mu is
// held, and is not any more when report returns.
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
		case ours: // what ended the call from our side says more than what the steps made of it
			e.Err = own
		case errors.Is(e.Err, ErrBodyClosed): // not because its reader had enough of it
			e.Err = &Error{Code: CallCanceled, Service: c.Service, Reached: Answered, Err: cause}
		}
	}
	e.Ended = now()
	f(c, e)
}
