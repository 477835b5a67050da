package main

import (
	"github.com/liftmesh/lift"
	"github.com/liftmesh/lift/config"
	"github.com/liftmesh/lift/internal/session"
)

// dial opens a session to the sidecar on socket.
func dial(socket string) (sidecar *session.Client, hangUp func(), err error) {
	client, err := session.Dial(socket, session.Options{Software: "lift-cli " + release()})
	if err != nil {
		return nil, nil, err
	}
	return client, func() { _ = client.Close() }, nil
}

// socketPath returns the flag's value, else $LIFT_SOCKET, else the configuration's
// socket or its default.
func socketPath(flag string, lookup config.Lookup) string {
	if flag != "" {
		return flag
	}
	if at, _ := lookup("LIFT_SOCKET"); at != "" { // may be an address, as for sdk.Dial, which is no `socket:`
		return at
	}
	cfg, _ := load(nil, "", lookup) // its faults are not this command's; the socket is usable
	return cfg.Socket
}

// A session calls and tells.
var (
	_ lift.Caller = (*session.Client)(nil)
	_ lift.Teller = (*session.Client)(nil)
)
