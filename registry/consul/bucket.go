package consul

import "time"

const (
	// burst is how many blocking queries may follow each other at once; one more is
	// allowed after each refill. Consul's documentation suggests 2 and 15 s; see
	// docs/decisions/0020-consul-discovery.md.
	burst  = 4
	refill = 5 * time.Second
)

// bucket is a token bucket.
type bucket struct {
	tokens float64
	at     time.Duration
}

// take takes a token and returns how long to wait for it.
func (b *bucket) take(now time.Duration) time.Duration {
	b.tokens = min(b.tokens+float64(now-b.at)/float64(refill), burst) - 1
	b.at = now
	if b.tokens >= 0 {
		return 0
	}
	return time.Duration(-b.tokens * float64(refill))
}
