package transport

import (
	"context"
	"net/http"
	"sync"
	"time"

	"github.com/liftmesh/lift"
)

// exchange is one attempt on its way, from the pool's taking it on to the end of
// its answer. One timer and one hook cut it, by closing whatever connection it
// is on: nothing in net/http outlasts that, so it is given no context at all.
type exchange struct {
	request
	pool       *Pool
	began      lift.Instant
	repeatable bool // may be sent twice: idempotent, and all of its body is here
	uncancel   func() bool

	mu        sync.Mutex
	over      bool
	cause     cause
	cancelErr error
	limit     cause // what it means if the timer fires
	timer     *time.Timer
	done      chan struct{} // made when first asked for, closed when cut or over
	running   [2]*conn      // what a cut closes
	used      [3]*conn      // all that it was sent on: at most a pooled one, a doubtful one, a fresh one
	uses      int
}

// start sets the limits in force. It fails if one is reached already.
func (x *exchange) start(c *lift.Call, a *lift.Attempt) *failure {
	until, limit := a.Deadline, timedOut
	if a.Cut() {
		limit = deadline
	}
	if until.IsZero() {
		until, limit = c.Deadline, deadline
	}
	if err := c.Err(); err != nil {
		return cutBy(canceled, err)
	}
	if !until.IsZero() {
		left := until.Sub(x.began.Wall)
		if left <= 0 {
			return cutBy(limit, nil)
		}
		x.limit = limit
		x.timer = time.AfterFunc(left, x.expire)
	}
	x.uncancel = c.OnCancel(func() { x.cut(canceled, c.Err()) })
	return nil
}

func (x *exchange) expire() {
	defer x.pool.contain("ending a call whose time is up", nil)
	x.mu.Lock()
	limit := x.limit
	x.mu.Unlock()
	x.cut(limit, nil)
}

// cut ends the exchange where it is, unless it is over.
func (x *exchange) cut(why cause, cancelErr error) {
	x.mu.Lock()
	if x.over || x.cause != uncut {
		x.mu.Unlock()
		return
	}
	x.cause, x.cancelErr = why, cancelErr
	if x.done != nil {
		close(x.done)
	}
	running := x.running
	x.mu.Unlock()
	for _, c := range running {
		if c != nil {
			c.close()
		}
	}
}

// attach puts the exchange on c, which a cut then closes. It fails once cut.
func (x *exchange) attach(c *conn) bool {
	x.mu.Lock()
	defer x.mu.Unlock()
	if x.cause != uncut || x.over {
		return false
	}
	x.used[x.uses] = c
	x.uses++
	for i := range x.running {
		if x.running[i] == nil {
			x.running[i] = c
			break
		}
	}
	return true
}

// detach takes it off c again.
func (x *exchange) detach(c *conn) {
	x.mu.Lock()
	defer x.mu.Unlock()
	for i := range x.running {
		if x.running[i] == c {
			x.running[i] = nil
		}
	}
}

// end ends the exchange: no limit holds any longer, and c, if there is one, goes
// back to the pool. It reports whether this call of end was the first, and what
// cut the exchange before it, if anything did.
func (x *exchange) end(c *conn) (first bool, cutBefore *failure) {
	x.mu.Lock()
	if x.over {
		x.mu.Unlock()
		return false, nil
	}
	x.over = true
	running := x.running
	x.running = [2]*conn{}
	if x.done != nil && x.cause == uncut {
		close(x.done)
	}
	why, cancelErr := x.cause, x.cancelErr
	if x.timer != nil {
		x.timer.Stop()
	}
	x.mu.Unlock()
	if x.uncancel != nil {
		x.uncancel()
	}
	for _, r := range running {
		if r != nil && r != c {
			r.close()
		}
	}
	if c != nil {
		c.unload()
		x.pool.put(c)
	}
	return true, cutBy(why, cancelErr)
}

// stream has only the call's own limits hold from now on: the answer's head has
// come, which is what the attempt's timeout is for.
func (x *exchange) stream(until time.Time) *failure {
	left := time.Duration(-1)
	if !until.IsZero() {
		left = max(0, until.Sub(x.pool.now().Wall))
	}
	x.mu.Lock()
	defer x.mu.Unlock()
	if x.cause != uncut {
		return cutBy(x.cause, x.cancelErr)
	}
	if x.timer != nil && !x.timer.Stop() {
		x.cause = x.limit // it has fired and is on its way here
		return cutBy(x.cause, nil)
	}
	x.limit = deadline
	switch {
	case left < 0:
		x.timer = nil
	case x.timer != nil:
		x.timer.Reset(left)
	default:
		x.timer = time.AfterFunc(left, x.expire)
	}
	return nil
}

// send sends the request on c and waits for the answer's head. On failure c is closed.
func (x *exchange) send(c *conn) (*http.Response, *failure) {
	if !x.attach(c) {
		c.close()
		f := x.cutFailure()
		if f == nil { // the other connection has answered
			f = &failure{code: lift.CallCanceled, err: errUploadEnded}
		}
		f.unsent = true
		return nil, f
	}
	o, u := x.outgoing(x.pool)
	c.begin(u)
	resp, err := c.client.RoundTrip(&o.Request)
	if err != nil {
		c.close()
		x.detach(c)
		return nil, x.failureOn(c, err)
	}
	return resp, nil
}

// maySee reports whether the endpoint may have seen something of the request.
func (x *exchange) maySee() bool {
	x.mu.Lock()
	used := x.used
	x.mu.Unlock()
	for _, c := range used {
		if c != nil && c.maySee() {
			return true
		}
	}
	return false
}

// The context that opening a connection takes: it ends when the exchange is cut
// or over. Only exchanges that open one need it.
var _ context.Context = (*exchange)(nil)

// Done implements context.Context.
func (x *exchange) Done() <-chan struct{} {
	x.mu.Lock()
	defer x.mu.Unlock()
	if x.done == nil {
		x.done = make(chan struct{})
		if x.over || x.cause != uncut {
			close(x.done)
		}
	}
	return x.done
}

// Err implements context.Context.
func (x *exchange) Err() error {
	x.mu.Lock()
	defer x.mu.Unlock()
	if x.over || x.cause != uncut {
		return context.Canceled
	}
	return nil
}

// Deadline implements context.Context. The exchange's timer is its deadline.
func (x *exchange) Deadline() (time.Time, bool) { return time.Time{}, false }

// Value implements context.Context.
func (x *exchange) Value(any) any { return nil }
