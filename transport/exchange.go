package transport

import (
	"net/http"

	"github.com/liftmesh/lift"
)

// exchange is one attempt on its way, from the pool's taking it on to the end of
// its answer. A cut closes whatever connection it is on: nothing in net/http
// outlasts that, so net/http is given no context at all.
type exchange struct {
	request
	bounds
	pool       *Pool
	repeatable bool // may be sent twice: idempotent, and all of its body is here

	running [2]*conn // what a cut closes; guarded by bounds.mu
	used    [3]*conn // all that it was sent on: at most a pooled one, a doubtful one, a fresh one
	uses    int
}

// severed closes what the exchange is on, once it was cut.
func (x *exchange) severed() {
	x.mu.Lock()
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
	first, cutBefore = x.lift()
	if !first {
		return false, nil
	}
	x.mu.Lock()
	running := x.running
	x.running = [2]*conn{}
	x.mu.Unlock()
	for _, r := range running {
		if r != nil && r != c {
			r.close()
		}
	}
	if c != nil {
		c.unload()
		x.pool.put(c)
	}
	return true, cutBefore
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
	o, u := x.outgoing(&x.bounds)
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
