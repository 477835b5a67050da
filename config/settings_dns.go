package config

import (
	"github.com/liftmesh/lift/mesh"
	"github.com/liftmesh/lift/registry/dns"
)

// dnsSettings go with from: dns.
func dnsSettings() []setting[mesh.ServiceConfig] {
	type sc = mesh.ServiceConfig
	return []setting[sc]{
		{rule{
			path: "dns.name", kind: text, own: true, with: "dns", check: dns.CheckName, sample: "orders.internal",
			means: "name to look up; a dot at its end disables search domains",
			why:   "required with from: dns",
		}, func(s *sc, d datum) { s.Lookup = d.text }},
		{rule{
			path: "dns.port", kind: whole, low: "1", high: "65535", own: true, with: "dns", derived: "required with type: a", sample: "8080",
			means: "port of every address; not with type: srv, whose records hold the ports",
			why:   "A and AAAA records hold addresses only",
		}, nil},
		{rule{
			path: "dns.type", kind: choice, choices: []string{"a", "srv"}, own: true, with: "dns", preset: "a",
			means: "record type: a looks up A and AAAA, srv looks up SRV with ports, priorities and weights",
			why:   "every name has address records",
		}, nil},
		{rule{
			path: "dns.servers", kind: list, own: true, with: "dns", check: dnsServer, derived: "those of /etc/resolv.conf", sample: "10.0.0.2:53",
			means: "DNS servers to ask, in this order, each an IP address with or without a port; search domains are not used then",
			why:   "the system's servers change with the network; see [DNS](dns.md)",
		}, nil},
	}
}
