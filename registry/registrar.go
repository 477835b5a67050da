package registry

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"
)

// Registrar announces instances to a registry, so that others find them.
type Registrar interface {
	// Register announces i, or puts it in the place of what was announced under
	// i.ID. It returns once the registry has taken it, or with what was wrong;
	// ctx bounds the wait. The Registrar keeps the announcement alive (a check's
	// TTL, a registry that lost it) until Deregister. Safe for concurrent use.
	Register(ctx context.Context, i Instance) error
	// Deregister takes back what was announced under id. To take back what is not
	// there is no error. Safe for concurrent use.
	Deregister(ctx context.Context, id string) error
}

// Instance is what one announces of oneself. Check it with [Instance.Validate];
// a [Registrar] is given valid ones.
type Instance struct {
	// ID tells instances of the registry apart; announcing the same one again
	// replaces it. Required. Up to 128 characters: letters, digits and -._:@
	ID string
	// Service is the name that others look for. Required, at most 63 characters:
	// letters, digits, - and _ (what Consul and Cloud Map both take).
	Service string
	// Addr is where the instance is reached, host:port. Required. The host is an
	// IP address or a name, and none that says "everywhere" (0.0.0.0, ::).
	Addr string
	// Zone is the availability zone id (use1-az1), "" if unknown.
	Zone string
	// Weight is the instance's share relative to others. 0 means 1; at most 65,535.
	Weight int
	// Tags are what a subset can be chosen by. None is empty.
	Tags []string
	// Meta is for people and tools; Lift does not read it. Keys are not empty.
	Meta map[string]string
	// Check says how the registry finds out whether the instance is well. The
	// zero Check is none: the instance counts as well until it is taken back.
	Check Check
}

// Check is how a registry finds out whether an instance is well: it asks an
// HTTP URL, or connects to a TCP address, or waits for the registrar to say so
// within a TTL. At most one of the three is set.
type Check struct {
	// HTTP is a URL that answers 2xx while the instance is well.
	HTTP string
	// TCP is a host:port that takes connections while the instance is well.
	TCP string
	// TTL is for how long a sign of life from the [Registrar] is good. The
	// Registrar gives them while the process runs.
	TTL time.Duration
	// Interval is how often HTTP or TCP is asked; 0 is [DefaultInterval].
	Interval time.Duration
	// Timeout is how long an answer may take; 0 is the Interval, at most 10 s.
	Timeout time.Duration
	// RemoveAfter is how long an instance may be unwell before the registry
	// forgets it; 0 is never. It is for processes that die without a word.
	RemoveAfter time.Duration
}

// DefaultInterval is how often a check is made that does not say how often.
// Source: the examples of Consul's documentation.
const DefaultInterval = 10 * time.Second

// The limits of an [Instance]. Sources: DNS labels (RFC 1035, section 2.3.4) for
// the name, and Consul's Weights (16 bit) for the weight.
const (
	maxID      = 128
	maxService = 63
	maxWeight  = 1<<16 - 1
)

// IsZero reports whether there is no check.
func (c Check) IsZero() bool { return c == Check{} }

// WithDefaults returns the check with its defaults filled in. A check that asks
// nobody has none.
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

// Validate returns everything that is wrong with i, joined, or nil.
func (i Instance) Validate() error {
	var wrong []error
	say := func(format string, args ...any) { wrong = append(wrong, fmt.Errorf(format, args...)) }
	switch {
	case i.ID == "":
		say("the instance has no id; give it one that no other has, such as %q", "orders-10.0.0.7-8080")
	case len(i.ID) > maxID || !only(i.ID, "-._:@"):
		say("the id %.130q: up to %d letters, digits and -._:@ are allowed", i.ID, maxID)
	}
	switch {
	case i.Service == "":
		say("the instance names no service")
	case len(i.Service) > maxService || !only(i.Service, "-_"):
		say("the service %.70q: up to %d letters, digits, - and _ are allowed", i.Service, maxService)
	}
	if err := reachable(i.Addr); err != nil {
		say("the address %q: %w", i.Addr, err)
	}
	if i.Weight < 0 || i.Weight > maxWeight {
		say("the weight %d: 0 (which means 1) to %d are allowed", i.Weight, maxWeight)
	}
	if slices.Contains(i.Tags, "") {
		say("a tag is empty")
	}
	if _, empty := i.Meta[""]; empty {
		say("a key of meta is empty")
	}
	if err := i.Check.validate(); err != nil {
		say("the check: %w", err)
	}
	return errors.Join(wrong...)
}

func (c Check) validate() error {
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
		return errors.New("set one of http, tcp and ttl")
	case c.TTL < 0 || c.Interval < 0 || c.Timeout < 0 || c.RemoveAfter < 0:
		return errors.New("times are not negative")
	case c.TTL != 0 && c.TTL < time.Second:
		return fmt.Errorf("a ttl of %s is too short; 1s is the shortest", c.TTL)
	case c.TTL != 0 && (c.Interval != 0 || c.Timeout != 0):
		return errors.New("a ttl has neither interval nor timeout: the registry asks nobody")
	case c.Interval != 0 && c.Interval < time.Second:
		return fmt.Errorf("an interval of %s is too short; 1s is the shortest", c.Interval)
	case c.TCP != "":
		if err := reachable(c.TCP); err != nil {
			return fmt.Errorf("tcp %q: %w", c.TCP, err)
		}
	case c.HTTP != "":
		u, err := url.Parse(c.HTTP)
		if err != nil {
			return fmt.Errorf("http: %w", err)
		}
		if u.Scheme != "http" && u.Scheme != "https" || u.Host == "" {
			return fmt.Errorf("http %q: a whole URL is needed, such as %q", c.HTTP, "http://10.0.0.7:8080/healthz")
		}
	}
	return nil
}

// reachable tells why nobody can connect to addr, nil if one might.
func reachable(addr string) error {
	host, port, err := net.SplitHostPort(addr)
	if err != nil {
		return fmt.Errorf("host:port is needed, such as %q", "10.0.0.7:8080")
	}
	if n, err := strconv.ParseUint(port, 10, 16); err != nil || n == 0 {
		return fmt.Errorf("%q is no port from 1 to 65535", port)
	}
	if ip := net.ParseIP(host); host == "" || ip != nil && ip.IsUnspecified() {
		return errors.New("others cannot reach this host; name the one by which they can")
	}
	if strings.ContainsAny(host, " \t\r\n/?#@\"\\") {
		return fmt.Errorf("%q is no host", host)
	}
	return nil
}

// only reports whether s is made of letters and digits of ASCII and of more.
func only(s, more string) bool {
	for _, r := range s {
		letter := r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9'
		if !letter && !strings.ContainsRune(more, r) {
			return false
		}
	}
	return true
}
