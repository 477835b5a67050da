package balancer

import (
	"sync/atomic"

	"github.com/liftmesh/lift"
)

// roundRobin goes through a schedule in which each node occurs in proportion to its
// weight.
type roundRobin struct {
	nodes []*Node
	order []int32
	turn  *atomic.Uint64
}

const roundRobinWhy = "next in turn"

func newRoundRobin(nodes []*Node, turn *atomic.Uint64) *roundRobin {
	return &roundRobin{nodes: nodes, order: schedule(nodes), turn: turn}
}

// choose, if some nodes are not usable, goes through the whole schedule from the
// current turn: going by the turn alone, it could miss the only usable node while
// concurrent calls advance the turn. The turn skips nodes that are not usable, so that
// the node after them gets no more than its share.
func (r *roundRobin) choose(_ *lift.Call, usable func(*Node) bool) (*Node, string) {
	start, n := r.turn.Add(1), uint64(len(r.order))
	if usable == nil {
		return r.nodes[r.order[start%n]], roundRobinWhy
	}
	for i := range n {
		if node := r.nodes[r.order[(start+i)%n]]; usable(node) {
			if i > 0 {
				r.turn.Add(i)
			}
			return node, roundRobinWhy
		}
	}
	return nil, ""
}

// maxSchedule limits a schedule's length; larger weights are scaled down.
const maxSchedule = 4096

// schedule spreads nodes so that each occurs in proportion to its weight, as evenly as
// possible (nginx's smooth weighted round robin).
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

// shrink divides weights by their greatest common divisor and, if their sum is still
// too large, scales them down, each to at least 1.
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
