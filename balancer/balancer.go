package balancer

import (
	"math/rand/v2"
	"sync"
	"sync/atomic"

	"github.com/liftmesh/lift"
)

// Options are what a [Balancer] is made from.
type Options struct {
	Config Config
	// Now; nil is [lift.Now].
	Now func() lift.Instant
	// Rand gives random bits and is called from many goroutines; nil is
	// [rand.Uint64].
	Rand func() uint64
	// Notify is told of every change of a node's state. It must not block.
	Notify func(Change)
}

// Balancer picks endpoints of one service. Membership is immutable and swapped
// whole; while every endpoint is used, Pick takes no lock. Safe for concurrent use.
type Balancer struct {
	cfg    Config // of the next set
	now    func() lift.Instant
	rand   func() uint64
	notify func(Change)
	turn   atomic.Uint64 // where round robin stands; it goes on from set to set

	set   atomic.Pointer[Set]
	first chan struct{} // closed with the first set
	out   atomic.Int64  // nodes of the set that are not used; written under mu

	mu sync.Mutex // changes of gates and of the set; never held while anybody is told
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
	b.turn.Store(b.rand() >> 32) // so that many environments do not begin with the same endpoint
	return b
}

// Pick chooses the endpoint for c's next attempt, starts the attempt, counts it in
// flight and, where the choice falls on an endpoint that is probed, takes the probe's
// only slot. What c has tried is skipped while another is usable. A nil node comes with
// the reason.
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
