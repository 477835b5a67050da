package registry

import (
	"context"
	"errors"
	"fmt"
	"net"
	"slices"
	"strconv"
	"strings"

	"github.com/liftmesh/lift"
)

// Registrar announces instances to a registry, so that callers find them.
type Registrar interface {
	// Register announces i, or replaces the instance that was announced under i.ID. It
	// returns once the registry has accepted it, or an error; ctx bounds the wait. The
	// Registrar keeps the announcement alive (a check's TTL, a registry that lost it)
	// until Deregister. Safe for concurrent use.
	Register(ctx context.Context, i Instance) error
	// Deregister removes the instance that was announced under id. It is not an error if
	// there is none. Safe for concurrent use.
	Deregister(ctx context.Context, id string) error
}

// Instance is what a program announces of itself. A [Registrar] accepts an instance for
// which [Instance.Validate] returns nil.
type Instance struct {
	// ID identifies the instance in the registry; announcing the same ID again replaces
	// it. Required. Up to 128 characters: letters, digits and -._:@
	ID string
	// Service is the name under which callers find the instance. Required, at most 63
	// characters: letters, digits, - and _ (which both Consul and Cloud Map accept).
	Service string
	// Addr is where others reach the instance, host:port. Required. The host is an IP
	// address or a name, but not an unspecified address (0.0.0.0, ::).
	Addr string
	// Zone is the availability zone id (use1-az1), "" if unknown.
	Zone string
	// Weight is the instance's share relative to others. 0 means 1; at most 65,535.
	Weight int
	// Tags are labels that callers can choose a subset by. No tag may be empty.
	Tags []string
	// Meta is for people and tools; Lift does not read it. No key may be empty.
	Meta map[string]string
	// Check says how the registry finds out whether the instance is healthy. The zero
	// Check means no check: the instance counts as healthy until it is deregistered.
	Check Check
}

// The limits of an [Instance]. Sources: DNS labels (RFC 1035, section 2.3.4) for
// the name, and Consul's Weights (16 bit) for the weight.
const (
	maxID      = 128
	maxService = 63
	maxWeight  = 1<<16 - 1
)

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
	if err := i.Check.validate(i.Addr); err != nil {
		say("the check: %w", err)
	}
	return errors.Join(wrong...)
}

// reachable returns why callers cannot connect to addr, or nil.
func reachable(addr string) error {
	host, port, err := net.SplitHostPort(addr)
	if err != nil {
		return fmt.Errorf("host:port is needed, such as %q", "10.0.0.7:8080")
	}
	if n, err := strconv.ParseUint(port, 10, 16); err != nil || n == 0 {
		return fmt.Errorf("%q is not a port from 1 to 65535", port)
	}
	if ip := net.ParseIP(host); host == "" || ip != nil && ip.IsUnspecified() {
		return errors.New("others cannot reach this host; name the one by which they can")
	}
	return lift.CheckHost(host)
}

// only reports whether s consists of ASCII letters, ASCII digits and the characters in
// more.
func only(s, more string) bool {
	for _, r := range s {
		letter := r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9'
		if !letter && !strings.ContainsRune(more, r) {
			return false
		}
	}
	return true
}
