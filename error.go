package lift

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"
)

// Code names one kind of failure. Codes are errors themselves, so that
// errors.Is(err, lift.AllOpen) asks for the kind. docs/errors.md says when each
// occurs and what to do.
type Code string

// Codes.
const (
	// UnknownService: no service of that name is configured.
	UnknownService Code = "unknown_service"
	// Misconfigured: the service's configuration is broken.
	Misconfigured Code = "misconfigured"
	// InvalidCall: the call itself is malformed; nothing was sent.
	InvalidCall Code = "invalid_call"
	// TooLarge: a header or body is over its limit.
	TooLarge Code = "too_large"
	// NoSet: the registry has not yet returned the service's endpoints.
	NoSet Code = "no_set"
	// NoEndpoints: the registry lists no endpoints for the service.
	NoEndpoints Code = "no_endpoints"
	// AllOpen: every endpoint's breaker is open; nothing was sent.
	AllOpen Code = "all_open"
	// Unavailable: an endpoint could not be reached, or broke the connection.
	Unavailable Code = "unavailable"
	// BadResponse: an endpoint's answer was not valid HTTP, broke off, or was too large.
	BadResponse Code = "bad_response"
	// AttemptTimeout: no endpoint answered within the attempt's timeout.
	AttemptTimeout Code = "attempt_timeout"
	// DeadlineExceeded: the call's time was up.
	DeadlineExceeded Code = "deadline_exceeded"
	// CallCanceled: the caller gave up.
	CallCanceled Code = "canceled"
	// SessionLost: the session to the sidecar broke while the call was in flight.
	SessionLost Code = "session_lost"
	// NoSidecar: no sidecar answers on the socket.
	NoSidecar Code = "no_sidecar"
	// Incompatible: SDK and sidecar have no protocol version in common.
	Incompatible Code = "incompatible"
	// Busy: a limit of the sidecar is reached (peers, calls of a peer).
	Busy Code = "busy"
	// Draining: the process is shutting down.
	Draining Code = "draining"
	// Internal: a bug in Lift, contained.
	Internal Code = "internal"
)

// Error returns the code's name.
func (c Code) Error() string { return string(c) }

// Error is the one error that leaves every [Caller].
type Error struct {
	Code    Code
	Service string
	// Endpoint is where the last attempt went, "" if there was none.
	Endpoint string
	// Attempts is the record of what was tried, in order.
	Attempts []AttemptRecord
	// Reached says whether an endpoint may have acted on the call.
	Reached Reached
	// Err says what is wrong and how to fix it.
	Err error
}

// Error returns one line: the service, the cause, the attempts, and whether an
// endpoint may have acted.
func (e *Error) Error() string {
	var b strings.Builder
	b.WriteString("lift: ")
	if e.Service != "" {
		b.WriteString(e.Service)
		b.WriteString(": ")
	}
	b.WriteString(string(e.Code))
	if e.Err != nil {
		b.WriteString(": ")
		b.WriteString(e.Err.Error())
	}
	if len(e.Attempts) > 0 {
		b.WriteString(" [")
		for i := range e.Attempts {
			a := &e.Attempts[i]
			if i > 0 {
				b.WriteString("; ")
			}
			fmt.Fprintf(&b, "attempt %d at %s: %s", i+1, a.Endpoint.Addr, a.Outcome)
			if a.Status != 0 {
				fmt.Fprintf(&b, " %d", a.Status)
			}
			if a.GRPC != "" {
				fmt.Fprintf(&b, " grpc-status %s", a.GRPC)
			}
			if a.Err != nil && i < len(e.Attempts)-1 { // the last attempt's error is the error's own
				fmt.Fprintf(&b, " (%s)", a.Cause())
			}
			fmt.Fprintf(&b, " after %s", a.Duration().Round(100*time.Microsecond))
		}
		b.WriteString("]")
	}
	if e.Reached == MayHaveActed {
		b.WriteString(" (an endpoint may have acted)")
	}
	return b.String()
}

// Unwrap returns the cause.
func (e *Error) Unwrap() error { return e.Err }

// Is matches a [Code], and the errors of package context that mean the same.
func (e *Error) Is(target error) bool {
	if c, ok := target.(Code); ok {
		return e.Code == c
	}
	switch target {
	case context.DeadlineExceeded:
		return e.Timeout()
	case context.Canceled:
		return e.Code == CallCanceled
	}
	return false
}

// Timeout reports whether time was up. It is the method of [net.Error], and also
// works through a url.Error.
func (e *Error) Timeout() bool { return e.Code == DeadlineExceeded || e.Code == AttemptTimeout }

// CodeOf returns the code of the [*Error] in err's chain, or "" if there is none.
func CodeOf(err error) Code {
	if e, ok := errors.AsType[*Error](err); ok {
		return e.Code
	}
	return ""
}

// Errorf makes an Error for c from a code and a cause; args are as for
// [fmt.Errorf]. It copies c's record: the attempts, the last endpoint, and the
// furthest that any attempt reached.
func Errorf(c *Call, code Code, format string, args ...any) *Error {
	e := &Error{Code: code, Service: c.Service, Err: fmt.Errorf(format, args...)}
	e.take(c)
	return e
}

// Recorded returns err with c's current record, if err is an [*Error]. An error that
// was made while an attempt ran does not know yet how the attempt ended.
func Recorded(c *Call, err error) error {
	e, ok := errors.AsType[*Error](err)
	if !ok {
		return err
	}
	whole := *e
	whole.take(c)
	return &whole
}

// Cause returns err without a record, for an attempt to keep.
func Cause(err error) error {
	e, ok := errors.AsType[*Error](err)
	if !ok {
		return err
	}
	bare := *e
	bare.Attempts, bare.Reached = nil, NotReached
	return &bare
}

func (e *Error) take(c *Call) {
	attempts := c.Attempts()
	if len(attempts) == 0 {
		return
	}
	e.Attempts = attempts
	e.Endpoint = attempts[len(attempts)-1].Endpoint.Addr
	for i := range attempts {
		e.Reached = max(e.Reached, attempts[i].Reached)
	}
}
