package lift

import (
	"errors"
	"fmt"
	"net/netip"
	"strings"
)

// CheckHost returns why s is not the host of an address, or nil. A host is an IP
// address (IPv6 without brackets) or a DNS name: labels of letters, digits, dashes and
// underscores, at most 63 bytes each and 253 in all, with or without a dot at the end.
// A host that ends in a number and is not an IP address, such as 999.0.0.1, is refused,
// as in the WHATWG's URL standard: no name ends like that.
func CheckHost(s string) error {
	if addr, err := netip.ParseAddr(s); err == nil {
		if strings.Trim(addr.Zone(), hostLetters) != "" {
			return fmt.Errorf("%q is not a valid IP address: its zone is not the name of a network interface", s)
		}
		return nil
	}
	name := strings.TrimSuffix(s, ".")
	if name == "" {
		return errors.New("the host is missing")
	}
	if len(name) > 253 {
		return errors.New("the host has more than 253 bytes")
	}
	last := ""
	for label := range strings.SplitSeq(name, ".") {
		if label == "" || len(label) > 63 || strings.Trim(label, hostLetters) != "" {
			return fmt.Errorf("%q is not a valid host name or IP address", s)
		}
		last = label
	}
	if strings.Trim(last, "0123456789") == "" {
		return fmt.Errorf("%q is not a valid IP address (an IPv4 address has four numbers from 0 to 255)", s)
	}
	return nil
}

const hostLetters = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_"
