package config

import (
	"math"
	"time"

	"github.com/liftmesh/lift/balancer"
	"github.com/liftmesh/lift/mesh"
	"github.com/liftmesh/lift/registry/dns"
)

// serviceSettings is the table of what can be said of a service, and in
// defaults of all of them. The presets are those of the packages' own structs;
// a test holds them together.
func serviceSettings() []setting[mesh.ServiceConfig] {
	type sc = mesh.ServiceConfig
	return []setting[sc]{
		{rule{
			path: "from", kind: choice, choices: []string{"static", "dns"}, own: true,
			means: "where the endpoints are learnt from",
			why:   "required: a service that nobody can find is a mistake",
		}, nil}, // together with what goes with it, see service.registry
		{rule{
			path: "endpoints", kind: list, own: true, with: "static", check: endpoint,
			means: "with from: static, the endpoints: host:port, then any of ;zone=ID ;weight=1..1000 ;id=ID ;tag=NAME",
			why:   "required with from: static",
		}, nil},
		{rule{
			path: "dns.name", kind: text, own: true, with: "dns", check: dns.CheckName,
			means: "with from: dns, the name to ask for; a dot at the end keeps search domains away",
			why:   "required with from: dns",
		}, func(s *sc, d datum) { s.Lookup = d.text }},
		{rule{
			path: "dns.port", kind: whole, low: "1", high: "65535", own: true, with: "dns", derived: "required with type: a",
			means: "the port of every address; not with type: srv, whose records say it",
			why:   "A and AAAA records hold addresses alone",
		}, nil},
		{rule{
			path: "dns.type", kind: choice, choices: []string{"a", "srv"}, own: true, with: "dns", preset: "a",
			means: "the records: a asks for A and AAAA, srv for SRV with ports, priorities and weights",
			why:   "every name has addresses",
		}, nil},
		{rule{
			path: "dns.servers", kind: list, own: true, with: "dns", check: dnsServer, derived: "those of /etc/resolv.conf",
			means: "the servers to ask, in this order, by IP address and port; names are then taken as they stand, without search domains",
			why:   "the system's follow it where it goes; see [DNS](dns.md)",
		}, nil},
		{rule{
			path: "listen", kind: text, own: true, derived: "none", check: plainAddress,
			means: "an address of the plain door that is this service's alone, as under plain: 127.0.0.1:4201; whatever Host a request has",
			why:   "so that only a base URL changes in a program",
		}, nil}, // goes to Config.Plain
		{rule{
			path: "protocol", kind: choice, choices: []string{"http"}, own: true, preset: "http",
			means: "what the endpoints speak: http is HTTP/1.1",
			why:   "every server does",
		}, nil},
		{rule{
			path: "timeout", kind: duration, low: "1ms", high: "1h", preset: "2s",
			means: "the whole call, retries included",
			why:   "a function that waits is paid for; the deadline of the invocation is kept in any case",
		}, func(s *sc, d datum) { s.Timeout = time.Duration(d.ns) }},
		{rule{
			path: "attempt_timeout", kind: duration, low: "100us", high: "1h", derived: "half of timeout",
			means: "one attempt; at most timeout",
			why:   "leaves time for one more attempt elsewhere after one that hangs",
		}, func(s *sc, d datum) { s.AttemptTimeout = time.Duration(d.ns) }},
		{rule{
			path: "retry.attempts", kind: whole, low: "1", high: "10", preset: "3",
			means: "how often a call is sent at most, the first time included; 1 switches retries off",
			why:   "each attempt goes to another endpoint while there is one",
		}, func(s *sc, d datum) { s.Retry.Attempts = int(d.ns) }},
		{rule{
			path: "retry.backoff", kind: duration, low: "1ms", high: "1m", preset: "25ms",
			means: "base of the wait before attempt n+1: a random time below backoff × (2^n − 1)",
			why:   "Envoy's",
		}, func(s *sc, d datum) { s.Retry.Backoff = time.Duration(d.ns) }},
		{rule{
			path: "retry.backoff_max", kind: duration, low: "1ms", high: "5m", preset: "250ms",
			means: "cap of that wait; at least backoff",
			why:   "Envoy's",
		}, func(s *sc, d datum) { s.Retry.BackoffMax = time.Duration(d.ns) }},
		{rule{
			path: "retry.budget.ratio", kind: number, low: "0", high: "1", preset: "0.2",
			means: "retries that each call pays for",
			why:   "linkerd's and Finagle's 20 %: a failing service gets at most that much more load",
		}, func(s *sc, d datum) { s.Retry.Budget.Ratio = nonzero(d.f) }},
		{rule{
			path: "retry.budget.floor_per_second", kind: number, low: "0", high: "1000", preset: "0.2",
			means: "retries a second that are paid for without any call",
			why:   "an environment that sends one call a second still gets retries",
		}, func(s *sc, d datum) { s.Retry.Budget.FloorPerSecond = nonzero(d.f) }},
		{rule{
			path: "retry.budget.burst", kind: number, low: "1", high: "10000", preset: "10",
			means: "retries that can be saved up at least",
			why:   "one endpoint's death must not empty it",
		}, func(s *sc, d datum) { s.Retry.Budget.Burst = d.f }},
		{rule{
			path: "breaker.consecutive", kind: whole, low: "1", high: "1000000", preset: "3",
			means: "failures in a row that take an endpoint out",
			why:   "one environment sends few calls, and another endpoint can serve meanwhile",
		}, func(s *sc, d datum) { s.Breaker.Consecutive = int(d.ns) }},
		{rule{
			path: "breaker.failure_ratio", kind: number, low: "0.01", high: "1", preset: "0.5",
			means: "share of failures within window that takes an endpoint out, from min_calls on",
			why:   "kind to an endpoint that fails one sort of request",
		}, func(s *sc, d datum) { s.Breaker.FailureRatio = d.f }},
		{rule{
			path: "breaker.min_calls", kind: whole, low: "1", high: "1000000", preset: "5",
			means: "calls within window below which failure_ratio says nothing",
			why:   "Finagle's",
		}, func(s *sc, d datum) { s.Breaker.MinCalls = int(d.ns) }},
		{rule{
			path: "breaker.window", kind: duration, low: "1s", high: "1h", preset: "30s",
			means: "time over which failures are counted",
			why:   "Finagle's",
		}, func(s *sc, d datum) { s.Breaker.Window = time.Duration(d.ns) }},
		{rule{
			path: "breaker.open_for", kind: span, low: "10ms", high: "1h", preset: "1s..60s",
			means: "how long an endpoint stays out: the first time, and the most it can double to as its probes fail",
			why:   "linkerd's penalties",
		}, func(s *sc, d datum) {
			s.Breaker.OpenFor, s.Breaker.OpenForMax = time.Duration(d.ns), time.Duration(d.high)
		}},
		{rule{
			path: "balancer.strategy", kind: choice, choices: []string{"least_request", "round_robin"}, preset: "least_request",
			means: "how an endpoint is chosen: the better of two at random by calls in flight over weight, or one after the other",
			why:   "least_request goes around an endpoint that is slow before it has failed",
		}, func(s *sc, d datum) { s.Balancer = balancer.Strategy(d.text) }},
		{rule{
			path: "connections.connect_timeout", kind: duration, low: "1ms", high: "1m", preset: "1s",
			means: "one TCP connect",
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

// nonzero is for fields whose zero means "the default": who wrote 0 gets the
// least there is.
func nonzero(f float64) float64 {
	if f == 0 {
		return math.SmallestNonzeroFloat64
	}
	return f
}
