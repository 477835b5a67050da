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
	return slices.Concat(sourceSettings(), dnsSettings(), consulSettings(), cloudmapSettings(), urlSettings(), lambdaSettings(), reachSettings(), upstreamSettings(), tlsSettings(), authSettings(), callSettings(), connectionSettings())
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
			path: "protocol", kind: choice, choices: []string{"http", "h2c", "h2", "grpc", "auto"}, own: true, preset: "http",
			means: "what the endpoints speak: http is HTTP/1.1, h2c is HTTP/2 without TLS, h2 is HTTP/2 over TLS, grpc is h2 with tls and h2c without, auto leaves HTTP/2 or HTTP/1.1 to the endpoint, over TLS; see [Upstreams](upstreams.md)",
			why:   "every server does",
		}, func(s *sc, d datum) { s.Transport.Protocol = transport.Protocol(d.text) }},
		{rule{
			path: "idempotent", kind: toggle, preset: "false",
			means: "every call may be sent twice, whatever its method, unless its caller says otherwise; for services that only read, gRPC's above all",
			why:   "a POST that has reached somebody is not repeated",
		}, func(s *sc, d datum) { s.Idempotent = d.text == "true" }},
	}
}
