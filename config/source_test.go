package config

import (
	"reflect"
	"strings"
	"testing"

	"github.com/liftmesh/lift/registry/dns"
	"github.com/liftmesh/lift/registry/static"
)

func TestDNSArrives(t *testing.T) {
	c := sound1(t, `
services:
  a: {from: dns, dns: {name: orders.internal, port: 8080}}
  b: {from: dns, dns: {name: _http._tcp.orders., type: srv, servers: ["10.0.0.2", "[fd00::2]:5353"]}}
`, env())
	for i, want := range []struct {
		lookup  string
		kind    dns.Type
		port    int
		servers []string
	}{
		{"orders.internal", dns.Address, 8080, nil},
		{"_http._tcp.orders.", dns.Service, 0, []string{"10.0.0.2:53", "[fd00::2]:5353"}},
	} {
		s := &c.Services[i]
		r, ok := s.Registry.(*dns.Registry)
		if !ok || s.Lookup != want.lookup || r.Type != want.kind || r.Port != want.port || !reflect.DeepEqual(r.Servers, want.servers) {
			t.Errorf("%s: %q, %T %+v; want %+v", s.Name, s.Lookup, s.Registry, r, want)
		}
	}
	for _, want := range []string{"    dns:\n      name: \"orders.internal\"  # lift.yaml:3\n      port: 8080  # lift.yaml:3\n      type: a  # default\n"} {
		if got := printed(t, c); !strings.Contains(got, want) {
			t.Errorf("no %q in\n%s", want, got)
		}
	}
}

// An overlay may say another from: what the file says for its own is idle then.
func TestOverlayChangesTheSource(t *testing.T) {
	const text = `
services: {a: {from: dns, dns: {name: a.internal, port: 80}}}
environments:
  dev: {services: {a: {from: static, endpoints: ["127.0.0.1:80"]}}}
  srv: {services: {a: {dns: {name: _a._tcp.internal, type: srv}}}}
`
	c := sound1(t, text, env("LIFT_ENV", "dev"))
	if _, ok := c.Services[0].Registry.(*static.Registry); !ok || c.Services[0].Lookup != "" || strings.Contains(printed(t, c), "dns") {
		t.Errorf("dev: %T, %q\n%s", c.Services[0].Registry, c.Services[0].Lookup, printed(t, c))
	}
	c = sound1(t, text, env("LIFT_ENV", "srv"))
	if r, ok := c.Services[0].Registry.(*dns.Registry); !ok || r.Type != dns.Service || r.Port != 0 || c.Services[0].Lookup != "_a._tcp.internal" {
		t.Errorf("srv: %+v", c.Services[0])
	}
	_, problems := Parse("f", []byte(strings.Replace(text, "{dns: {name: _a", "{endpoints: [\"h:1\"], dns: {name: _a", 1)), env("LIFT_ENV", "srv"))
	if len(problems) != 1 || !strings.Contains(problems[0].Error(), "environments.srv.services.a.endpoints: endpoints needs from: static") {
		t.Errorf("got %v", problems)
	}
}
