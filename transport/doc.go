// Package transport is how to get to an endpoint: HTTP/1.1 and HTTP/2, gRPC with
// it, with or without TLS, over warm connections that survive the freezing of a
// Lambda environment.
//
// [New] makes the way to one endpoint: a [Pool], where a connection carries one
// call at a time (HTTP/1.1), or a [Mux], where it carries many (HTTP/2).
package transport
