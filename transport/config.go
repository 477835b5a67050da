package transport

import (
	"cmp"
	"time"
)

// Config says how to reach the endpoints of one service. A zero field means its
// default; see [Config.WithDefaults].
type Config struct {
	// Protocol is what the endpoints speak. Default [HTTP].
	Protocol Protocol
	// Host is the Host header of what is sent, host or host:port, and the name that
	// TLS asks for. Default the endpoint's address. See [CheckHost].
	Host string
	// PathPrefix stands before each call's path, such as /prod. It is no fence: a
	// path with dots may lead out of it again. Default none. See [CheckPathPrefix].
	PathPrefix string
	// TLS, if not nil, is how the endpoints prove who they are. The pools of a
	// service's endpoints share it. Default none: what is sent is plain.
	TLS *TLS
	// ConnectTimeout limits one TCP connect, and again the TLS handshake that follows
	// one. Default 1 s (linkerd2-proxy's).
	ConnectTimeout time.Duration
	// SafeIdle is the age up to which a connection is trusted unasked, counted
	// from when the last request on it was written: its answer proves that the
	// peer lived then, and not when the answer was read, for a freeze may have lain
	// between. Default 3 s: below the 4 to 5 s after which common servers hang up
	// (linkerd2-proxy's outbound HTTP/1 pool idle; Node closes after 5 s).
	SafeIdle time.Duration
	// MaxIdle is the age, counted likewise, beyond which a connection is closed, not used.
	// Default 55 s: below the 60 s of ALB and VPC Lattice.
	MaxIdle time.Duration
	// MaxAge is the age, counted from the connect by the wall or the monotonic clock,
	// beyond which a connection takes no new call and is replaced; up to a fifth less,
	// at random. It spreads calls anew over what is behind one address. What is under
	// way on it ends in its own time. Default 0: no limit.
	MaxAge time.Duration
	// MaxConnections to one endpoint. Default 64.
	MaxConnections int
	// Wait is how long a call waits for a connection, or a place on one, that a limit
	// keeps from it: MaxConnections, the streams that an endpoint takes on a connection,
	// or those of [Slots]. All attempts of a call share it, and the call's deadline
	// bounds it. Then the call fails as Busy, which is held against no endpoint.
	// Default 1 s, half of a service's default time, so that another endpoint can still
	// serve the call; negative is not to wait at all.
	Wait time.Duration
	// MaxIdleConnections kept to one endpoint. Default 64, as many as there may be:
	// fewer would have a burst hang up and connect again with every other call.
	// The process-wide limit takes the oldest where descriptors run short.
	MaxIdleConnections int
	// MaxHeader is the largest response header in bytes. Default 64 KiB.
	MaxHeader int
	// Whole is the largest response of declared length, in bytes, that is read
	// whole, within the attempt, before its head is handed on, so that half an
	// answer can be tried again elsewhere. Default 64 KiB.
	Whole int
}

// WithDefaults returns c with its zero fields set to their defaults.
func (c Config) WithDefaults() Config {
	c.Protocol = cmp.Or(c.Protocol, HTTP)
	c.ConnectTimeout = cmp.Or(c.ConnectTimeout, time.Second)
	c.SafeIdle = cmp.Or(c.SafeIdle, 3*time.Second)
	c.MaxIdle = cmp.Or(c.MaxIdle, 55*time.Second)
	c.Wait = cmp.Or(c.Wait, time.Second)
	c.MaxConnections = cmp.Or(c.MaxConnections, 64)
	c.MaxIdleConnections = cmp.Or(c.MaxIdleConnections, 64)
	c.MaxHeader = cmp.Or(c.MaxHeader, 64<<10)
	c.Whole = cmp.Or(c.Whole, 64<<10)
	return c
}
