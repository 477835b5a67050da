package balancer

import (
	"math"
	"sync/atomic"
	"time"

	"github.com/liftmesh/lift"
)

// Node is what the balancer remembers of one endpoint: the gate that Pick
// enforces, the attempts in flight, and how the endpoint has been answering. It
// outlives sets: a node that leaves and comes back within a while is the same node.
// Safe for concurrent use.
//
// A Node is a [lift.RoundTripper]: it sends the attempts that Pick started for it.
type Node struct {
	balancer *Balancer
	endpoint atomic.Pointer[lift.Endpoint]
	next     lift.RoundTripper

	verdict atomic.Pointer[verdict] // nil: used. Stored under Balancer.mu
	in      bool                    // in the current set; guarded by Balancer.mu

	inFlight atomic.Int64
	usual    atomic.Int64 // nanoseconds from the pick to the head of an answer; 0: not known
	answered atomic.Int64 // monotonic nanoseconds of the last head
}

// NewNode returns a node whose attempts are passed on to next.
func (b *Balancer) NewNode(ep lift.Endpoint, next lift.RoundTripper) *Node {
	n := &Node{balancer: b, next: next}
	n.answered.Store(math.MinInt64) // never: in a bubble of synctest monotonic time is below zero
	n.endpoint.Store(&ep)
	return n
}

// Endpoint returns the endpoint as last told.
func (n *Node) Endpoint() lift.Endpoint { return *n.endpoint.Load() }

// Update replaces what is known of the node's endpoint, in place. The next
// [Balancer.Replace] takes up a changed weight.
func (n *Node) Update(ep lift.Endpoint) { n.endpoint.Store(&ep) }

// RoundTrip sends an attempt to the node. Pick has counted it in; whoever judges the
// attempt calls Done when it has ended.
func (n *Node) RoundTrip(a *lift.Attempt) (*lift.Response, error) { return n.next.RoundTrip(a) }

// InFlight is the number of attempts at the node that have not ended.
func (n *Node) InFlight() int64 { return n.inFlight.Load() }

// Done ends one attempt at the node.
func (n *Node) Done() { n.inFlight.Add(-1) }

// Answered notes that the head of an answer came at now.
func (n *Node) Answered(now lift.Instant) { n.answered.Store(int64(now.Mono)) }

// AnsweredSince reports whether any answer's head has come from the node since then.
// A node that hangs is one from which none does.
func (n *Node) AnsweredSince(then lift.Instant) bool { return n.answered.Load() > int64(then.Mono) }

// Learn takes up how long an answer's head took in coming: an eighth of the way
// from what was usual to that.
func (n *Node) Learn(took time.Duration) {
	usual := n.usual.Load()
	if usual == 0 {
		usual = int64(took)
	}
	n.usual.Store(max(1, usual+(int64(took)-usual)/8))
}

// Usual is how long the head of an answer usually takes, 0 if not known.
func (n *Node) Usual() time.Duration { return time.Duration(n.usual.Load()) }

// UsualElsewhere is the longest usual time of the other nodes of the current set,
// 0 if none is known.
func (n *Node) UsualElsewhere() (longest time.Duration) {
	for _, other := range n.balancer.Current().Nodes() {
		if other != n {
			longest = max(longest, other.Usual())
		}
	}
	return longest
}

func (n *Node) weight() int64 { return int64(max(n.endpoint.Load().Weight, 1)) }
