package balancer

import "github.com/liftmesh/lift"

// chooser is one strategy over one set of nodes, made with the set. It is safe for
// concurrent use and allocates nothing.
type chooser interface {
	// choose returns one of the nodes for which usable returns true, and how it was
	// chosen; nil if there is none. A nil usable accepts all nodes.
	choose(c *lift.Call, usable func(*Node) bool) (n *Node, why string)
}

func (b *Balancer) chooser(nodes []*Node) chooser {
	switch b.cfg.Strategy {
	case RoundRobin:
		return newRoundRobin(nodes, &b.turn)
	case ConsistentHash:
		return newConsistentHash(nodes, b.cfg.Hash, newLeastRequest(nodes, b.rand))
	default:
		return newLeastRequest(nodes, b.rand)
	}
}

// leastRequest samples two endpoints by weight and takes the one with fewer calls in
// flight for its weight. On a tie it takes the first, so that idle endpoints get calls
// by weight.
type leastRequest struct {
	nodes []*Node
	rand  func() uint64
	total int64 // of weights
	even  bool  // all weights are the same
}

const leastRequestWhy = "least of two in flight"

func newLeastRequest(nodes []*Node, rand func() uint64) *leastRequest {
	l := &leastRequest{nodes: nodes, rand: rand, even: true}
	for _, n := range nodes {
		w := n.weight()
		l.total += w
		l.even = l.even && w == nodes[0].weight()
	}
	return l
}

func (l *leastRequest) choose(_ *lift.Call, usable func(*Node) bool) (*Node, string) {
	if usable == nil {
		return lesser(l.sample(), l.sample()), leastRequestWhy
	}
	// Both samples in one pass: each usable node replaces a sample with the probability
	// of its weight among all nodes seen so far.
	var a, b *Node
	var total int64
	for _, n := range l.nodes {
		if !usable(n) {
			continue
		}
		w := n.weight()
		total += w
		if below(l.rand(), total) < w {
			a = n
		}
		if below(l.rand(), total) < w {
			b = n
		}
	}
	if a == nil {
		return nil, ""
	}
	return lesser(a, b), leastRequestWhy
}

func (l *leastRequest) sample() *Node {
	if l.even {
		return l.nodes[below(l.rand(), int64(len(l.nodes)))]
	}
	at := below(l.rand(), l.total)
	for _, n := range l.nodes {
		if at -= n.weight(); at < 0 {
			return n
		}
	}
	return l.nodes[len(l.nodes)-1] // a weight shrank meanwhile
}

func lesser(a, b *Node) *Node {
	if b.inFlight.Load()*a.weight() < a.inFlight.Load()*b.weight() {
		return b
	}
	return a
}

// below maps random bits to [0, n).
func below(bits uint64, n int64) int64 { return int64(bits>>1) % n }
