// Package rpc is gRPC's protocol over HTTP as a Lift call carries it: messages in
// frames, metadata in header and trailer, the status. Source: PROTOCOL-HTTP2.md
// and http-grpc-status-mapping.md of github.com/grpc/grpc.
package rpc
