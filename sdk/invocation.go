package sdk

import (
	"context"
	"sync"
	"time"
)

// traceHeader carries the trace of the invocation, all of it: Lambda's loop
// detection goes by its Lineage.
const traceHeader = "X-Amzn-Trace-Id"

// Invocation describes one run of a function.
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

// Invocation tells the sidecar that a run of the function begins and has ctx's
// deadline. It returns a context whose calls carry the invocation's trace and tenant,
// and done, which tells the sidecar that the run is over; calling done twice does
// nothing. Neither waits for the sidecar, and neither fails without one. With a nil
// client or context the sidecar is told nothing, and calls fail and say what is nil.
// Package sdk/lambda calls Invocation for handlers of aws-lambda-go.
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
