package dns

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"strconv"
	"strings"

	"github.com/liftmesh/lift"
)

const (
	maxName  = 253
	maxLabel = 63
)

// CheckName returns what is wrong with a name to ask for, or nil. A name is letters,
// digits, dashes and underscores between dots; with a final dot, search domains are not
// tried.
func CheckName(name string) error {
	if _, err := netip.ParseAddr(name); err == nil {
		return errors.New("this is an address; want a name, or from: static for addresses")
	}
	if whole := strings.TrimSuffix(name, "."); strings.Trim(whole[strings.LastIndexByte(whole, '.')+1:], "0123456789") == "" && whole != "" {
		return lift.CheckHost(name)
	}
	whole := strings.TrimSuffix(name, ".")
	if whole == "" || len(whole) > maxName {
		return fmt.Errorf("want a name of 1 to %d characters, such as orders.internal", maxName)
	}
	for label := range strings.SplitSeq(whole, ".") {
		if label == "" || len(label) > maxLabel {
			return fmt.Errorf("want 1 to %d characters between two dots, such as orders.internal", maxLabel)
		}
		for i := range len(label) {
			c := label[i]
			if letter := c|0x20 >= 'a' && c|0x20 <= 'z'; !letter && (c < '0' || c > '9') && c != '-' && c != '_' {
				return errors.New("want letters, digits, dashes and underscores between dots, such as orders.internal")
			}
		}
	}
	return nil
}

// ParseServer reads the address of a DNS server, such as 10.0.0.2:53. The port defaults
// to 53. The host has to be an IP address, because a name would have to be looked up
// first.
func ParseServer(s string) (string, error) {
	host, port, err := net.SplitHostPort(s)
	if err != nil {
		host, port = strings.TrimSuffix(strings.TrimPrefix(s, "["), "]"), "53"
	}
	addr, ok := parseAddr(host)
	if !ok {
		return "", errors.New("want an IP address with its port, such as 10.0.0.2:53 or [fd00::2]:53")
	}
	if n, err := strconv.ParseUint(port, 10, 16); err != nil || n == 0 {
		return "", fmt.Errorf("%q is not a port; want 1 to 65535", port)
	}
	return net.JoinHostPort(addr.String(), port), nil
}

// parseAddr reads an IP address. Its zone, if it has one, is a plain word, as
// network interfaces are called.
func parseAddr(s string) (netip.Addr, bool) {
	addr, err := netip.ParseAddr(s)
	return addr, err == nil && !strings.ContainsAny(addr.Zone(), "[]%: \t")
}

// reachable reports whether there is a route to addr. Connecting a UDP socket sends
// nothing.
func reachable(addr netip.Addr) bool {
	c, err := net.DialUDP("udp", nil, net.UDPAddrFromAddrPort(netip.AddrPortFrom(addr, 9)))
	if err != nil {
		return false
	}
	_ = c.Close() // nothing was sent
	return true
}
