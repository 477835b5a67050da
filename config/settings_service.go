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
			path: "listen", kind: text, own: true, derived: "none", check: plainAddress, pattern: `^(unix:/|127\.|\[)`, sample: "127.0.0.1:4201",
			means: "an address of the plain door for this service only, whatever the request's Host; written as under plain",
			why:   "a program changes nothing but its base URL",
		}, nil}, // goes to Config.Plain
		{rule{
			path: "protocol", kind: choice, choices: []string{"http", "h2c", "h2", "grpc", "auto"}, own: true, preset: "http", meant: otherProtocols(),
			means: "what the endpoints speak: http is HTTP/1.1; h2c is HTTP/2 without TLS; h2 is HTTP/2 over TLS; grpc is h2 with tls and h2c without; auto negotiates HTTP/2 or HTTP/1.1 over TLS",
			why:   "every HTTP server speaks HTTP/1.1; see [Upstreams](upstreams.md)",
		}, func(s *sc, d datum) { s.Transport.Protocol = transport.Protocol(d.text) }},
		{rule{
			path: "idempotent", kind: toggle, preset: "false",
			means: "whether every call may be sent twice, whatever its method; a caller can still say otherwise",
			why:   "a POST that may have reached an endpoint is not repeated; set true for services that only read, gRPC's above all",
		}, func(s *sc, d datum) { s.Idempotent = d.text == "true" }},
	}
}

// otherProtocols is what people write for what the endpoints speak.
func otherProtocols() map[string]string {
	const two, one = "write h2 for HTTP/2 over TLS, or h2c for HTTP/2 without it", "write http"
	return map[string]string{
		"http2": two, "http/2": two, "2": two, "http1": one, "http/1.1": one, "http1.1": one,
		"https": "write http, and tls: true", "tls": "write auto, and tls: true", "grpcs": "write grpc, and tls: true",
	}
}
