package config

import (
	"time"

	"github.com/liftmesh/lift/mesh"
)

// connectionSettings are the pools.
func connectionSettings() []setting[mesh.ServiceConfig] {
	type sc = mesh.ServiceConfig
	return []setting[sc]{
		{rule{
			path: "connections.connect_timeout", kind: duration, low: "1ms", high: "1m", preset: "1s",
			means: "one TCP connect, and with TLS as long again for the handshake",
			why:   "linkerd2-proxy's",
		}, func(s *sc, d datum) { s.Transport.ConnectTimeout = time.Duration(d.ns) }},
		{rule{
			path: "connections.safe_idle", kind: duration, low: "1ms", high: "1h", preset: "3s",
			means: "idle age up to which a connection is trusted unasked; at most max_idle",
			why:   "below the 4 to 5 s after which common servers hang up",
		}, func(s *sc, d datum) { s.Transport.SafeIdle = time.Duration(d.ns) }},
		{rule{
			path: "connections.max_idle", kind: duration, low: "1ms", high: "1h", preset: "55s",
			means: "idle age beyond which a connection is closed, not used",
			why:   "below the 60 s of ALB and VPC Lattice",
		}, func(s *sc, d datum) { s.Transport.MaxIdle = time.Duration(d.ns) }},
		{rule{
			path: "connections.max_age", kind: duration, low: "0s", high: "24h", preset: "0s",
			means: "age beyond which a connection takes no new call and is replaced, up to a fifth less at random; 0s is none, and with from: url it is 5m unless it is said",
			why:   "spreads calls anew over what is behind one address; an endpoint of its own needs none",
		}, func(s *sc, d datum) { s.Transport.MaxAge = time.Duration(d.ns) }},
		{rule{
			path: "connections.max", kind: whole, low: "1", high: "256", preset: "64",
			means: "connections to one endpoint; a call beyond that waits for one, within its deadline",
			why:   "a Lambda environment has 1,024 descriptors, shared with the function",
		}, func(s *sc, d datum) { s.Transport.MaxConnections = int(d.ns) }},
		{rule{
			path: "connections.max_idle_count", kind: whole, low: "1", high: "256", preset: "64",
			means: "idle connections kept to one endpoint; at most max",
			why:   "as many as there may be: fewer would have a burst hang up and connect again with every other call",
		}, func(s *sc, d datum) { s.Transport.MaxIdleConnections = int(d.ns) }},
		{rule{
			path: "connections.max_header", kind: size, low: "1KiB", high: "16MiB", preset: "64KiB",
			means: "the largest head of a response",
			why:   "an endless header must end",
		}, func(s *sc, d datum) { s.Transport.MaxHeader = int(d.ns) }},
		{rule{
			path: "connections.whole", kind: size, low: "1B", high: "16MiB", preset: "64KiB",
			means: "the largest response of known length that is read whole before its head is handed on",
			why:   "so that half an answer can be tried again elsewhere",
		}, func(s *sc, d datum) { s.Transport.Whole = int(d.ns) }},
		{rule{
			path: "warm", kind: whole, low: "0", high: "16", preset: "0",
			means: "connections to each endpoint that are opened before the first call and after a thaw",
			why:   "costs time at init and at each thaw; 1 suits provisioned concurrency",
		}, func(s *sc, d datum) { s.Warm = int(d.ns) }},
	}
}
