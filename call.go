package lift

import (
	"net/http"
	"slices"
	"sync"
	"time"
)

// Idempotence says whether sending a call twice does what sending it once does.
type Idempotence uint8

// The values of Idempotence.
const (
	// ByMethod: GET, HEAD, OPTIONS, TRACE, PUT and DELETE are idempotent (RFC
	// 9110, section 9.2.2), and so is what carries an Idempotency-Key.
	ByMethod Idempotence = iota
	// Idempotent: the caller vouches for it.
	Idempotent
	// NotIdempotent: the caller warns of it.
	NotIdempotent
)

// Call is one call on its way: what was asked, how long there is, what was
// tried and why. Whoever makes one (a door, the SDK) ends it with [Call.End]
// once the response's body has ended. Steps write fields; only Cancel, Err,
// Done and OnCancel may be used from other goroutines.
type Call struct {
	// Service is the name of the service that is called.
	Service string
	// Method is the HTTP method. "" is GET.
	Method string
	// Path is path and query, starting with a slash. "" is "/".
	Path   string
	Header []Field
	// Body is the request's body, nil for none.
	Body *Body
	// Upgrade, if not "", is the protocol that the caller wants to go on with on the
	// connection, such as websocket, as the Upgrade field of HTTP/1.1 has it (RFC 9110,
	// section 7.8). If the endpoint agrees, the response has Status 101 and its Upgrade
	// field; its Body brings what the endpoint sends, and what Body brings goes to the
	// endpoint, from then on and not before. Body's end is the end of what is sent,
	// where the connection can say so; a nil Body sends nothing. It lives until either
	// side closes or the call is canceled: deadlines hold up to the response's head.
	// Any other status is an ordinary answer, and Body stays unread. Such a call is not
	// idempotent.
	Upgrade string
	// Tenant, if there is one, in whose name the call is made.
	Tenant string
	// HashKey is what a consistent-hash picker goes by.
	HashKey string
	// Priority orders calls when there is too much to do: higher is more
	// important, 0 is ordinary.
	Priority int
	// Idempotent overrides what the method says.
	Idempotent Idempotence
	// Deadline is the wall time by which the call must be over. Zero: none yet.
	Deadline time.Time
	// Timeout, if positive, takes the place of the service's configured timeout.
	Timeout time.Duration
	// Began is when the call entered the stack.
	Began Instant

	// Attempts is the record, in order. The last one runs, if one does.
	Attempts []Attempt

	inline [3]Attempt

	mu     sync.Mutex
	holds  []func()
	ended  bool
	cancel cancelState
}

// Attempt starts the record of one more attempt and returns it. The pointer is
// good until the next attempt starts.
func (c *Call) Attempt() *Attempt {
	if c.Attempts == nil {
		c.Attempts = c.inline[:0]
	}
	c.Attempts = append(c.Attempts, Attempt{})
	return &c.Attempts[len(c.Attempts)-1]
}

// Current returns the attempt that was started last, nil before the first.
func (c *Call) Current() *Attempt {
	if len(c.Attempts) == 0 {
		return nil
	}
	return &c.Attempts[len(c.Attempts)-1]
}

// Tried reports whether the call has been tried at the endpoint with this key.
func (c *Call) Tried(key string) bool {
	for i := range c.Attempts {
		if c.Attempts[i].Endpoint.Key() == key {
			return true
		}
	}
	return false
}

// IsIdempotent reports whether the call may be sent again though an endpoint
// may have acted on it.
func (c *Call) IsIdempotent() bool {
	if c.Upgrade != "" {
		return false
	}
	switch c.Idempotent {
	case Idempotent:
		return true
	case NotIdempotent:
		return false
	}
	switch c.Method {
	case "", http.MethodGet, http.MethodHead, http.MethodOptions, http.MethodTrace, http.MethodPut, http.MethodDelete:
		return true
	}
	return Has(c.Header, "Idempotency-Key")
}

// Replayable reports whether the request can be sent once more, byte for byte.
func (c *Call) Replayable() bool { return c.Body == nil || c.Body.Replayable() }

// Remaining returns how much time the call has at now, by the wall clock, and
// whether it has a deadline at all.
func (c *Call) Remaining(now Instant) (left time.Duration, limited bool) {
	if c.Deadline.IsZero() {
		return 0, false
	}
	return c.Deadline.Sub(now.Wall), true
}

// Hold hands the call something to give back when it ends: a permit, an
// in-flight count, the record. Each is run exactly once, the last first. On a
// call that has ended, f runs at once.
func (c *Call) Hold(f func()) {
	c.mu.Lock()
	if !c.ended {
		c.holds = append(c.holds, f)
		c.mu.Unlock()
		return
	}
	c.mu.Unlock()
	f()
}

// End ends the call and gives back what it holds. Ending twice does nothing.
func (c *Call) End() {
	c.mu.Lock()
	holds := c.holds
	c.holds, c.ended = nil, true
	c.mu.Unlock()
	for _, giveBack := range slices.Backward(holds) {
		giveBack()
	}
}
