package config

import (
	"github.com/liftmesh/lift/mesh"
	"github.com/liftmesh/lift/transport"
)

// upstreamSettings are what the endpoints expect of a request.
func upstreamSettings() []setting[mesh.ServiceConfig] {
	type sc = mesh.ServiceConfig
	return []setting[sc]{
		{rule{
			path: "host", kind: text, own: true, check: transport.CheckHost, derived: "the endpoint's address", sample: "orders.example.com",
			means: "Host header that is sent: a host, or host:port",
			why:   "for servers that select a site by name",
		}, func(s *sc, d datum) { s.Transport.Host = d.text }},
		{rule{
			path: "path_prefix", kind: text, own: true, check: transport.CheckPathPrefix, pattern: "^/.*[^/]$", derived: "none", sample: "/prod",
			means: "path that is put before the path of each call",
			why:   "callers need not know of stages and mount points; it does not confine them",
		}, func(s *sc, d datum) { s.Transport.PathPrefix = d.text }},
	}
}
