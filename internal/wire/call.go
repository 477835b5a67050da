package wire

import (
	"math"
	"time"

	"github.com/liftmesh/lift"
	liftv1 "github.com/liftmesh/lift/proto/lift/v1"
)

// Nanos returns t as nanoseconds since 1970 UTC, 0 for the zero time. What does
// not fit - before 1970, after 2262 - becomes the nearest that does.
func Nanos(t time.Time) int64 {
	switch {
	case t.IsZero():
		return 0
	case t.Unix() < 0:
		return 1
	case t.Unix() >= math.MaxInt64/int64(time.Second):
		return math.MaxInt64
	}
	return t.UnixNano()
}

// Time is the reverse of [Nanos].
func Time(nanos int64) time.Time {
	if nanos == 0 {
		return time.Time{}
	}
	return time.Unix(0, nanos)
}

// head is what Call and CallRequest have in common.
type head interface {
	GetService() string
	GetMethod() string
	GetPath() string
	GetHeader() []*liftv1.Field
	GetTenant() string
	GetIdempotence() liftv1.Idempotence
	GetHashKey() string
	GetDeadlineUnixNanos() int64
	GetTimeoutNanos() int64
}

// Fill writes the head of a call from the wire into c. The body is not touched.
func Fill(c *lift.Call, h head, now lift.Instant) {
	c.Service, c.Method, c.Path = lift.ServiceName(h.GetService()), h.GetMethod(), h.GetPath()
	c.Header = FromFields(h.GetHeader())
	c.Tenant, c.HashKey = h.GetTenant(), h.GetHashKey()
	c.Idempotent = lift.ByMethod
	switch h.GetIdempotence() {
	case liftv1.Idempotence_IDEMPOTENCE_UNSPECIFIED:
	case liftv1.Idempotence_IDEMPOTENCE_IDEMPOTENT:
		c.Idempotent = lift.Idempotent
	case liftv1.Idempotence_IDEMPOTENCE_NOT_IDEMPOTENT:
		c.Idempotent = lift.NotIdempotent
	}
	c.Deadline = Time(h.GetDeadlineUnixNanos())
	c.Timeout = time.Duration(max(0, h.GetTimeoutNanos()))
	c.Began = now
}

// Head returns the head of c as it goes on the wire, without id and body.
func Head(c *lift.Call) *liftv1.Call {
	h := &liftv1.Call{
		Service:           text(c.Service),
		Method:            text(c.Method),
		Path:              text(c.Path),
		Header:            Fields(c.Header),
		Tenant:            text(c.Tenant),
		HashKey:           text(c.HashKey),
		DeadlineUnixNanos: Nanos(c.Deadline),
		TimeoutNanos:      int64(c.Timeout),
	}
	switch c.Idempotent {
	case lift.ByMethod:
	case lift.Idempotent:
		h.Idempotence = liftv1.Idempotence_IDEMPOTENCE_IDEMPOTENT
	case lift.NotIdempotent:
		h.Idempotence = liftv1.Idempotence_IDEMPOTENCE_NOT_IDEMPOTENT
	}
	return h
}
