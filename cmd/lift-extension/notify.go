package main

import (
	"context"
	"net"
	"time"

	"github.com/liftmesh/lift/config"
)

// What a process manager is told.
const (
	ready    = "READY=1"    // every door is open
	stopping = "STOPPING=1" // the drain has begun
)

// notify tells the process manager the sidecar's state by systemd's protocol
// (sd_notify): one datagram to the unix socket $NOTIFY_SOCKET, so that `lift run`
// and units of Type=notify wait until calls can be made. It does nothing where the
// variable is not set. A manager that cannot be told is no reason to stop, so an
// error is dropped.
func notify(lookup config.Lookup, state string) {
	at, _ := lookup("NOTIFY_SOCKET")
	if at == "" {
		return
	}
	var d net.Dialer
	c, err := d.DialContext(context.Background(), "unixgram", at) // "@" at its start: Linux's abstract names
	if err != nil {
		return
	}
	defer c.Close()
	_ = c.SetWriteDeadline(time.Now().Add(time.Second)) // a manager that does not read must not hold the start
	_, _ = c.Write([]byte(state))
}
