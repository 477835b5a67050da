package socket

import (
	"net"
	"syscall"
)

// peerPID returns the process that listens at the other end of conn.
func peerPID(conn net.Conn) (pid int, ok bool) {
	sc, ok := conn.(syscall.Conn)
	if !ok {
		return 0, false
	}
	raw, err := sc.SyscallConn()
	if err != nil {
		return 0, false
	}
	var cred *syscall.Ucred
	if cerr := raw.Control(func(fd uintptr) {
		cred, err = syscall.GetsockoptUcred(int(fd), syscall.SOL_SOCKET, syscall.SO_PEERCRED) //nolint:gosec // a descriptor
	}); cerr != nil || err != nil {
		return 0, false
	}
	return int(cred.Pid), true
}
