package lift

import (
	"net/http"
	"strings"
	"sync/atomic"
	"time"
)

// Idempotence says whether sending a call twice has the effect of sending it once.
type Idempotence uint8

// Values of Idempotence.
const (
	// ByMethod means that GET, HEAD, OPTIONS, TRACE, PUT and DELETE are idempotent (RFC
	// 9110, section 9.2.2), and so is a call with an Idempotency-Key that is not empty.
	ByMethod Idempotence = iota
	// Idempotent means that the caller says that the call may be sent twice.
	Idempotent
	// NotIdempotent means that the caller says that the call must not be sent twice.
	NotIdempotent
)

// Call is one call on its way: the request, the time it has, and a record of the
// attempts. The maker of a call (a door, the SDK) ends it with [Call.End] once the
// response's body has ended.
//
// One goroutine at a time writes its fields, and only above Pick: the steps of an
// attempt do not change the call. Hold, End, Cancel, Err, Done, OnCancel and the
// methods about attempts may be used from any goroutine.
type Call struct {
	// Service is the name of the service that is called, in any case. The mesh
	// replaces it by its canonical form; see [ServiceName].
	Service string
	// Method is the HTTP method. "" is GET.
	Method string
	// Path is path and query, starting with a slash. "" is "/".
	Path   string
	Header []Field
	// Body is the request's body, nil for none.
	Body *Body
	// Upgrade, if not "", is the protocol to switch the connection to, such as
	// websocket, as in the Upgrade field of HTTP/1.1 (RFC 9110, section 7.8). If the
	// endpoint agrees, the response has Status 101 and an Upgrade field. From then on, and
	// not before, the response's Body is what the endpoint sends, and the call's Body is
	// sent to the endpoint. At the end of Body Lift closes its half of the connection,
	// if the connection can do so; a nil Body sends nothing. The connection lasts until
	// either side closes it or the call is canceled: deadlines end with the response's
	// head. Any other status is an ordinary answer, and Body stays unread. Such a call is
	// not idempotent.
	Upgrade string
	// Tenant is the tenant on whose behalf the call is made, "" for none.
	Tenant string
	// HashKey is the key for the strategy consistent_hash: calls with the same key go
	// to the same endpoint.
	HashKey string
	// Idempotent overrides what the method says.
	Idempotent Idempotence
	// Deadline is the wall time by which the call must be over. Zero means none yet. It
	// shortens the call, but not the share of its timeout that an attempt has.
	Deadline time.Time
	// Timeout, if positive, replaces the service's configured timeout. Each attempt has
	// half of it, unless the service's attempt_timeout is set.
	Timeout time.Duration
	// Began is when the call entered the stack.
	Began Instant

	lifetime // its mu guards what follows too
	observed
	record []AttemptRecord
	tries  atomic.Int32 // len(record), readable without mu
	inline [1]AttemptRecord
	first  Attempt
	last   *Attempt
	onNext func()
}

// Cancel tells every step that the caller has given up, and why: it cancels the call
// and all its attempts, those that are started later too. The first cause stays. A nil
// cause means context.Canceled. Safe for concurrent use; it does not block.
func (c *Call) Cancel(cause error) {
	c.lifetime.Cancel(cause)
	c.mu.Lock()
	cause, a := c.err, c.last
	c.mu.Unlock()
	for ; a != nil; a = a.prev {
		a.Cancel(cause)
	}
}

// IsIdempotent reports whether the call may be sent again even if an endpoint may
// have acted on it.
func (c *Call) IsIdempotent() bool {
	return isIdempotent(c.Upgrade, c.Idempotent, c.Method, c.Header)
}

func isIdempotent(upgrade string, said Idempotence, method string, header []Field) bool {
	if upgrade != "" {
		return false
	}
	switch said {
	case Idempotent:
		return true
	case NotIdempotent:
		return false
	}
	switch method {
	case "", http.MethodGet, http.MethodHead, http.MethodOptions, http.MethodTrace, http.MethodPut, http.MethodDelete:
		return true
	}
	for i := range header {
		if strings.EqualFold(header[i].Name, "Idempotency-Key") && strings.Trim(header[i].Value, " \t\"") != "" {
			return true
		}
	}
	return false
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
