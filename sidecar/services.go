package sidecar

import (
	"context"
	"errors"
	"fmt"
	"runtime/debug"

	"github.com/liftmesh/lift"
	"github.com/liftmesh/lift/internal/wire"
	liftv1 "github.com/liftmesh/lift/proto/lift/v1"
)

// Services implements the question of what is known. It is answered while the
// sidecar drains, too.
func (d *door) Services(ctx context.Context, req *liftv1.ServicesRequest) (out *liftv1.ServicesResponse, err error) {
	defer func() {
		if p := recover(); p != nil {
			out, err = nil, d.rpcPanicked("Services", p)
		}
	}()
	teller, ok := d.cfg.Caller.(lift.Teller)
	if !ok {
		return nil, wire.Status(&lift.Error{Code: lift.Internal, Err: errors.New("what takes the calls here cannot tell of services")}, "", d.cfg.Now())
	}
	all, err := teller.Services(ctx, req.GetNames()...)
	if err != nil {
		return nil, wire.Status(err, "", d.cfg.Now())
	}
	return &liftv1.ServicesResponse{Services: wire.Services(all)}, nil
}

// rpcPanicked logs a panic in an RPC that is no call, and returns what it ends with.
func (d *door) rpcPanicked(name string, p any) error {
	d.cfg.Log.Error("an RPC panicked; it alone fails", "rpc", name, "panic", fmt.Sprint(p), "stack", string(debug.Stack()))
	return wire.Status(&lift.Error{Code: lift.Internal, Err: fmt.Errorf("%s panicked inside the sidecar, which lives on; this is a bug in Lift: %v", name, p)}, "", d.cfg.Now())
}
