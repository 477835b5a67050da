package wire

import (
	"errors"

	"github.com/liftmesh/lift"
	liftv1 "github.com/liftmesh/lift/proto/lift/v1"
)

// Error returns err as it goes on the wire, the times in its record counted from
// began. An error that is no [*lift.Error] is [lift.Internal]: every error that
// leaves a Caller should be one.
func Error(err error, service string, began lift.Instant) *liftv1.Error {
	e, ok := errors.AsType[*lift.Error](err)
	if !ok {
		return &liftv1.Error{
			Code: string(lift.Internal), Service: text(service), Message: text(err.Error()),
			Reached: liftv1.Reached_REACHED_MAY_HAVE_ACTED,
		}
	}
	w := &liftv1.Error{
		Code:     text(string(e.Code)),
		Service:  text(e.Service),
		Endpoint: text(e.Endpoint),
		Reached:  liftv1.Reached(e.Reached),
		Attempts: Attempts(e.Attempts, began),
	}
	if e.Err != nil {
		w.Message = text(e.Err.Error())
	}
	return w
}

// FromError is the reverse of [Error]. Its cause is plain text.
func FromError(w *liftv1.Error, began lift.Instant) *lift.Error {
	e := &lift.Error{
		Code:     lift.Code(w.GetCode()),
		Service:  w.GetService(),
		Endpoint: w.GetEndpoint(),
		Reached:  reached(w.GetReached()),
		Attempts: FromAttempts(nil, w.GetAttempts(), began),
	}
	if w.GetMessage() != "" {
		e.Err = errors.New(w.GetMessage())
	}
	return e
}
