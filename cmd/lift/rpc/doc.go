// Package rpc calls gRPC methods that it learns of while it runs, by server
// reflection or from .proto files: JSON goes in, JSON comes out.
package rpc
