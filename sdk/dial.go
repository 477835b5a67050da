package sdk

import (
	"context"
	"errors"
	"fmt"
	"os"

	"github.com/liftmesh/lift"
	"github.com/liftmesh/lift/internal/session"
)

// defaultSocket is where [Dial] looks for the sidecar if it is told no other
// place, and where lift-extension listens by default.
const defaultSocket = "/tmp/lift/lift.sock"

// Dial returns a client of the sidecar at an address: the path of its unix socket
// (/tmp/lift/lift.sock, or unix:/tmp/lift/lift.sock), or, beside a container that
// shares no volume, an address of the loopback (127.0.0.1:4141; see `api:` in
// lift.yaml). "" is $LIFT_SOCKET, and without that /tmp/lift/lift.sock.
//
// Dial connects at the first call or invocation, not before, so it costs a
// function's init nothing and does not fail where there is no sidecar: calls do,
// with [lift.NoSidecar], after waiting up to a second for one to come up. A
// session that was lost is opened again by the next call. Dial itself fails, with
// [lift.Misconfigured], for an address that cannot be one and for a nil option.
func Dial(socket string, opts ...Option) (*Client, error) {
	from := "sdk.Dial"
	if socket == "" {
		socket, from = os.Getenv("LIFT_SOCKET"), "sdk.Dial with $LIFT_SOCKET"
	}
	if socket == "" {
		socket = defaultSocket
	}
	c := newClient(opts)
	if c.wrong != nil {
		return nil, c.fault(context.Background())
	}
	s, err := session.Dial(socket, session.Options{Now: c.now, Grace: grace})
	if err != nil {
		return nil, &lift.Error{Code: lift.CodeOf(err), Err: fmt.Errorf("%s: %w", from, errors.Unwrap(err))}
	}
	c.caller, c.closer = s, s
	return c, nil
}
