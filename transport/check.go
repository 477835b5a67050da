package transport

import (
	"errors"
	"fmt"
	"net/netip"
	"net/url"
	"strconv"
	"strings"

	"github.com/liftmesh/lift"
)

// CheckHost says what is wrong with s as [Config.Host], nil if nothing is.
func CheckHost(s string) error {
	host, port, hasPort := s, "", false
	if i := strings.LastIndexByte(s, ':'); i > strings.LastIndexByte(s, ']') {
		host, port, hasPort = s[:i], s[i+1:], true
	}
	if !isHostName(host) && !isBracketed(host) || strings.Contains(port, "/") {
		return errors.New("want a host, or host:port, such as orders.example.com, without scheme and path; IPv6 in brackets, other scripts in their xn-- form")
	}
	if n, err := strconv.ParseUint(port, 10, 16); hasPort && (err != nil || n == 0) {
		return fmt.Errorf("%q is not a port; want 1 to 65535", port)
	}
	if !isBracketed(host) {
		return lift.CheckHost(host)
	}
	return nil
}

// CheckServerName says what is wrong with s as [TLS.ServerName], nil if nothing is.
func CheckServerName(s string) error {
	if _, err := netip.ParseAddr(s); err == nil || isHostName(s) {
		return lift.CheckHost(s)
	}
	return errors.New("want a name such as orders.example.com, or an IP address, without port")
}

func isHostName(s string) bool {
	return s != "" && len(s) <= 253 && !strings.ContainsFunc(s, func(r rune) bool {
		return (r < 'a' || r > 'z') && (r < 'A' || r > 'Z') && (r < '0' || r > '9') && !strings.ContainsRune("-._", r)
	})
}

// isBracketed reports whether s is an IPv6 address as it stands in a Host header.
func isBracketed(s string) bool {
	if !strings.HasPrefix(s, "[") || !strings.HasSuffix(s, "]") {
		return false
	}
	a, err := netip.ParseAddr(s[1 : len(s)-1])
	return err == nil && a.Is6() && a.Zone() == ""
}

// CheckPathPrefix says what is wrong with s as [Config.PathPrefix], nil if
// nothing is.
func CheckPathPrefix(s string) error {
	if !strings.HasPrefix(s, "/") || strings.HasSuffix(s, "/") {
		return errors.New("want a path that begins with a slash and does not end in one, such as /prod")
	}
	if strings.ContainsAny(s, "?#") {
		return errors.New("want a path alone, without query and fragment")
	}
	u, err := url.ParseRequestURI(s)
	if err != nil || u.RequestURI() != s {
		return errors.New("want it percent-encoded, such as /my%20app")
	}
	for segment := range strings.SplitSeq(s[1:], "/") {
		if plain, _ := url.PathUnescape(segment); plain == "" || plain == "." || plain == ".." {
			return errors.New("want no empty segments, and neither . nor .. as one")
		}
	}
	return nil
}
