package config

import (
	"slices"

	"github.com/liftmesh/lift/mesh"
	"github.com/liftmesh/lift/transport"
)

// serviceSettings is the table of what can be said of a service, and in
// defaults of all of them. The presets are those of the packages' own structs;
// a test holds them together.
func serviceSettings() []setting[mesh.ServiceConfig] {
	return slices.Concat(sourceSettings(), dnsSettings(), urlSettings(), reachSettings(), upstreamSettings(), tlsSettings(), callSettings(), connectionSettings())
}

// reachSettings are how callers come to a service, and how it is spoken to.
func reachSettings() []setting[mesh.ServiceConfig] {
	type sc = mesh.ServiceConfig
	return []setting[sc]{
		{rule{
			path: "listen", kind: text, own: true, derived: "none", check: plainAddress,
			means: "an address of the plain door that is this service's alone, as under plain: 127.0.0.1:4201; whatever Host a request has",
			why:   "so that only a base URL changes in a program",
		}, nil}, // goes to Config.Plain
		{rule{
			path: "protocol", kind: choice, choices: []string{"http", "h2c", "grpc"}, own: true, preset: "http",
			means: "what the endpoints speak: http is HTTP/1.1, h2c is HTTP/2 without TLS, grpc is HTTP/2 with calls that are gRPC's; see [Upstreams](upstreams.md)",
			why:   "every server does",
		}, func(s *sc, d datum) { s.Transport.Protocol = transport.Protocol(d.text) }},
	}
}
