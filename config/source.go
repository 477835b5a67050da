package config

import (
	"errors"
	"net"
	"net/netip"
	"strings"

	"github.com/liftmesh/lift"
	"github.com/liftmesh/lift/registry"
	"github.com/liftmesh/lift/registry/dns"
	"github.com/liftmesh/lift/registry/static"
)

// source checks that a service has the keys that its from needs, and drops those
// that go with another from. whole: nothing else is wrong with the service; if
// something is, keys may be missing only because of that.
func (r *reader) source(s *service, at origin, whole bool) {
	from, known := s.values["from"]
	for i := range r.serviceTable {
		rule := &r.serviceTable[i].rule
		if rule.with == "" || known && rule.with == from.text {
			continue
		}
		if known {
			r.idleKey(s, rule.path, from, rule.path+" needs from: "+rule.with+", and from is "+from.text, "remove it, or write from: "+rule.with)
		}
		delete(s.values, rule.path)
	}
	if s.values["dns.type"].text == "srv" {
		r.idleKey(s, "dns.port", s.values["dns.type"], "dns.port needs type: a; SRV records hold their ports", "remove it")
		delete(s.values, "dns.port")
	}
	for _, path := range []string{"consul.service", "consul.tags"} {
		if query, ok := s.values["consul.query"]; ok {
			r.idleKey(s, path, query, path+" and consul.query are both set, and the query selects by itself", "remove one of the two")
			delete(s.values, path)
		}
	}
	if from.text == "url" {
		r.urlValues(s)
	}
	if from.text == "lambda" {
		r.lambdaValues(s, whole)
	}
	if from.text == "cloudmap" {
		s.cloudmap = r.cloudmap(s, whole)
	}
	if !whole {
		return
	}
	for _, key := range []struct {
		path, remedy string
		need         bool
	}{
		{"from", "write from: " + alternatives(r.single.rules["from"].choices) + ", and the keys that go with it", true},
		{"endpoints", `with from: static write them as a list, such as endpoints: ["10.0.1.7:8080"]`, from.text == "static"},
		{"dns.name", "with from: dns write the name to look up, such as dns: {name: orders.internal, port: 8080}", from.text == "dns"},
		{"url", "with from: url write the URL, such as url: https://abc.execute-api.eu-west-1.amazonaws.com/prod", from.text == "url"},
		{"cloudmap.namespace", "with from: cloudmap write the namespace, such as cloudmap: {namespace: shop.local}", from.text == "cloudmap"},
		{"function", "with from: lambda write the function to invoke, such as function: orders:live", from.text == "lambda"},
		{"dns.port", "write the port of the addresses, such as dns: {port: 8080}, or dns: {type: srv}", from.text == "dns" && s.values["dns.type"].text == "a"},
	} {
		if _, ok := s.values[key.path]; key.need && !ok {
			r.tell(at, "services."+s.name, key.path+" is missing", key.remedy)
		}
	}
}

// idleKey reports a key that has no effect because of by. It does not if by stands
// in an overlay and the key in the file's own part, which serves other environments.
func (r *reader) idleKey(s *service, path string, by datum, what, remedy string) {
	d, ok := s.values[path]
	if !ok || d.origin.isDefault() || by.origin.environment != "" && d.origin.environment == "" {
		return
	}
	r.tell(d.origin, "services."+s.name+"."+path, what, remedy)
}

// registry makes the registry that from names, nil if the service is broken.
func (s *service) registry(whole *Config) registry.Registry {
	switch {
	case s.broken != nil:
		return nil
	case s.values["from"].text == "dns":
		c := dns.Config{Type: dns.Type(s.values["dns.type"].text), Port: int(s.values["dns.port"].ns)}
		for _, server := range s.values["dns.servers"].items {
			if addr, err := dns.ParseServer(server); err == nil { // it has been checked
				c.Servers = append(c.Servers, addr)
			}
		}
		return dns.New(c)
	case s.values["from"].text == "consul":
		if whole.consul == nil {
			return nil // the service is broken
		}
		return whole.consul.Registry(s.consulSource())
	case s.values["from"].text == "url":
		t, err := parseURL(s.values["url"].text)
		if err != nil {
			return nil // the service is broken
		}
		return t.registry()
	case s.values["from"].text == "cloudmap":
		return s.cloudmapRegistry(whole.process)
	case s.values["from"].text == "lambda":
		return s.api.registry()
	default:
		return fixed(s.values["endpoints"].items)
	}
}

func endpoint(s string) error {
	_, err := static.Parse(s)
	if inner := errors.Unwrap(err); inner != nil {
		return inner // the outer one repeats the text, which may be a secret
	}
	return err
}

// endpointNames is what tells an endpoint that was checked from others: where it
// is, however that is written, and what its memory is kept by.
func endpointNames(s string) []string {
	ep, err := static.Parse(s)
	if err != nil {
		return nil
	}
	host, port, _ := net.SplitHostPort(ep.Addr)
	if ip, err := netip.ParseAddr(host); err == nil {
		host = ip.String()
	}
	names := []string{strings.ToLower(net.JoinHostPort(strings.TrimSuffix(host, "."), port))}
	if ep.ID != "" && ep.ID != names[0] {
		names = append(names, ep.ID)
	}
	return names
}

func dnsServer(s string) error {
	_, err := dns.ParseServer(s)
	return err
}

// fixed is the registry of endpoints that have been checked.
func fixed(items []string) *static.Registry {
	endpoints := make([]lift.Endpoint, 0, len(items))
	for _, item := range items {
		if ep, err := static.Parse(item); err == nil {
			endpoints = append(endpoints, ep)
		}
	}
	return static.New(endpoints)
}
