//go:build !unix

package transport

// nothingToRead cannot be asked here; net/http's reader tells a moment later.
func nothingToRead(uintptr) bool { return true }
