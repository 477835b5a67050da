package wire

import (
	"fmt"
	"net"
	"strconv"
	"strings"
)

// maxSocketPath is how many bytes the path of a unix socket may have: sun_path of
// Linux, 108 bytes, less its closing zero. macOS takes 103.
const maxSocketPath = 107

// Address reads where a sidecar is: the path of its unix socket, with or without
// the scheme unix: (unix:/tmp/lift/lift.sock, unix:///tmp/lift/lift.sock), or a host
// and a port (127.0.0.1:4141). It returns what [net.Dial] takes. The error says
// what is wrong with at and what to write.
func Address(at string) (network, addr string, err error) {
	const want = `want the path of the sidecar's unix socket, such as "/tmp/lift/lift.sock", or the host:port of its api:, such as "127.0.0.1:4141"`
	path, isUnix := strings.CutPrefix(at, "unix:")
	if strings.HasPrefix(path, "//") && isUnix {
		if path = strings.TrimPrefix(path, "//"); !strings.HasPrefix(path, "/") {
			return "", "", fmt.Errorf("%q has no path after unix://; %s", at, want)
		}
	}
	switch {
	case path == "":
		return "", "", fmt.Errorf("the address %q names no socket; %s", at, want)
	case strings.ContainsRune(path, 0):
		return "", "", fmt.Errorf("the address %q has a zero byte; %s", at, want)
	case !isUnix && strings.Contains(at, "://"):
		return "", "", fmt.Errorf("%q is a URL; %s", at, want)
	case isUnix, strings.Contains(path, "/"), !strings.Contains(path, ":"):
		if len(path) > maxSocketPath {
			return "", "", fmt.Errorf("the socket's path %q has %d bytes, and the system takes %d; choose a shorter one here and as socket: in lift.yaml", path, len(path), maxSocketPath)
		}
		return "unix", path, nil
	}
	host, port, err := net.SplitHostPort(at)
	if err != nil {
		return "", "", fmt.Errorf("%q is not a host and a port; %s", at, want)
	}
	if n, err := strconv.ParseUint(port, 10, 16); err != nil || n == 0 {
		return "", "", fmt.Errorf("%q has the port %q, which is not a number from 1 to 65535; %s", at, port, want)
	}
	if host == "" {
		return "", "", fmt.Errorf("%q has no host; %s", at, want)
	}
	return "tcp", at, nil
}
