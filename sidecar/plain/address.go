package plain

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"path/filepath"
	"strconv"
	"strings"
)

// Address is where the door listens.
type Address struct {
	// Network is "unix" or "tcp".
	Network string
	// Addr is a path, or the IP address of the loopback and a port.
	Addr string
	// Service, if not "", is the one service that is called here, whatever the
	// request's Host says.
	Service string
}

// String is the address as a configuration has it.
func (a Address) String() string {
	if a.Network == "unix" {
		return "unix:" + a.Addr
	}
	return a.Addr
}

// maxPath is the longest path of a unix socket on the systems that Lift runs on.
const maxPath = 103

// ParseAddress reads unix:/path/of/a.sock or 127.0.0.1:port. Other addresses
// than the loopback's are refused: who reaches the door calls in the
// application's name.
func ParseAddress(s string) (Address, error) {
	if path, ok := strings.CutPrefix(s, "unix:"); ok {
		a := Address{Network: "unix", Addr: path}
		return a, a.check()
	}
	host, port, err := net.SplitHostPort(s)
	if err != nil {
		return Address{}, errors.New("want unix:/path/of/a.sock, or an address of the loopback with a port, such as 127.0.0.1:4140")
	}
	if n, err := strconv.ParseUint(port, 10, 16); err != nil || n == 0 || strconv.FormatUint(n, 10) != port {
		return Address{}, fmt.Errorf("the port %q is not a number from 1 to 65535", port)
	}
	a := Address{Network: "tcp", Addr: net.JoinHostPort(host, port)}
	return a, a.check()
}

func (a Address) check() error {
	switch a.Network {
	case "unix":
		switch {
		case !filepath.IsAbs(a.Addr) || strings.HasSuffix(a.Addr, "/"):
			return errors.New("want an absolute path behind unix:, such as unix:/tmp/lift/plain.sock")
		case len(a.Addr) > maxPath:
			return fmt.Errorf("the path has %d bytes; want at most %d, which is what a unix socket's address holds", len(a.Addr), maxPath)
		}
		return nil
	case "tcp":
		host, _, err := net.SplitHostPort(a.Addr)
		if err != nil {
			return fmt.Errorf("the address %q: %w", a.Addr, err)
		}
		ip, err := netip.ParseAddr(host)
		switch {
		case err != nil:
			return fmt.Errorf("%q is not an IP address; want 127.0.0.1 or [::1], so that it is sure to be the loopback", host)
		case !ip.IsLoopback() || ip.Zone() != "":
			return fmt.Errorf("%s is not on the loopback; want 127.0.0.1 or [::1], because everyone who reaches the plain door calls in the application's name", host)
		}
		return nil
	}
	return fmt.Errorf("the network %q is neither unix nor tcp", a.Network)
}
