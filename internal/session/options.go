package session

import (
	"context"
	"math/rand/v2"
	"net"
	"time"

	"github.com/liftmesh/lift"
	"github.com/liftmesh/lift/internal/wire"
)

// Options are the settings of a [Client]. The zero value is good.
type Options struct {
	// Sessions is how many sessions share the calls, each a connection of its own;
	// default 1.
	Sessions int
	// ConnectLimit is how long calls wait for a sidecar that does not answer, from
	// the moment at which the session was missed; default 1 s. After that calls
	// fail at once with lift.NoSidecar until an attempt, at most one a second,
	// finds it back.
	ConnectLimit time.Duration
	// Grace is how long after its deadline a call waits for a silent sidecar;
	// default 100 ms.
	Grace time.Duration
	// Software is the name and version that the sidecar is told; default lift-go and
	// the version of Lift that the program is built with.
	Software string
	// Now tells the time; nil is lift.Now.
	Now func() lift.Instant
	// Rand returns numbers in [0,1) for jitter; nil is math/rand's. It must be safe
	// for concurrent use.
	Rand func() float64
	// Dial connects to the sidecar; nil dials the address.
	Dial func(ctx context.Context) (net.Conn, error)
	// Versions is what is spoken, if not zero; for tests.
	Versions wire.Versions
}

func (o *Options) fill(network, socket string) {
	if o.Sessions <= 0 {
		o.Sessions = 1
	}
	if o.ConnectLimit <= 0 {
		o.ConnectLimit = time.Second
	}
	if o.Grace <= 0 {
		o.Grace = 100 * time.Millisecond
	}
	if o.Software == "" {
		o.Software = "lift-go " + builtWith()
	}
	if o.Now == nil {
		o.Now = lift.Now
	}
	if o.Rand == nil {
		o.Rand = rand.Float64
	}
	if o.Dial == nil {
		o.Dial = func(ctx context.Context) (net.Conn, error) {
			var d net.Dialer
			return d.DialContext(ctx, network, socket)
		}
	}
	if o.Versions == (wire.Versions{}) {
		o.Versions = wire.Current()
	}
}
