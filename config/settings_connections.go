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
			means: "time for one TCP connect, and as much again for the TLS handshake",
			why:   "linkerd2-proxy's default",
		}, func(s *sc, d datum) { s.Transport.ConnectTimeout = time.Duration(d.ns) }},
		{rule{
			path: "connections.safe_idle", kind: duration, low: "1ms", high: "1h", preset: "3s",
			means: "idle time up to which a connection is used without a check; at most max_idle",
			why:   "below the 4 to 5 s after which common servers close it",
		}, func(s *sc, d datum) { s.Transport.SafeIdle = time.Duration(d.ns) }},
		{rule{
			path: "connections.max_idle", kind: duration, low: "1ms", high: "1h", preset: "55s",
			means: "idle time after which a connection is closed instead of used",
			why:   "below the 60 s of ALB and VPC Lattice",
		}, func(s *sc, d datum) { s.Transport.MaxIdle = time.Duration(d.ns) }},
		{rule{
			path: "connections.max_age", kind: duration, low: "0s", high: "24h", preset: "0s",
			means: "age after which a connection takes no new calls and is replaced, up to a fifth earlier at random; 0s is never; with from: url the default is 5m",
			why:   "spreads calls anew over the servers behind one address; a single endpoint needs none",
		}, func(s *sc, d datum) { s.Transport.MaxAge = time.Duration(d.ns) }},
		{rule{
			path: "connections.max", kind: whole, low: "1", high: "256", preset: "64",
			means: "connections to one endpoint; a call that finds them all in use waits, see connections.wait",
			why:   "a Lambda environment has 1,024 descriptors, shared with the function",
		}, func(s *sc, d datum) { s.Transport.MaxConnections = int(d.ns) }},
		{rule{
			path: "connections.wait", kind: duration, low: "0s", high: "1h", preset: "1s",
			means: "how long a call waits, over all its attempts, for a connection that a limit keeps from it: connections.max, the calls that an endpoint takes at once (HTTP/2), limits.connections or limits.connects; then it gets `busy`; its deadline holds too; 0s is not at all",
			why:   "half of the default timeout, so that another endpoint can still serve the call",
		}, func(s *sc, d datum) {
			s.Transport.Wait = time.Duration(d.ns)
			if d.ns == 0 {
				s.Transport.Wait = -1 // the field's zero means its default
			}
		}},
		{rule{
			path: "connections.max_idle_count", kind: whole, low: "1", high: "256", preset: "64",
			means: "idle connections kept to one endpoint; at most max",
			why:   "with fewer, a burst would close and reopen connections at every other call",
		}, func(s *sc, d datum) { s.Transport.MaxIdleConnections = int(d.ns) }},
		{rule{
			path: "connections.max_header", kind: size, low: "1KiB", high: "16MiB", preset: "64KiB",
			means: "largest head of a response",
			why:   "a header without end must be cut off",
		}, func(s *sc, d datum) { s.Transport.MaxHeader = int(d.ns) }},
		{rule{
			path: "connections.whole", kind: size, low: "1B", high: "16MiB", preset: "64KiB",
			means: "largest response of known length that is read completely before its head is passed on",
			why:   "an answer that breaks off can then be retried elsewhere",
		}, func(s *sc, d datum) { s.Transport.Whole = int(d.ns) }},
		{rule{
			path: "warm", kind: whole, low: "0", high: "16", preset: "0",
			means: "connections to each endpoint that are opened before the first call and after a thaw",
			why:   "costs time at init and at each thaw; 1 suits provisioned concurrency",
		}, func(s *sc, d datum) { s.Warm = int(d.ns) }},
	}
}
