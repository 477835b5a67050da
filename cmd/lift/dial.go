package main

import (
	"github.com/liftmesh/lift"
	"github.com/liftmesh/lift/internal/session"
)

// dial opens a session to the sidecar on socket.
func dial(socket string) (caller lift.Caller, hangUp func(), err error) {
	client, err := session.Dial(socket, session.Options{Software: "lift-cli"})
	if err != nil {
		return nil, nil, err
	}
	return client, func() { _ = client.Close() }, nil
}
