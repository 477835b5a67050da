package balancer

import (
	"cmp"
	"math"
	"slices"
	"strings"

	"github.com/liftmesh/lift"
)

// consistentHash puts each node on a ring of hashes, at many points, and sends a key to
// the node at the first point behind the key's own hash (Karger and others, Consistent
// Hashing and Random Trees, 1997). A node that leaves or joins moves only its own share
// of the keys. The hashes depend only on keys and endpoints, so all environments agree
// on them.
type consistentHash struct {
	cfg     HashConfig
	nodes   []*Node
	total   int64 // of weights
	ring    []point
	without chooser // for calls without a key
}

type point struct {
	at   uint64
	node int32
}

// The ring has pointsPerNode points for a node of ordinary weight, so that shares
// differ by a tenth or so, and at most maxPoints in all, one for each node at least.
const (
	pointsPerNode = 128
	maxPoints     = 1 << 16
)

// maxHeavy limits how many overloaded nodes a pick skips.
const maxHeavy = 64

// fewInFlight is how many calls a node may have in flight whatever its share: among so
// few calls, shares are due to chance.
const fewInFlight = 8

func newConsistentHash(nodes []*Node, cfg HashConfig, without chooser) *consistentHash {
	weights, parts := shrink(nodes)
	h := &consistentHash{cfg: cfg, nodes: nodes, without: without}
	each := max(min(pointsPerNode*len(nodes), maxPoints)/max(int(parts), 1), 1)
	for i, n := range nodes {
		h.total += n.weight()
		seed := hashOf(n.Endpoint().Key())
		for k := range uint64(each) * uint64(weights[i]) { //nolint:gosec // weights are positive
			h.ring = append(h.ring, point{mix(seed + k*0x9e3779b97f4a7c15), int32(i)}) //nolint:gosec // bounded by the number of nodes
		}
	}
	slices.SortFunc(h.ring, func(a, b point) int { return cmp.Or(cmp.Compare(a.at, b.at), cmp.Compare(a.node, b.node)) })
	return h
}

// choose goes round the ring from the key's place to the first node that is usable and
// not overloaded; if all are overloaded, to the first that is usable.
func (h *consistentHash) choose(c *lift.Call, usable func(*Node) bool) (*Node, string) {
	key := h.key(c)
	if key == "" {
		n, _ := h.without.choose(c, usable)
		return n, leastRequestWhy + "; no hash key"
	}
	at := hashOf(key)
	start, _ := slices.BinarySearchFunc(h.ring, at, func(p point, at uint64) int { return cmp.Compare(p.at, at) })
	var first *Node
	inFlight := int64(-1) // of all nodes; counted when first needed
	heavy := 0            // points skipped because their node is overloaded
	for i := range h.ring {
		n := h.nodes[h.ring[(start+i)%len(h.ring)].node]
		if n == first || usable != nil && !usable(n) {
			continue
		}
		if h.light(n, &inFlight) {
			if first == nil {
				return n, "by its hash key"
			}
			return n, "next by its hash key; the first has more than its share in flight"
		}
		if first == nil {
			first = n
		}
		if heavy++; heavy == maxHeavy {
			break
		}
	}
	return first, "by its hash key"
}

// light reports whether one more call leaves n within its bounded share.
func (h *consistentHash) light(n *Node, inFlight *int64) bool {
	has := n.InFlight() + 1
	if has <= fewInFlight {
		return true
	}
	if *inFlight < 0 {
		*inFlight = 1
		for _, n := range h.nodes {
			*inFlight += n.InFlight()
		}
	}
	share := float64(n.weight()) / float64(h.total)
	return float64(has) <= math.Ceil(h.cfg.Load*share*float64(*inFlight))
}

// key returns the call's key, "" if it has none.
func (h *consistentHash) key(c *lift.Call) string {
	if c.HashKey != "" {
		return c.HashKey
	}
	if h.cfg.Header != "" {
		if v := lift.Get(c.Header, h.cfg.Header); v != "" {
			return v
		}
	}
	if h.cfg.Path {
		path, _, _ := strings.Cut(c.Path, "?")
		return cmp.Or(path, "/")
	}
	return ""
}

// hashOf is FNV-1a, mixed: FNV alone leaves the high bits of short keys alike.
func hashOf(s string) uint64 {
	h := uint64(14695981039346656037)
	for i := range len(s) {
		h = (h ^ uint64(s[i])) * 1099511628211
	}
	return mix(h)
}

// mix is the finalizer of splitmix64.
func mix(h uint64) uint64 {
	h = (h ^ h>>30) * 0xbf58476d1ce4e5b9
	h = (h ^ h>>27) * 0x94d049bb133111eb
	return h ^ h>>31
}
