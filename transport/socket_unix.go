//go:build unix

package transport

import (
	"errors"
	"syscall"
)

// nothingToRead reports whether the socket has neither bytes nor an end nor an
// error to tell.
func nothingToRead(fd uintptr) bool {
	var b [1]byte
	_, _, err := syscall.Recvfrom(int(fd), b[:], syscall.MSG_PEEK|syscall.MSG_DONTWAIT)
	return errors.Is(err, syscall.EAGAIN) || errors.Is(err, syscall.EINTR)
}
