package sidecar

import (
	"context"
	"errors"
	"fmt"

	"github.com/liftmesh/lift"
	"github.com/liftmesh/lift/internal/wire"
	liftv1 "github.com/liftmesh/lift/proto/lift/v1"
)

// Call implements the unary call, for everybody with a proto compiler.
func (d *door) Call(ctx context.Context, req *liftv1.CallRequest) (*liftv1.CallResponse, error) {
	now := d.cfg.Now()
	var c lift.Call
	wire.Fill(&c, req, now)
	if refusal := d.admitCall(&c, req); refusal != nil {
		d.refused(&c, refusal)
		return nil, wire.Status(refusal, req.GetService(), now)
	}
	defer d.finish()
	lift.Observe(d.cfg.Caller, &c)
	defer c.End() // before finish: a drain waits for it
	resp, err := d.unary(ctx, &c, req)
	if err != nil {
		c.Fail(err)
		return nil, wire.Status(err, req.GetService(), now)
	}
	return resp, nil
}

// admitCall begins the call, which finish ends, or returns why it is refused.
func (d *door) admitCall(c *lift.Call, req *liftv1.CallRequest) *lift.Error {
	limits := &d.cfg.Limits
	if n := wire.FieldsSize(req.GetHeader()) + len(req.GetPath()); n > limits.MaxHeader {
		return lift.Errorf(c, lift.TooLarge, "path and header have %d bytes, 32 for each field included; the limit is %d: send less, or raise limits.header in lift.yaml", n, limits.MaxHeader)
	}
	if n := len(req.GetBody()); n > limits.MaxBody {
		return lift.Errorf(c, lift.TooLarge, "the body has %d bytes, and the limit of a unary call is %d: use a session or the plain door, or raise limits.body in lift.yaml", n, limits.MaxBody)
	}
	return d.begin(c.Service)
}

func (d *door) unary(ctx context.Context, c *lift.Call, req *liftv1.CallRequest) (out *liftv1.CallResponse, err error) {
	limits := &d.cfg.Limits
	if len(req.GetBody()) > 0 {
		c.Body = lift.BytesBody(req.GetBody())
	}
	if deadline, ok := ctx.Deadline(); ok && c.Deadline.IsZero() {
		c.Deadline = deadline.Round(0) // gRPC's timeout counts from its coming
	}
	stop := context.AfterFunc(ctx, func() { c.Cancel(ctx.Err()) })
	defer stop()
	defer func() {
		if p := recover(); p != nil {
			out, err = nil, d.panicked(c, p)
		}
	}()
	resp, err := d.contained(c)
	if err != nil {
		return nil, err
	}
	body, err := resp.Body.ReadAll(int64(limits.MaxBody))
	switch {
	case errors.Is(err, lift.TooLarge):
		e := lift.Errorf(c, lift.TooLarge, "the answer's body has more than the %d bytes that a unary call takes; use a session or the plain door, or raise limits.body in lift.yaml", limits.MaxBody)
		e.Reached = lift.Answered
		return nil, e
	case err != nil:
		if _, ok := errors.AsType[*lift.Error](err); ok {
			return nil, err
		}
		code := lift.Unavailable
		if cause := c.Err(); cause != nil {
			code = wire.Canceled(cause)
		}
		e := lift.Errorf(c, code, "%w", fmt.Errorf("the answer broke off: %w", err))
		e.Reached = lift.Answered
		return nil, e
	}
	return &liftv1.CallResponse{
		Status:   int32(resp.Status), //nolint:gosec // three digits
		Header:   wire.Fields(resp.Header),
		Body:     body,
		Trailer:  wire.Fields(resp.Body.Trailer()),
		Attempts: wire.Attempts(c.Attempts(), c.Began),
	}, nil
}
