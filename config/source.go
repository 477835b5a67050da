package config

import (
	"errors"
	"strings"

	"github.com/liftmesh/lift"
	"github.com/liftmesh/lift/registry"
	"github.com/liftmesh/lift/registry/dns"
	"github.com/liftmesh/lift/registry/static"
)

// source sees to it that a service has what its from needs, and leaves out what
// goes with another. whole: nothing else is wrong with the service; else keys
// may be missing for what has been told.
func (r *reader) source(s *service, at origin, whole bool) {
	from, known := s.values["from"]
	for i := range r.serviceTable {
		rule := &r.serviceTable[i].rule
		if rule.with == "" || known && rule.with == from.text {
			continue
		}
		if known {
			r.idleKey(s, rule.path, from, rule.path+" goes with from: "+rule.with+", and from is "+from.text, "remove one of the two")
		}
		delete(s.values, rule.path)
	}
	if s.values["dns.type"].text == "srv" {
		r.idleKey(s, "dns.port", s.values["dns.type"], "dns.port goes with type: a; SRV records say their ports", "remove it")
		delete(s.values, "dns.port")
	}
	for _, path := range []string{"consul.service", "consul.tags"} {
		if query, ok := s.values["consul.query"]; ok {
			r.idleKey(s, path, query, path+" does not go with consul.query, which says what it looks for", "remove one of the two")
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
		{"from", "want from: " + strings.Join(r.single.rules["from"].choices, " or ") + ", and what goes with it", true},
		{"endpoints", `want a list with from: static, such as endpoints: ["10.0.1.7:8080"]`, from.text == "static"},
		{"dns.name", "want the name to ask for with from: dns, such as dns: {name: orders.internal, port: 8080}", from.text == "dns"},
		{"url", "want a URL with from: url, such as url: https://abc.execute-api.eu-west-1.amazonaws.com/prod", from.text == "url"},
		{"cloudmap.namespace", "want the namespace's name with from: cloudmap, such as cloudmap: {namespace: shop.local}", from.text == "cloudmap"},
		{"function", "want the function to invoke with from: lambda, such as function: orders:live", from.text == "lambda"},
		{"dns.port", "want the port of the addresses, such as port: 8080, or type: srv", from.text == "dns" && s.values["dns.type"].text == "a"},
	} {
		if _, ok := s.values[key.path]; key.need && !ok {
			r.tell(at, "services."+s.name, key.path+" is missing", key.remedy)
		}
	}
}

// idleKey tells of a key that by does not let take effect - unless by stands in
// an overlay and the key in the file's own part, which then serves elsewhere.
func (r *reader) idleKey(s *service, path string, by datum, what, remedy string) {
	d, ok := s.values[path]
	if !ok || d.origin.isDefault() || by.origin.environment != "" && d.origin.environment == "" {
		return
	}
	r.tell(d.origin, "services."+s.name+"."+path, what, remedy)
}

// registry makes what from names, nil if the service is broken.
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
