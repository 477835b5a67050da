package sdk

import (
	"os"

	"github.com/liftmesh/lift/internal/session"
)

// defaultSocket is where [Dial] looks for the sidecar if it is told no other
// place, and where lift-extension listens by default.
const defaultSocket = "/tmp/lift/lift.sock"

// Dial returns a client of the sidecar that listens on the unix socket at this
// path, or, beside a container that shares no volume, at this address of the
// loopback (127.0.0.1:4141, see `api:` in lift.yaml); "" is $LIFT_SOCKET, and
// without that /tmp/lift/lift.sock.
//
// It connects at the first call or invocation, not before, so it costs a
// function's init nothing and does not fail where there is no sidecar: calls do,
// with [lift.NoSidecar], after waiting up to a second for one to come up. A
// session that was lost is opened anew by the next call.
func Dial(socket string, opts ...Option) (*Client, error) {
	if socket == "" {
		socket = os.Getenv("LIFT_SOCKET")
	}
	if socket == "" {
		socket = defaultSocket
	}
	c := New(nil, opts...)
	s, err := session.Dial(socket, session.Options{Now: c.now, Grace: grace})
	if err != nil {
		return nil, err
	}
	c.caller, c.closer = s, s
	return c, nil
}
