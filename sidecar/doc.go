// Package sidecar is the process beside an application: the door of the Lift
// API (lift.v1 over gRPC on a unix socket), its sessions, the unary call,
// health, and the socket itself.
//
// It knows calls and whoever takes them ([lift.Caller]), not what becomes of
// them. [Listen] opens the socket and [Server.Serve] answers on it; the two are
// apart because a Lambda extension listens before it registers.
package sidecar
