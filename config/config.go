package config

import (
	"io/fs"
	"log/slog"
	"time"

	"github.com/liftmesh/lift/mesh"
	"github.com/liftmesh/lift/registry/consul"
	"github.com/liftmesh/lift/sidecar"
	"github.com/liftmesh/lift/sidecar/plain"
)

// Config is a lift.yaml, read, checked and laid over the defaults. It is always
// usable: Broken, or a service's own Broken, says what is broken.
type Config struct {
	// File is where it was read from, Environment the overlay that was chosen
	// ("" for none).
	File, Environment string
	// Sum is the file's checksum, see [Sum]; "" if nothing could be read.
	Sum string
	// Broken, if not nil, is a fault outside of single services. It breaks every
	// service too. The other fields still hold what could be read, so that a sidecar
	// can listen where its callers look for it, and report the fault to them.
	Broken error

	// Socket is the path of the Lift API's unix socket.
	Socket string
	// SocketMode and SocketGroup are who may open it. An empty group leaves the
	// process's own.
	SocketMode  fs.FileMode
	SocketGroup string
	// API is where the Lift API listens beside its socket: addresses of the loopback.
	API []plain.Address
	// Plain is where the plain door listens: the addresses for all services, then
	// those of one each. Empty: there is none.
	Plain []plain.Address
	// Proxy says that the plain door takes requests as a proxy does.
	Proxy bool
	Log   Log
	// Limits is what the sidecar grants the programs on its socket.
	Limits sidecar.Limits
	// Connections and Connects are those of [mesh.Options].
	Connections, Connects int
	// InitWait is how long, in Lambda's init phase, first sets and warm
	// connections may hold the function's start.
	InitWait time.Duration
	// Drain is how a standalone sidecar ends.
	Drain Drain
	// Services in the order of the file.
	Services []mesh.ServiceConfig

	// Register is the instance that a standalone sidecar announces, nil for none.
	Register *Registration
	// Warnings are of what is valid and still likely a mistake. They break nothing.
	Warnings Problems

	viaConsul *consul.Config // nil if nobody needs it, or what is said of it is broken
	consul    *consul.Client // made of it, for all services
	globals   layer
	services  []*service
	process   *process
}

// Drain says how long the end of a standalone sidecar may take.
type Drain struct {
	// Max is how long calls may go on after the signal to end, in all.
	Max time.Duration
	// Quiet is how long no call may have run for the clients to count as done.
	Quiet time.Duration
}

// Log says what is logged, and how.
type Log struct {
	// Level is the least that is logged.
	Level slog.Level
	// Format is "json", "text", or "auto": text on a terminal, JSON elsewhere.
	Format string
}
