package plain

import (
	"cmp"
	"errors"
	"log/slog"
	"os"
	"time"

	"github.com/liftmesh/lift"
)

// Config is what a [Server] is made of.
type Config struct {
	// Addresses are where it listens. At least one.
	Addresses []Address
	// Mode is the mode of the unix sockets; 0 is 0600.
	Mode os.FileMode
	// Group, if not "", is the name or number of the group that owns them.
	Group string
	// Bounds, if not nil, are shared with other servers, and hold in place of
	// MaxPeers and MaxCalls of Limits.
	Bounds *Bounds
	// Limits bound what peers can make the process hold.
	Limits Limits
	// Caller takes the calls. Required.
	Caller lift.Caller
	// Services are the names that the page of Lift itself lists. What is called is
	// the Caller's to decide.
	Services []string
	// Proxy says that it takes requests as a proxy does, to the services alone: whole
	// URLs, and CONNECT. Default it does not.
	Proxy bool
	// Log gets one line for each change of state. nil discards.
	Log *slog.Logger
	// Now tells the time; nil is lift.Now.
	Now func() lift.Instant
	// RecheckEvery is how often Serve looks whether the unix sockets are still
	// there; 0 is never. Standalone sidecars set it; an extension calls
	// [Server.Recheck] at each invocation instead, since a timer means nothing
	// while frozen.
	RecheckEvery time.Duration
	// Warning, if not nil and not "", is what /healthz tells beside that it serves. It
	// may be called from many goroutines.
	Warning func() string
	// Version is what the page of Lift itself says; "" is "unknown".
	Version string
}

// Limits bound a [Server]. Zero fields take the default.
type Limits struct {
	// MaxPeers is how many connections are served at once, over all addresses;
	// default 256, a quarter of the descriptors that a Lambda environment has
	// (1,024, shared with the function). Further ones are told lift.Busy and closed.
	MaxPeers int
	// MaxCalls is how many calls all of them together may have open; default 4,096.
	// Further ones end with lift.Busy.
	MaxCalls int
	// MaxHeader is the largest header of a request in bytes, counted as HTTP/2
	// counts it, path included; default 64 KiB.
	MaxHeader int
}

func (c *Config) fill() error {
	if c.Caller == nil {
		return errors.New("plain: Config.Caller is not set")
	}
	if len(c.Addresses) == 0 {
		return errors.New("plain: Config.Addresses is empty")
	}
	for _, a := range c.Addresses {
		if err := a.check(); err != nil {
			return err
		}
	}
	if c.Log == nil {
		c.Log = slog.New(slog.DiscardHandler)
	}
	if c.Warning == nil {
		c.Warning = func() string { return "" }
	}
	if c.Now == nil {
		c.Now = lift.Now
	}
	c.Mode = cmp.Or(c.Mode, 0o600)
	c.Version = cmp.Or(c.Version, "unknown")
	c.Limits.fill()
	if c.Bounds == nil {
		c.Bounds = NewBounds(c.Limits, c.Log)
	}
	c.Limits.MaxPeers, c.Limits.MaxCalls = c.Bounds.limits.MaxPeers, c.Bounds.limits.MaxCalls
	return nil
}

func (l *Limits) fill() {
	if l.MaxPeers <= 0 {
		l.MaxPeers = 256
	}
	if l.MaxCalls <= 0 {
		l.MaxCalls = 4096
	}
	if l.MaxHeader <= 0 {
		l.MaxHeader = 64 << 10
	}
}
