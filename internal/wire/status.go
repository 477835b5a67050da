package wire

import (
	"context"
	"errors"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/liftmesh/lift"
	liftv1 "github.com/liftmesh/lift/proto/lift/v1"
)

// StatusCode is the gRPC code that says what code says. Only what no endpoint
// can have acted on, or what is about a moment's state, is UNAVAILABLE: clients
// send that again.
func StatusCode(code lift.Code) codes.Code {
	switch code {
	case lift.UnknownService:
		return codes.NotFound
	case lift.InvalidCall:
		return codes.InvalidArgument
	case lift.Misconfigured, lift.Incompatible:
		return codes.FailedPrecondition
	case lift.TooLarge, lift.Busy:
		return codes.ResourceExhausted
	case lift.NoSet, lift.NoEndpoints, lift.AllOpen, lift.Unavailable, lift.Draining, lift.NoSidecar, lift.SessionLost:
		return codes.Unavailable
	case lift.AttemptTimeout, lift.DeadlineExceeded:
		return codes.DeadlineExceeded
	case lift.CallCanceled:
		return codes.Canceled
	case lift.BadResponse:
		return codes.Unknown
	case lift.Internal:
		return codes.Internal
	default:
		return codes.Unknown
	}
}

// Status returns err as a gRPC status with a lift.v1.Error as its detail.
func Status(err error, service string, began lift.Instant) error {
	w := Error(err, service, began)
	s := status.New(StatusCode(lift.Code(w.GetCode())), text(err.Error()))
	if detailed, derr := s.WithDetails(w); derr == nil {
		s = detailed
	}
	return s.Err()
}

// FromStatus returns the [*lift.Error] that a gRPC error carries, nil if it
// carries none.
func FromStatus(err error, began lift.Instant) *lift.Error {
	for _, d := range status.Convert(err).Details() {
		if w, ok := d.(*liftv1.Error); ok {
			return FromError(w, began)
		}
	}
	return nil
}

// Canceled is the code of a call that was given up for cause: its time was up,
// or its caller went away.
func Canceled(cause error) lift.Code {
	if errors.Is(cause, context.DeadlineExceeded) {
		return lift.DeadlineExceeded
	}
	return lift.CallCanceled
}
