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
			path: "host", kind: text, own: true, check: transport.CheckHost, derived: "the endpoint's address",
			means: "the Host header of what is sent: a host, or host:port",
			why:   "for servers that tell their sites apart by name",
		}, func(s *sc, d datum) { s.Transport.Host = d.text }},
		{rule{
			path: "path_prefix", kind: text, own: true, check: transport.CheckPathPrefix, derived: "none",
			means: "what stands before the path of each call, such as /prod",
			why:   "so that callers do not know of stages and mount points; it is no fence",
		}, func(s *sc, d datum) { s.Transport.PathPrefix = d.text }},
	}
}
