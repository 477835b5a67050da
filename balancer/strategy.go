package balancer

import "cmp"

// Strategy names a way to choose among usable endpoints.
type Strategy string

// The strategies.
const (
	// LeastRequest takes the better of two endpoints chosen at random, by
	// requests in flight over weight (P2C; Envoy's least_request with
	// choice_count 2). The default.
	LeastRequest Strategy = "least_request"
	// RoundRobin takes one after the other, each as often as its weight says.
	RoundRobin Strategy = "round_robin"
	// ConsistentHash takes the same endpoint for the same key while the endpoints are
	// the same: see [HashConfig].
	ConsistentHash Strategy = "consistent_hash"
)

// Config says how an endpoint is chosen. A zero field means its default.
type Config struct {
	// Strategy. Default LeastRequest.
	Strategy Strategy
	// Hash is for ConsistentHash alone.
	Hash HashConfig
}

// HashConfig says what ConsistentHash goes by. A call's own HashKey comes first. A
// call without a key goes where LeastRequest would send it.
type HashConfig struct {
	// Header is the request header whose first value is the key. Default "": none.
	Header string
	// Path makes the request's path, without its query, the key of calls that have no
	// other. Default false.
	Path bool
	// Load bounds what one key can do to its endpoint: one that would carry more than
	// Load times its share of the calls in flight, and more than 8, is passed over
	// for the next. Default 1.5; at least 1. Source: Mirrokni, Thorup, Zadimoghaddam,
	// Consistent Hashing with Bounded Loads, 2016; Envoy's hash_balance_factor is
	// typically 1.2 to 2.
	Load float64
}

// WithDefaults returns c with its zero fields set to their defaults.
func (c Config) WithDefaults() Config {
	c.Strategy = cmp.Or(c.Strategy, LeastRequest)
	c.Hash.Load = max(cmp.Or(c.Hash.Load, 1.5), 1)
	return c
}
