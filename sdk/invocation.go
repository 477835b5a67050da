package sdk

import (
	"context"
	"sync"
	"time"
)

// traceHeader carries the trace of the invocation, all of it: Lambda's loop
// detection goes by its Lineage.
const traceHeader = "X-Amzn-Trace-Id"

// Invocation is one run of a function, as its runtime tells of it.
type Invocation struct {
	// ID is the request id.
	ID string
	// Trace is the X-Ray trace header, "" for none.
	Trace string
	// Tenant is the tenant id, "" for none.
	Tenant string
}

// invocations is what a caller can do that wants to know of invocations.
type invocations interface {
	InvocationStart(id string, deadline time.Time, trace, tenant string)
	InvocationDone(id string)
}

// Invocation tells the sidecar that a run of the function begins, with ctx's
// deadline as its own, and returns a context whose calls carry the invocation's
// trace and tenant, and what tells that the run is over; calling done twice does
// nothing. Neither waits for the sidecar nor fails where there is none. With a nil
// client or context it tells nobody, and calls fail and say what is nil. Handlers
// for aws-lambda-go are wrapped by package sdk/lambda, which calls this.
func (c *Client) Invocation(ctx context.Context, in Invocation) (inner context.Context, done func()) {
	s := settingsFrom(ctx, nil)
	s.trace, s.tenant = in.Trace, in.Tenant
	inner = s.into(ctx)
	if c.fault(ctx) != nil {
		return inner, func() {}
	}
	told, ok := c.caller.(invocations)
	if !ok {
		return inner, func() {}
	}
	var deadline time.Time
	if d, ok := ctx.Deadline(); ok {
		deadline = c.now().Wall.Add(time.Until(d))
	}
	quietly(func() { told.InvocationStart(in.ID, deadline, in.Trace, in.Tenant) })
	return inner, sync.OnceFunc(func() { quietly(func() { told.InvocationDone(in.ID) }) })
}

// quietly runs f; a fault in what is only told must not cost an invocation.
func quietly(f func()) {
	defer func() { _ = recover() }()
	f()
}
