package wire

import "strings"

// Network is what the address of a sidecar is one of: "unix" for the path of a
// socket, "tcp" for a host and a port.
func Network(at string) string {
	if strings.Contains(at, "/") || !strings.Contains(at, ":") {
		return "unix"
	}
	return "tcp"
}
