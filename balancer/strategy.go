package balancer

import "cmp"

// Strategy names a way to choose among usable endpoints.
type Strategy string

// Strategies.
const (
	// LeastRequest takes the better of two endpoints chosen at random, by
	// requests in flight over weight (P2C; Envoy's least_request with
	// choice_count 2). The default.
	LeastRequest Strategy = "least_request"
	// RoundRobin takes one after the other, each as often as its weight says.
	RoundRobin Strategy = "round_robin"
	// ConsistentHash takes the same endpoint for the same key while the set of
	// endpoints is the same: see [HashConfig].
	ConsistentHash Strategy = "consistent_hash"
)

// Config says how an endpoint is chosen. A zero field means its default.
type Config struct {
	// Strategy. Default LeastRequest.
	Strategy Strategy
	// Hash only applies to ConsistentHash.
	Hash HashConfig
}

// HashConfig says which key ConsistentHash uses. A call's own HashKey comes first.
// LeastRequest chooses the endpoint of a call without a key.
type HashConfig struct {
	// Header is the request header whose first value is the key. Default "": none.
	Header string
	// Path makes the request's path, without its query, the key of calls that have no
	// other key. Default false.
	Path bool
	// Load limits the load that one key puts on its endpoint: an endpoint that would
	// have more than Load times its share of the calls in flight, and more than 8, is
	// skipped for the next one. Default 1.5; at least 1. Source: Mirrokni, Thorup,
	// Zadimoghaddam, Consistent Hashing with Bounded Loads, 2016; Envoy's
	// hash_balance_factor is typically 1.2 to 2.
	Load float64
}

// WithDefaults returns c with its zero fields set to their defaults.
func (c Config) WithDefaults() Config {
	c.Strategy = cmp.Or(c.Strategy, LeastRequest)
	c.Hash.Load = max(cmp.Or(c.Hash.Load, 1.5), 1)
	return c
}
