package sidecar

import (
	"errors"
	"log/slog"
	"os"
	"time"

	"github.com/liftmesh/lift"
	"github.com/liftmesh/lift/internal/wire"
	liftv1 "github.com/liftmesh/lift/proto/lift/v1"
	"github.com/liftmesh/lift/registry"
)

// Config is what a [Server] is made of.
type Config struct {
	// Socket is the path of the unix socket. Required.
	Socket string
	// Mode is the socket's mode; 0 is 0600.
	Mode os.FileMode
	// Group, if not "", is the name or number of the group that owns the socket.
	Group string
	// Limits bound what peers can make the process hold.
	Limits Limits
	// Caller takes the calls. Required.
	Caller lift.Caller
	// Registrar announces what applications register, and takes it back when the
	// server drains; nil: there is none, and they are told so. [Server.Announce] and
	// [Server.Drain] call it, for 5 s at most.
	Registrar registry.Registrar
	// Log gets one line for each change of state. nil discards.
	Log *slog.Logger
	// Now tells the time; nil is lift.Now.
	Now func() lift.Instant
	// InvocationStart and InvocationDone, if not nil, hear what an SDK tells of
	// its function's invocations, in order for each session. They must not block.
	InvocationStart func(Invocation)
	InvocationDone  func(requestID string)
	// RecheckEvery is how often Serve looks whether the socket is still there; 0 is
	// never. Standalone sidecars set it; an extension calls [Server.Recheck] at
	// each invocation instead, since a timer means nothing while frozen.
	RecheckEvery time.Duration
	// Status answers the RPC Status. It may be called from many goroutines. nil: the
	// answer has only what the server itself knows.
	Status func() *liftv1.StatusResponse
	// Software is the name and version that peers are told.
	Software string

	versions wire.Versions // for tests of other versions
}

// Invocation is one run of a function, as its SDK tells of it.
type Invocation struct {
	RequestID string
	// Deadline is zero if it was not told.
	Deadline time.Time
	// Trace is as in X-Amzn-Trace-Id.
	Trace  string
	Tenant string
}

// Limits bound a [Server]. Zero fields take the default.
type Limits struct {
	// MaxPeers is how many connections are served at once; default 256, a quarter
	// of the descriptors that a Lambda environment has (1,024, shared with the
	// function). Further ones are told lift.Busy and closed.
	MaxPeers int
	// MaxCallsPerPeer is how many calls one session may have open; default 1,024.
	MaxCallsPerPeer int
	// MaxCalls is how many calls all sessions together may have open; default 4,096.
	MaxCalls int
	// MaxHeader is the largest header of a call in bytes, counted as HTTP/2 counts
	// it, path included; default 64 KiB.
	MaxHeader int
	// MaxBody is the largest body of a unary call, of request and answer each, in
	// bytes; default 4 MiB. Bodies in sessions flow and have no limit here.
	MaxBody int
	// MaxBuffered is how many bytes of request bodies that nobody has read yet all
	// sessions together may hold; default 32 MiB. A call whose body does not fit
	// ends with lift.Busy.
	MaxBuffered int
	// HelloWithin is how long a peer may take to say Hello; default 5 s.
	HelloWithin time.Duration
}

func (c *Config) fill() error {
	if c.Caller == nil {
		return errors.New("sidecar: Config.Caller is not set")
	}
	if c.Mode == 0 {
		c.Mode = 0o600
	}
	if c.Log == nil {
		c.Log = slog.New(slog.DiscardHandler)
	}
	if c.Now == nil {
		c.Now = lift.Now
	}
	if c.Software == "" {
		c.Software = "lift-extension"
	}
	if c.versions == (wire.Versions{}) {
		c.versions = wire.Current()
	}
	l := &c.Limits
	def(&l.MaxPeers, 256)
	def(&l.MaxCallsPerPeer, 1024)
	def(&l.MaxCalls, 4096)
	def(&l.MaxHeader, 64<<10)
	def(&l.MaxBody, 4<<20)
	def(&l.MaxBuffered, 32<<20)
	def(&l.HelloWithin, 5*time.Second)
	return nil
}

func def[T int | time.Duration](v *T, standard T) {
	if *v <= 0 {
		*v = standard
	}
}
