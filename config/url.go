package config

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"strconv"
	"strings"
	"time"

	"github.com/liftmesh/lift"
	"github.com/liftmesh/lift/registry"
	"github.com/liftmesh/lift/registry/dns"
	"github.com/liftmesh/lift/registry/static"
	"github.com/liftmesh/lift/transport"
)

// target is what a URL says of a service.
type target struct {
	secure bool
	// host is the Host header: with its port unless that is the scheme's own.
	host string
	// name is the host alone, and port the port.
	name string
	port int
	// prefix is the path without a slash at its end.
	prefix string
}

// parseURL reads a URL. Its errors do not repeat it.
func parseURL(s string) (t target, err error) {
	scheme, rest, ok := strings.Cut(s, "://")
	if !ok {
		return target{}, errors.New("want a URL with its scheme, such as https://abc.execute-api.eu-west-1.amazonaws.com/prod")
	}
	authority, path := rest, ""
	if i := strings.IndexAny(rest, "/?#"); i >= 0 {
		authority, path = rest[:i], rest[i:]
	}
	if strings.Contains(authority, "@") {
		return target{}, errors.New("the URL holds credentials, which would be written into logs; remove them, and have the caller send the header Authorization")
	}
	standard := 443
	switch strings.ToLower(scheme) {
	case "https":
		t.secure = true
	case "http":
		standard = 80
	case "ws", "wss":
		return target{}, fmt.Errorf("scheme %s is HTTP's, upgraded by a call; want http%s", scheme, strings.ToLower(scheme)[2:])
	default:
		return target{}, fmt.Errorf("scheme %q is not spoken; want https or http", scheme)
	}
	if i := strings.IndexByte(path, '#'); i >= 0 {
		return target{}, errors.New("the URL has a fragment (#...), which no request carries; remove it")
	}
	if i := strings.IndexByte(path, '?'); i >= 0 {
		return target{}, errors.New("the URL has a query (?...), and each call brings its own; remove it")
	}
	if t.prefix = strings.TrimRight(path, "/"); t.prefix != "" {
		if err := transport.CheckPathPrefix(t.prefix); err != nil {
			return target{}, fmt.Errorf("its path: %w", err)
		}
	}
	t.host = strings.ToLower(authority)
	if err := transport.CheckHost(t.host); err != nil {
		return target{}, fmt.Errorf("its host: %w", err)
	}
	t.name, t.port = t.host, standard
	if name, port, err := net.SplitHostPort(t.host); err == nil {
		t.name = name
		t.port, _ = strconv.Atoi(port) // it has been checked
		if t.port == standard {
			t.host = t.host[:strings.LastIndexByte(t.host, ':')]
		}
	}
	t.name = strings.Trim(t.name, "[]")
	if t.endpoint() == "" {
		if err := dns.CheckName(t.name); err != nil {
			return target{}, fmt.Errorf("its host: %w", err)
		}
	}
	return t, nil
}

func checkURL(s string) error {
	_, err := parseURL(s)
	return err
}

// urlAge is how long a connection is used that goes to who knows how many behind
// one address.
const urlAge = 5 * time.Minute

// urlValues lays the values that a service's URL implies under those that the
// service sets itself, and reports contradictions.
func (r *reader) urlValues(s *service) {
	d, ok := s.values["url"]
	t, err := parseURL(d.text)
	if !ok || err != nil { // which was reported
		return
	}
	if own := s.values["tls"]; own.origin.service && own.text != strconv.FormatBool(t.secure) {
		r.idleKey(s, "tls", d, "the scheme of url says otherwise about TLS", "write https in url for TLS or http for none, and remove tls")
	}
	s.reach(t, "by url")
	switch own, said := s.values["path_prefix"]; {
	case !said && t.prefix != "":
		s.values["path_prefix"] = datum{text: t.prefix, origin: origin{derived: "by url"}}
	case said && t.prefix != "" && own.text != t.prefix:
		r.idleKey(s, "path_prefix", d, "url has a path too", "keep the path in one of the two")
	}
	if t.secure && s.values["protocol"].origin.isDefault() {
		s.values["protocol"] = datum{text: string(transport.Auto), origin: origin{derived: "by url"}}
	}
}

// reach lays under what a service says itself how a URL's target is reached.
func (s *service) reach(t target, by string) {
	derive := func(path string, v datum) {
		v.origin = origin{derived: by}
		s.values[path] = v
	}
	derive("tls", datum{text: strconv.FormatBool(t.secure)})
	if _, said := s.values["host"]; !said {
		derive("host", datum{text: t.host})
	}
	if s.values["connections.max_age"].origin.isDefault() {
		derive("connections.max_age", datum{text: formatDuration(urlAge), ns: int64(urlAge)})
	}
}

// endpoint is the one endpoint of a URL that needs no look-up, "" if it does.
// localhost is every system's own, and often not in DNS.
func (t target) endpoint() string {
	if _, err := netip.ParseAddr(t.name); err == nil || t.name == "localhost" {
		return net.JoinHostPort(t.name, strconv.Itoa(t.port))
	}
	return ""
}

// registry is who serves it.
func (t target) registry() registry.Registry {
	if addr := t.endpoint(); addr != "" {
		return static.New([]lift.Endpoint{{Addr: addr}})
	}
	return dns.New(dns.Config{Port: t.port})
}
