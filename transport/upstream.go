package transport

import (
	"context"

	"github.com/liftmesh/lift"
)

// Upstream sends attempts to one endpoint, whatever it speaks. Safe for concurrent use.
type Upstream interface {
	lift.RoundTripper
	// Warm opens connections until n are trusted and idle, within the limits. It
	// returns the first error, after all that it began has ended.
	Warm(ctx context.Context, n int) error
	// Thaw is a hint that a freeze has just ended. No call depends on it.
	Thaw()
	// Close takes no new calls and closes what is idle; what is in flight ends in
	// its own time. Closing twice does nothing.
	Close()
	// Stats returns what there is now.
	Stats() Stats
}

// New returns the way to the endpoint at addr (host:port), as the configuration's
// Protocol says. Nothing is opened yet.
func New(addr string, o Options) Upstream {
	switch o.Config.Protocol {
	case H2C, H2, GRPC:
		return NewMux(addr, o)
	case Auto:
		return newAuto(addr, o)
	default:
		return NewPool(addr, o)
	}
}
