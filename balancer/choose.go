package balancer

import (
	"sync/atomic"
)

// chooser is one strategy. It is safe for concurrent use and allocates nothing.
type chooser interface {
	// any chooses from the whole set, all of which is usable.
	any(s *Set) (*Node, string)
	// among chooses from those that usable lets pass, nil if none does.
	among(s *Set, usable func(*Node) bool) (*Node, string)
}

// leastRequest samples two endpoints by weight and takes the one with fewer
// calls in flight for its weight; a tie goes to the first, so that idle
// endpoints share by weight.
type leastRequest struct{ rand func() uint64 }

const leastRequestWhy = "least of two in flight"

func (l leastRequest) any(s *Set) (*Node, string) {
	return lesser(l.sample(s), l.sample(s)), leastRequestWhy
}

func (l leastRequest) sample(s *Set) *Node {
	if s.even {
		return s.nodes[below(l.rand(), int64(len(s.nodes)))]
	}
	at := below(l.rand(), s.total)
	for _, n := range s.nodes {
		if at -= n.weight(); at < 0 {
			return n
		}
	}
	return s.nodes[len(s.nodes)-1] // a weight shrank meanwhile
}

// among samples both in one pass: each usable node takes a sample's place with
// the chance of its weight among all seen so far.
func (l leastRequest) among(s *Set, usable func(*Node) bool) (*Node, string) {
	var a, b *Node
	var total int64
	for _, n := range s.nodes {
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

func lesser(a, b *Node) *Node {
	if b.inFlight.Load()*a.weight() < a.inFlight.Load()*b.weight() {
		return b
	}
	return a
}

// below maps random bits to [0, n).
func below(bits uint64, n int64) int64 { return int64(bits>>1) % n }

// roundRobin goes through the set's schedule, from a random start so that many
// environments do not begin with the same endpoint.
type roundRobin struct{ cursor *atomic.Uint64 }

const roundRobinWhy = "next in turn"

func newRoundRobin(rand func() uint64) roundRobin {
	r := roundRobin{new(atomic.Uint64)}
	r.cursor.Store(rand() >> 32)
	return r
}

func (r roundRobin) any(s *Set) (*Node, string) {
	return s.nodes[s.order[r.cursor.Add(1)%uint64(len(s.order))]], roundRobinWhy
}

// among goes through the whole schedule from where the cursor stands: by the
// cursor alone it would step past the only usable node when others step too. The
// cursor skips who is not usable, so that whoever stands behind gets no more
// than its share.
func (r roundRobin) among(s *Set, usable func(*Node) bool) (*Node, string) {
	start, n := r.cursor.Add(1), uint64(len(s.order))
	for i := range n {
		if node := s.nodes[s.order[(start+i)%n]]; usable(node) {
			if i > 0 {
				r.cursor.Add(i)
			}
			return node, roundRobinWhy
		}
	}
	return nil, ""
}

// maxSchedule bounds a schedule's length; weights beyond are scaled down.
const maxSchedule = 4096

// schedule spreads nodes by weight so that each comes as often as its weight
// says and as evenly as can be (nginx's smooth weighted round robin).
func schedule(nodes []*Node) []int32 {
	weights, total := shrink(nodes)
	order := make([]int32, 0, total)
	credit := make([]int64, len(nodes))
	for range total {
		best := 0
		for i, w := range weights {
			if credit[i] += w; credit[i] > credit[best] {
				best = i
			}
		}
		credit[best] -= total
		order = append(order, int32(best)) //nolint:gosec // bounded by the number of nodes
	}
	return order
}

// shrink divides weights by what they have in common and, if their sum is still
// too large, scales them down, each to 1 at least.
func shrink(nodes []*Node) (weights []int64, total int64) {
	var common int64
	for _, n := range nodes {
		w := n.weight()
		weights = append(weights, w)
		total += w
		for common, w = w, common; w != 0; {
			common, w = w, common%w
		}
	}
	scaled := int64(0)
	for i, w := range weights {
		w /= common
		if total/common > maxSchedule {
			w = max(1, w*maxSchedule/(total/common))
		}
		weights[i] = w
		scaled += w
	}
	return weights, scaled
}
