package balancer

import (
	"math"
	"sync/atomic"
	"time"

	"github.com/liftmesh/lift"
)

// Node is the balancer's memory of one endpoint: the gate that Pick enforces, the
// attempts in flight, and how fast the endpoint answers. It outlives sets: an endpoint
// that leaves and soon comes back has the same node. Safe for concurrent use.
//
// A Node is a [lift.RoundTripper]: it sends the attempts that Pick started for it.
type Node struct {
	balancer *Balancer
	endpoint atomic.Pointer[lift.Endpoint]
	next     lift.RoundTripper

	verdict atomic.Pointer[verdict] // nil: usable. Stored under Balancer.mu
	in      bool                    // in the current set; guarded by Balancer.mu

	inFlight atomic.Int64
	usual    atomic.Int64 // nanoseconds from the pick to the head of an answer; 0: unknown
	answered atomic.Int64 // monotonic nanoseconds of the last head
}

// NewNode returns a node whose attempts are passed on to next.
func (b *Balancer) NewNode(ep lift.Endpoint, next lift.RoundTripper) *Node {
	n := &Node{balancer: b, next: next}
	n.answered.Store(math.MinInt64) // never: in a bubble of synctest monotonic time is below zero
	n.endpoint.Store(&ep)
	return n
}

// Endpoint returns the endpoint as the registry last described it.
func (n *Node) Endpoint() lift.Endpoint { return *n.endpoint.Load() }

// Update replaces the description of the node's endpoint, in place. A changed weight
// takes effect with the next [Balancer.Replace].
func (n *Node) Update(ep lift.Endpoint) { n.endpoint.Store(&ep) }

// RoundTrip sends an attempt to the node. Pick has counted it as in flight; the code
// that judges the attempt calls Done when it has ended.
func (n *Node) RoundTrip(a *lift.Attempt) (*lift.Response, error) { return n.next.RoundTrip(a) }

// InFlight returns the number of attempts at the node that have not ended.
func (n *Node) InFlight() int64 { return n.inFlight.Load() }

// Done ends one attempt at the node.
func (n *Node) Done() { n.inFlight.Add(-1) }

// Answered notes that the head of an answer arrived at now.
func (n *Node) Answered(now lift.Instant) { n.answered.Store(int64(now.Mono)) }

// AnsweredSince reports whether the head of any answer has arrived from the node since
// then. From a node that hangs, none does.
func (n *Node) AnsweredSince(then lift.Instant) bool { return n.answered.Load() > int64(then.Mono) }

// Learn updates the usual time with the time that the head of an answer took: the usual
// time moves an eighth of the way to it.
func (n *Node) Learn(took time.Duration) {
	usual := n.usual.Load()
	if usual == 0 {
		usual = int64(took)
	}
	n.usual.Store(max(1, usual+(int64(took)-usual)/8))
}

// Usual returns how long the head of an answer usually takes, 0 if unknown.
func (n *Node) Usual() time.Duration { return time.Duration(n.usual.Load()) }

// UsualElsewhere returns the longest usual time of the other nodes in the current set,
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
