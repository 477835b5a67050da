package config

import (
	"errors"
	"math"
	"strings"
	"time"

	"github.com/liftmesh/lift/balancer"
	"github.com/liftmesh/lift/mesh"
	"github.com/liftmesh/lift/resilience"
)

// callSettings are what a call may take and what becomes of it.
func callSettings() []setting[mesh.ServiceConfig] {
	type sc = mesh.ServiceConfig
	return []setting[sc]{
		{rule{
			path: "timeout", kind: duration, low: "1ms", high: "1h", preset: "2s",
			means: "time for the whole call, retries included",
			why:   "a function that waits costs money; the invocation's deadline holds in any case",
		}, func(s *sc, d datum) { s.Timeout = time.Duration(d.ns) }},
		{rule{
			path: "attempt_timeout", kind: duration, low: "100us", high: "1h", derived: "half of the call's time", eachCall: true, sample: "1s",
			means: "time that an endpoint has in one attempt, up to the answer's head, to connect, to take more of the request, and to answer once it has all of it; the time in which the caller sends is not counted; at most timeout",
			why:   "leaves time for another endpoint after one that hangs",
		}, func(s *sc, d datum) { s.AttemptTimeout = time.Duration(d.ns) }},
		{rule{
			path: "retry.attempts", kind: whole, low: "1", high: "10", preset: "3",
			means: "how often a call is sent at most, the first time included; 1 disables retries",
			why:   "each attempt goes to another endpoint while there is one",
		}, func(s *sc, d datum) { s.Retry.Attempts = int(d.ns) }},
		{rule{
			path: "retry.backoff", kind: duration, low: "1ms", high: "1m", preset: "25ms",
			means: "base of the wait before attempt n+1, which is a random time below backoff × (2^n − 1)",
			why:   "Envoy's default",
		}, func(s *sc, d datum) { s.Retry.Backoff = time.Duration(d.ns) }},
		{rule{
			path: "retry.backoff_max", kind: duration, low: "1ms", high: "5m", preset: "250ms",
			means: "longest such wait; at least backoff",
			why:   "Envoy's default",
		}, func(s *sc, d datum) { s.Retry.BackoffMax = time.Duration(d.ns) }},
		{rule{
			path: "retry.budget.ratio", kind: number, low: "0", high: "1", preset: "0.2",
			means: "retries that each call pays for",
			why:   "linkerd's and Finagle's 20 %: a failing service gets at most that much more load",
		}, func(s *sc, d datum) { s.Retry.Budget.Ratio = nonzero(d.f) }},
		{rule{
			path: "retry.budget.floor_per_second", kind: number, low: "0", high: "1000", preset: "0.2",
			means: "retries a second that are allowed without any calls to pay for them",
			why:   "an environment that sends one call a second still gets retries",
		}, func(s *sc, d datum) { s.Retry.Budget.FloorPerSecond = nonzero(d.f) }},
		{rule{
			path: "retry.budget.burst", kind: number, low: "1", high: "10000", preset: "10",
			means: "retries that can always be saved up",
			why:   "the death of one endpoint must not use up the budget",
		}, func(s *sc, d datum) { s.Retry.Budget.Burst = d.f }},
		{rule{
			path: "breaker.answers", kind: choice, choices: []string{"compare", "count", "ignore"}, preset: "compare",
			means: "what a bad answer (500, INTERNAL, 429, none within the caller's time) says about its endpoint: compare takes an endpoint out that answers worse than the others, count counts it as a failure of the breaker, ignore makes nothing of it",
			why:   "a URL that always fails must not take healthy endpoints out; see [Breaker](breaker.md)",
		}, func(s *sc, d datum) { s.Breaker.Answers = resilience.Answers(d.text) }},
		{rule{
			path: "breaker.consecutive", kind: whole, low: "1", high: "1000000", preset: "3",
			means: "failures in a row after which an endpoint is taken out",
			why:   "one environment sends few calls, and another endpoint can serve meanwhile",
		}, func(s *sc, d datum) { s.Breaker.Consecutive = int(d.ns) }},
		{rule{
			path: "breaker.failure_ratio", kind: number, low: "0.01", high: "1", preset: "0.5",
			means: "share of failed calls within window at which an endpoint is taken out, once there are min_calls",
			why:   "spares an endpoint that fails only one kind of request",
		}, func(s *sc, d datum) { s.Breaker.FailureRatio = d.f }},
		{rule{
			path: "breaker.min_calls", kind: whole, low: "1", high: "1000000", preset: "5",
			means: "calls within window below which failure_ratio is ignored",
			why:   "Finagle's default",
		}, func(s *sc, d datum) { s.Breaker.MinCalls = int(d.ns) }},
		{rule{
			path: "breaker.window", kind: duration, low: "1s", high: "1h", preset: "30s",
			means: "time over which failures are counted",
			why:   "Finagle's default",
		}, func(s *sc, d datum) { s.Breaker.Window = time.Duration(d.ns) }},
		{rule{
			path: "breaker.open_for", kind: span, low: "10ms", high: "1h", preset: "1s..60s",
			means: "how long an endpoint stays out: the first time, and the most after its probes have failed and the time has doubled",
			why:   "linkerd's penalties",
		}, func(s *sc, d datum) {
			s.Breaker.OpenFor, s.Breaker.OpenForMax = time.Duration(d.ns), time.Duration(d.high)
		}},
		{rule{
			path: "balancer.strategy", kind: choice, choices: []string{"least_request", "round_robin", "consistent_hash"}, preset: "least_request",
			means: "how an endpoint is chosen: least_request takes the better of two random ones (calls in flight over weight), round_robin takes one after the other, consistent_hash the same one for the same key",
			why:   "least_request avoids a slow endpoint before it fails",
		}, func(s *sc, d datum) { s.Balancer.Strategy = balancer.Strategy(d.text) }},
		{rule{
			path: "balancer.hash.header", kind: text, check: checkFieldName, derived: "none", sample: "X-User-Id",
			means: "consistent_hash: the request header whose first value is the key of a call that brings no key of its own (`sdk.HashKey`)",
			why:   "programs that call through the plain door have no other way to say it",
		}, func(s *sc, d datum) { s.Balancer.Hash.Header = d.text }},
		{rule{
			path: "balancer.hash.path", kind: toggle, preset: "false",
			means: "consistent_hash: whether the path, without its query, is the key of a call that has no other; a call without a key goes where least_request sends it",
			why:   "for endpoints that cache what they serve",
		}, func(s *sc, d datum) { s.Balancer.Hash.Path = d.text == "true" }},
		{rule{
			path: "balancer.hash.load", kind: number, low: "1", high: "100", preset: "1.5",
			means: "consistent_hash: an endpoint that would carry more than this times its share of the calls in flight, and more than 8, is passed over for the next",
			why:   "one popular key must not drown its endpoint",
		}, func(s *sc, d datum) { s.Balancer.Hash.Load = d.f }},
	}
}

// checkFieldName holds the name of a header to a token (RFC 9110, section 5.6.2).
func checkFieldName(s string) error {
	if s == "" || strings.ContainsFunc(s, func(r rune) bool { return r <= ' ' || r > '~' || strings.ContainsRune(`"(),/:;<=>?@[\]{}`, r) }) {
		return errors.New("want the name of a header, such as X-User-Id")
	}
	return nil
}

// nonzero is for fields whose zero means "the default": who wrote 0 gets the
// least there is.
func nonzero(f float64) float64 {
	if f == 0 {
		return math.SmallestNonzeroFloat64
	}
	return f
}
