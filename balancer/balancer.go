package balancer

import (
	"math/rand/v2"
	"sync"
	"sync/atomic"

	"github.com/liftmesh/lift"
)

// Options configures a [Balancer].
type Options struct {
	Config Config
	// Now; nil is [lift.Now].
	Now func() lift.Instant
	// Rand returns random bits; it must be safe for concurrent use. nil is
	// [rand.Uint64].
	Rand func() uint64
	// Notify is called with every change of a node's state. It must not block.
	Notify func(Change)
}

// Balancer picks endpoints of one service. The membership is immutable and replaced as
// a whole; while every endpoint is usable, Pick takes no lock. Safe for concurrent use.
type Balancer struct {
	cfg    Config // of the next set
	now    func() lift.Instant
	rand   func() uint64
	notify func(Change)
	turn   atomic.Uint64 // round robin's position; it continues from set to set

	set   atomic.Pointer[Set]
	first chan struct{} // closed with the first set
	out   atomic.Int64  // nodes of the set that are out; written under mu

	mu sync.Mutex // guards changes of gates and of the set; never held while Notify runs
}

// New returns a balancer with no set yet.
func New(o Options) *Balancer {
	b := &Balancer{cfg: o.Config.WithDefaults(), now: o.Now, rand: o.Rand, notify: o.Notify, first: make(chan struct{})}
	if b.now == nil {
		b.now = lift.Now
	}
	if b.rand == nil {
		b.rand = rand.Uint64
	}
	b.turn.Store(b.rand() >> 32) // so that environments do not all begin with the same endpoint
	return b
}

// Pick chooses the endpoint for c's next attempt, starts the attempt and counts it in
// flight. If the attempt is a probe, Pick takes the endpoint's only probe slot. It
// skips endpoints that c has tried while another is usable. If the node is nil, Reason
// says why.
func (b *Balancer) Pick(c *lift.Call) (*Node, *lift.Attempt, Reason) {
	s := b.set.Load()
	switch {
	case s == nil:
		return nil, nil, Reason{Code: lift.NoSet}
	case len(s.nodes) == 0:
		return nil, nil, Reason{Code: lift.NoEndpoints}
	}
	now := b.now()
	var p choice
	if b.out.Load() == 0 && c.Tries() == 0 {
		p.node, p.why = s.choose.choose(c, nil)
	} else {
		var r Reason
		if p, r = b.pickAmong(s, c, now); p.node == nil {
			return nil, nil, r
		}
	}
	p.node.inFlight.Add(1)
	return p.node, c.NewAttempt(lift.AttemptRecord{
		Endpoint: p.node.Endpoint(), Began: now, Why: p.why, Probe: p.probe, Candidates: len(s.nodes),
	}), Reason{}
}
