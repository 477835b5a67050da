package registry

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"net/url"
	"strconv"
	"strings"
	"time"
)

// Check is how a registry finds out whether an instance is healthy: by the answer of an
// HTTP URL, by a connection to a TCP address, or by a sign of life from the registrar
// within a TTL. At most one of the three is set.
//
// HTTP and TCP lead to the host of the instance's own address, at any port. A program
// that may announce itself could otherwise have the registrar connect to any place that
// the registrar reaches. For the same reason redirects are not followed.
type Check struct {
	// HTTP is a URL that answers 2xx while the instance is healthy.
	HTTP string
	// TCP is a host:port that accepts connections while the instance is healthy.
	TCP string
	// Host is the host that HTTP and TCP lead to instead of the instance's own, such as
	// 127.0.0.1 where Lift and the instance share a machine; "" is the instance's own.
	// The operator of the registrar grants it: the Lift API does not carry it, so a
	// program that announces itself to a sidecar cannot set it.
	Host string
	// TTL is how long a sign of life from the [Registrar] is valid. The Registrar gives
	// them while the process runs. At least 1 s.
	TTL time.Duration
	// Interval is the time between two checks by HTTP or TCP; 0 means
	// [DefaultInterval]. At least 1 s.
	Interval time.Duration
	// Timeout limits the wait for an answer; 0 means the Interval, at most 10 s.
	Timeout time.Duration
	// RemoveAfter is how long an instance may be unhealthy before the registry forgets
	// it; 0 means never. It is for processes that die without deregistering.
	RemoveAfter time.Duration
}

// DefaultInterval is the interval of a check that sets none. Source: the examples of
// Consul's documentation.
const DefaultInterval = 10 * time.Second

// IsZero reports whether there is no check.
func (c Check) IsZero() bool { return c == Check{} }

// WithDefaults returns the check with its defaults filled in. Only HTTP and TCP have
// defaults.
func (c Check) WithDefaults() Check {
	if c.HTTP == "" && c.TCP == "" {
		return c
	}
	if c.Interval == 0 {
		c.Interval = DefaultInterval
	}
	if c.Timeout == 0 {
		c.Timeout = min(c.Interval, 10*time.Second)
	}
	return c
}

// validate returns what is wrong with the check of an instance at addr, or nil.
func (c Check) validate(addr string) error {
	kinds := 0
	for _, set := range []bool{c.HTTP != "", c.TCP != "", c.TTL != 0} {
		if set {
			kinds++
		}
	}
	switch {
	case c.IsZero():
		return nil
	case kinds != 1:
		return errors.New("set exactly one of http, tcp and ttl")
	case c.TTL < 0 || c.Interval < 0 || c.Timeout < 0 || c.RemoveAfter < 0:
		return errors.New("times must not be negative")
	case c.TTL != 0 && c.TTL < time.Second:
		return fmt.Errorf("a ttl of %s is too short; 1s is the shortest", c.TTL)
	case c.TTL != 0 && (c.Interval != 0 || c.Timeout != 0):
		return errors.New("a ttl check takes neither interval nor timeout, because nothing is asked; remove them")
	case c.Interval != 0 && c.Interval < time.Second:
		return fmt.Errorf("an interval of %s is too short; 1s is the shortest", c.Interval)
	case c.TCP != "":
		if err := reachable(c.TCP); err != nil {
			return fmt.Errorf("tcp %q: %w", c.TCP, err)
		}
		host, _, _ := net.SplitHostPort(c.TCP)
		if err := c.leadsTo(host, addr); err != nil {
			return fmt.Errorf("tcp %q: %w", c.TCP, err)
		}
	case c.HTTP != "":
		u, err := url.Parse(c.HTTP)
		if err != nil {
			return fmt.Errorf("http: %w", err)
		}
		if u.Scheme != "http" && u.Scheme != "https" || u.Hostname() == "" {
			return fmt.Errorf("http %q: a whole URL is needed, such as %q", c.HTTP, "http://10.0.0.7:8080/healthz")
		}
		if u.User != nil {
			return fmt.Errorf("http %q: a user and password are not supported; remove what is before the @", u.Redacted())
		}
		if n, err := strconv.ParseUint(u.Port(), 10, 16); u.Port() != "" && (err != nil || n == 0) {
			return fmt.Errorf("http %q: %q is not a port from 1 to 65535", c.HTTP, u.Port())
		}
		if err := c.leadsTo(u.Hostname(), addr); err != nil {
			return fmt.Errorf("http %q: %w", c.HTTP, err)
		}
	}
	return nil
}

// leadsTo reports an error if host is not the one that the check of an instance at addr
// may ask.
func (c Check) leadsTo(host, addr string) error {
	if c.Host != "" {
		if !sameHost(host, c.Host) {
			return fmt.Errorf("the host is %s; want that of Check.Host, %s", host, c.Host)
		}
		return nil
	}
	own, _, err := net.SplitHostPort(addr)
	if err == nil && !sameHost(host, own) { // invalid addresses were refused above
		return fmt.Errorf("the host is %s; want the instance's own, %s, at any port", host, own)
	}
	return nil
}

// sameHost compares hosts as they are dialed: addresses by their value, an IPv4 address
// in IPv6 as the IPv4 address, names without case and final dot.
func sameHost(a, b string) bool {
	x, errX := netip.ParseAddr(strings.Trim(a, "[]"))
	y, errY := netip.ParseAddr(strings.Trim(b, "[]"))
	if errX == nil && errY == nil {
		return x.Unmap() == y.Unmap()
	}
	return errX != nil && errY != nil && strings.EqualFold(strings.TrimSuffix(a, "."), strings.TrimSuffix(b, "."))
}
