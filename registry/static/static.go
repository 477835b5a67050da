// Package static serves a fixed set of endpoints, as a configuration lists them.
package static

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"net"
	"slices"
	"strconv"
	"strings"

	"github.com/liftmesh/lift"
	"github.com/liftmesh/lift/registry"
)

// Registry is a fixed set of endpoints. It is safe for concurrent use.
type Registry struct {
	endpoints []lift.Endpoint
}

var _ registry.Registry = (*Registry)(nil)

// New returns a registry that yields endpoints for every service.
func New(endpoints []lift.Endpoint) *Registry {
	return &Registry{endpoints: slices.Clone(endpoints)}
}

// Watch implements [registry.Registry]: one set, then nothing until ctx ends.
func (r *Registry) Watch(ctx context.Context, _ string) iter.Seq2[[]lift.Endpoint, error] {
	return func(yield func([]lift.Endpoint, error) bool) {
		if ctx.Err() != nil || !yield(append([]lift.Endpoint{}, r.endpoints...), nil) {
			return
		}
		<-ctx.Done()
	}
}

// MaxWeight is the largest weight of an endpoint.
const MaxWeight = 1000

// Parse reads an endpoint as configurations write it: host:port, then any of ;zone=ID
// ;weight=1..1000 ;id=ID ;tag=NAME (tag may be repeated). An IPv6 host is in brackets.
func Parse(s string) (lift.Endpoint, error) {
	addr, rest, _ := strings.Cut(s, ";")
	ep := lift.Endpoint{Addr: strings.TrimSpace(addr)}
	if err := checkAddr(ep.Addr); err != nil {
		if strings.Contains(s, ",") {
			err = commas(s, err)
		}
		return lift.Endpoint{}, fmt.Errorf("endpoint %q: %w", s, err)
	}
	for rest != "" {
		var part string
		part, rest, _ = strings.Cut(rest, ";")
		if err := setPart(&ep, strings.TrimSpace(part)); err != nil {
			return lift.Endpoint{}, fmt.Errorf("endpoint %q: %w", s, err)
		}
	}
	return ep, nil
}

func checkAddr(addr string) error {
	host, port, err := net.SplitHostPort(addr)
	if err != nil {
		return wrongShape(addr)
	}
	if err := lift.CheckHost(host); err != nil {
		return err
	}
	if n, err := strconv.ParseUint(port, 10, 16); err != nil || n == 0 || strconv.FormatUint(n, 10) != port {
		return fmt.Errorf("%q is not a port; want 1 to 65535", port)
	}
	return nil
}

// wrongShape returns an error that says what to write instead of an address that is not
// host:port.
func wrongShape(addr string) error {
	if name, _, part := strings.Cut(addr, "="); part && (name == "weight" || name == "zone" || name == "id" || name == "tag") {
		return fmt.Errorf("this is a part of an endpoint; write it behind the address and a semicolon: 10.0.1.7:8080;%s", addr)
	}
	if _, rest, ok := strings.Cut(addr, "://"); ok {
		if rest = strings.TrimRight(rest, "/"); checkAddr(rest) == nil {
			return fmt.Errorf("want host:port alone: %s", rest)
		}
	} else if lift.CheckHost(addr) == nil {
		return fmt.Errorf("the port is missing; want host:port, such as %s", net.JoinHostPort(addr, "8080"))
	}
	return errors.New("want host:port, such as 10.0.1.7:8080 or [::1]:8080")
}

// commas returns an error that says what to write for a text with commas, else err.
func commas(s string, err error) error {
	if fixed := strings.Join(strings.FieldsFunc(s, func(r rune) bool { return r == ',' || r == ' ' }), ";"); parses(fixed) {
		return fmt.Errorf("its parts are separated by semicolons; write %q", fixed)
	}
	var entries []string
	for part := range strings.SplitSeq(s, ",") {
		if part = strings.TrimSpace(part); !parses(part) {
			return err
		}
		entries = append(entries, strconv.Quote(part))
	}
	return fmt.Errorf("this is more than one endpoint; write one entry for each: %s", strings.Join(entries, ", "))
}

func parses(s string) bool {
	_, err := Parse(s)
	return err == nil
}

func setPart(ep *lift.Endpoint, part string) error {
	name, value, ok := strings.Cut(part, "=")
	if !ok || value == "" {
		return fmt.Errorf("%q: want zone=ID, weight=N, id=ID or tag=NAME", part)
	}
	switch name {
	case "zone":
		ep.Zone = value
	case "id":
		ep.ID = value
	case "tag":
		ep.Tags = append(ep.Tags, value)
	case "weight":
		n, err := strconv.Atoi(value)
		if err != nil || n < 1 || n > MaxWeight {
			return fmt.Errorf("weight %q: want a whole number from 1 to %d", value, MaxWeight)
		}
		ep.Weight = n
	default:
		return fmt.Errorf("unknown part %q; want zone, weight, id or tag", name)
	}
	return nil
}
