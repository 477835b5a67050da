package balancer

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
)
