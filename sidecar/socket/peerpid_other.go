//go:build !linux

package socket

import "net"

// peerPID is only known on Linux.
func peerPID(net.Conn) (pid int, ok bool) { return 0, false }
