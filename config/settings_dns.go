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
			path: "dns.name", kind: text, own: true, with: "dns", check: dns.CheckName,
			means: "with from: dns, the name to ask for; a dot at the end keeps search domains away",
			why:   "required with from: dns",
		}, func(s *sc, d datum) { s.Lookup = d.text }},
		{rule{
			path: "dns.port", kind: whole, low: "1", high: "65535", own: true, with: "dns", derived: "required with type: a",
			means: "the port of every address; not with type: srv, whose records say it",
			why:   "A and AAAA records hold addresses alone",
		}, nil},
		{rule{
			path: "dns.type", kind: choice, choices: []string{"a", "srv"}, own: true, with: "dns", preset: "a",
			means: "the records: a asks for A and AAAA, srv for SRV with ports, priorities and weights",
			why:   "every name has addresses",
		}, nil},
		{rule{
			path: "dns.servers", kind: list, own: true, with: "dns", check: dnsServer, derived: "those of /etc/resolv.conf",
			means: "the servers to ask, in this order, by IP address and port; names are then taken as they stand, without search domains",
			why:   "the system's follow it where it goes; see [DNS](dns.md)",
		}, nil},
	}
}
