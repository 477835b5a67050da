package sdk

import (
	"errors"
	"fmt"

	"google.golang.org/grpc/status"

	"github.com/liftmesh/lift"
	"github.com/liftmesh/lift/internal/wire"
)

// rpcError is a failure of Lift's as gRPC's clients expect it: a status, and the
// [*lift.Error] for errors.As.
type rpcError struct {
	err   *lift.Error
	began lift.Instant
}

// status makes an error of the exchange one of gRPC's.
func (x *exchange) status(err error) error {
	e, ok := errors.AsType[*lift.Error](err)
	if !ok {
		return err // a status already
	}
	return &rpcError{e, x.call.Began}
}

// Error is in the form of gRPC's own errors.
func (e *rpcError) Error() string {
	return fmt.Sprintf("rpc error: code = %s desc = %s", wire.StatusCode(e.err.Code), e.err)
}

// Unwrap returns the [*lift.Error].
func (e *rpcError) Unwrap() error { return e.err }

// GRPCStatus is what [status.FromError] asks for.
func (e *rpcError) GRPCStatus() *status.Status {
	return status.Convert(wire.Status(e.err, e.err.Service, e.began))
}
