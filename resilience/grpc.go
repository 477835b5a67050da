package resilience

import (
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/liftmesh/lift"
)

// noStatus stands in an attempt's record for a gRPC answer that ended without a
// grpc-status.
const noStatus = "none"

// The status codes of gRPC that Lift distinguishes. Source: gRPC's statuscodes.md.
const (
	grpcOK                = 0
	grpcCanceled          = 1
	grpcInvalidArgument   = 3
	grpcDeadlineExceeded  = 4
	grpcNotFound          = 5
	grpcAlreadyExists     = 6
	grpcPermissionDenied  = 7
	grpcResourceExhausted = 8
	grpcFailedPrecond     = 9
	grpcAborted           = 10
	grpcOutOfRange        = 11
	grpcUnimplemented     = 12
	grpcUnavailable       = 14
	grpcUnauthenticated   = 16
)

// nearDeadline is how close to the call's deadline an endpoint's DEADLINE_EXCEEDED must
// come to be put down to that deadline: grpc-timeout had told the endpoint of it.
const nearDeadline = 50 * time.Millisecond

// ReadGRPC copies grpc-status and grpc-retry-pushback-ms of the answer to a gRPC call
// into the attempt's record: from the head if the answer has nothing else
// (Trailers-Only), else from the trailers once it has ended. It ignores an answer that
// is not gRPC or has another HTTP status than 200, as a proxy in front may send it; that
// one is judged by its HTTP status.
func ReadGRPC(a *lift.Attempt, resp *lift.Response, ended bool) {
	if resp == nil || resp.Status != http.StatusOK || !lift.IsGRPC(a.Call.Header) {
		return
	}
	fields := resp.Header
	if ended && !lift.Has(fields, "Grpc-Status") {
		fields = resp.Body.Trailer()
	}
	a.GRPC = lift.Get(fields, "Grpc-Status")
	if a.GRPC == "" && ended {
		a.GRPC = noStatus
	}
	if lift.Has(fields, "Grpc-Retry-Pushback-Ms") {
		a.RetryAfter = pushback(lift.Get(fields, "Grpc-Retry-Pushback-Ms"))
	}
}

// pushback returns how long the server asks to wait before another try. A negative
// result means no other try; so does a value that is not a number. Source: gRPC
// proposal A6.
func pushback(value string) time.Duration {
	ms, err := strconv.ParseInt(strings.TrimSpace(value), 10, 32)
	switch {
	case err != nil || ms < 0:
		return -1
	case ms == 0:
		return 1 // at once; 0 means that the server said nothing
	default:
		return time.Duration(ms) * time.Millisecond
	}
}

// byGRPC returns the outcome for a grpc-status. UNKNOWN, INTERNAL, DATA_LOSS,
// DEADLINE_EXCEEDED and UNAVAILABLE are the endpoint's, as in linkerd2's load biaser
// and breaker; RESOURCE_EXHAUSTED asks for less; the rest is about the request. A code
// that gRPC does not know counts as UNKNOWN, and so does a missing one.
func byGRPC(a *lift.Attempt, now lift.Instant) lift.Outcome {
	code, err := strconv.Atoi(a.GRPC)
	if err != nil {
		code = -1
	}
	switch code {
	case grpcOK:
		return lift.OK
	case grpcCanceled, grpcInvalidArgument, grpcNotFound, grpcAlreadyExists, grpcPermissionDenied, grpcFailedPrecond,
		grpcAborted, grpcOutOfRange, grpcUnimplemented, grpcUnauthenticated:
		return lift.CallerFault
	case grpcResourceExhausted:
		return lift.Overloaded
	case grpcDeadlineExceeded:
		if until := a.Call.Deadline; !until.IsZero() && until.Sub(now.Wall) < nearDeadline {
			return lift.CutShort
		}
	}
	if straddled(a, now, nil) {
		return lift.Straddled // the timer that fired may be one that ran on in a freeze
	}
	return lift.Failed
}
