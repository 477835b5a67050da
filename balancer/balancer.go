package balancer

import (
	"fmt"
	"math/rand/v2"
	"sync/atomic"
	"time"

	"github.com/liftmesh/lift"
)

// Patience is for how long a due probe is kept for a call that may be sent
// again, while other endpoints serve. After that any call carries it: a service
// that gets nothing but POSTs must find its endpoints again too.
const Patience = 10 * time.Second

// Options are what a [Balancer] is made from.
type Options struct {
	// Strategy; "" is LeastRequest.
	Strategy Strategy
	// Now; nil is [lift.Now].
	Now func() lift.Instant
	// Rand gives random bits and is called from many goroutines; nil is
	// [rand.Uint64].
	Rand func() uint64
	// Notify is told of every change of a node's state. It must not block.
	Notify func(Change)
}

// Balancer picks endpoints of one service. Membership is immutable and swapped
// whole; Pick takes no lock. Safe for concurrent use.
type Balancer struct {
	now     func() lift.Instant
	rand    func() uint64
	notify  func(Change)
	choose  chooser // of the next set
	set     atomic.Pointer[Set]
	outside atomic.Int64
	first   chan struct{} // closed with the first set
}

// New returns a balancer with no set yet.
func New(o Options) *Balancer {
	b := &Balancer{now: o.Now, rand: o.Rand, notify: o.Notify, first: make(chan struct{})}
	if b.now == nil {
		b.now = lift.Now
	}
	if b.rand == nil {
		b.rand = rand.Uint64
	}
	b.choose = b.chooser(o.Strategy)
	return b
}

func (b *Balancer) chooser(strategy Strategy) chooser {
	switch strategy {
	case RoundRobin:
		return newRoundRobin(b.rand)
	default:
		return leastRequest{b.rand}
	}
}

// Use changes the strategy. It must not be called at the same time as itself or
// Replace.
func (b *Balancer) Use(strategy Strategy) {
	b.choose = b.chooser(strategy)
	if s := b.set.Load(); s != nil {
		swapped := *s
		swapped.choose = b.choose
		b.set.Store(&swapped)
	}
}

// NewNode returns a node of this balancer whose attempts are passed on to next.
func (b *Balancer) NewNode(ep lift.Endpoint, next lift.RoundTripper) *Node {
	n := &Node{next: next, notify: b.notify, outside: &b.outside}
	n.endpoint.Store(&ep)
	return n
}

// Set is an immutable membership.
type Set struct {
	choose chooser
	nodes  []*Node
	total  int64   // of weights
	even   bool    // all weights are the same
	order  []int32 // round robin's order; see schedule
}

// Nodes returns the set's nodes. They must not be changed.
func (s *Set) Nodes() []*Node {
	if s == nil {
		return nil
	}
	return s.nodes
}

// Replace swaps the membership. Nodes must come from NewNode of this balancer.
// Replace must not be called at the same time as itself.
func (b *Balancer) Replace(nodes []*Node) {
	s := &Set{choose: b.choose, nodes: nodes, even: true}
	for _, n := range nodes {
		w := n.weight()
		s.total += w
		s.even = s.even && w == nodes[0].weight()
	}
	s.order = schedule(nodes)
	if b.set.Swap(s) == nil {
		close(b.first)
	}
}

// Update replaces what is known of a node's endpoint, in place. The next
// Replace takes up a changed weight.
func (n *Node) Update(ep lift.Endpoint) { n.endpoint.Store(&ep) }

// First is closed once there is a set.
func (b *Balancer) First() <-chan struct{} { return b.first }

// Current returns the set of now, nil before the first.
func (b *Balancer) Current() *Set { return b.set.Load() }

// Reason says why Pick picked nobody.
type Reason struct {
	Code lift.Code // NoSet, NoEndpoints or AllOpen
	// Endpoints is how many there are; Next, for AllOpen, when the next probe may go.
	Endpoints int
	Next      time.Time
}

// Pick chooses the endpoint for c's next attempt, starts the attempt, counts it in flight and, where the choice falls on an endpoint that is due
// for its probe, takes the probe's only slot. What c has tried is skipped while
// another is usable. A nil node comes with the reason.
func (b *Balancer) Pick(c *lift.Call) (*Node, *lift.Attempt, Reason) {
	s := b.set.Load()
	if s == nil {
		return nil, nil, Reason{Code: lift.NoSet}
	}
	if len(s.nodes) == 0 {
		return nil, nil, Reason{Code: lift.NoEndpoints}
	}
	now := b.now()
	for {
		n, gate, why, reason := b.pick(s, c, now)
		switch {
		case n == nil && reason.Code == "":
			continue // who was usable has been opened meanwhile; look again
		case n == nil:
			return nil, nil, reason
		}
		if gate != 0 && !n.takeProbe(gate) {
			continue // another call was faster; look again
		}
		n.inFlight.Add(1)
		a := c.NewAttempt(lift.AttemptRecord{
			Endpoint: n.Endpoint(), Began: now, Why: why, Probe: gate != 0, Candidates: len(s.nodes),
		})
		return n, a, Reason{}
	}
}

// pick returns a node and, if it has to be probed, the gate to probe it through.
// Without a node and without a reason, gates have changed while it looked.
func (b *Balancer) pick(s *Set, c *lift.Call, now lift.Instant) (n *Node, gate int64, why string, r Reason) {
	if c.Tries() == 0 && b.outside.Load() == 0 {
		n, why = s.choose.any(s)
		return n, 0, why, r
	}
	v := b.survey(s, c, now)
	replayable := c.IsIdempotent() && c.Replayable()
	switch overdue := v.dueAt != 0 && now.Wall.UnixNano()-v.dueAt > int64(Patience); {
	case v.due != nil && (replayable || v.fresh == 0 || overdue):
		return v.due, v.dueAt, "probe", r
	case v.fresh > 0:
		n, why = s.choose.among(s, func(n *Node) bool { return n.gate.Load() == 0 && !c.Tried(n.Endpoint().Key()) })
	case v.closed > 0:
		n, why = s.choose.among(s, func(n *Node) bool { return n.gate.Load() == 0 })
		why += ", all were tried"
	}
	if n == nil && v.closed == 0 {
		return nil, 0, "", Reason{Code: lift.AllOpen, Endpoints: len(s.nodes), Next: time.Unix(0, v.next)}
	}
	return n, 0, why, r
}

type survey struct {
	closed, fresh int   // usable nodes; those of them that the call has not tried
	due           *Node // an open node whose time has come, not tried, the one waiting longest
	dueAt         int64
	next          int64 // the earliest time of an open node
}

func (b *Balancer) survey(s *Set, c *lift.Call, now lift.Instant) (v survey) {
	wall, again := now.Wall.UnixNano(), c.Tries() > 0
	for _, n := range s.nodes {
		g := n.gate.Load()
		tried := again && c.Tried(n.Endpoint().Key())
		switch {
		case g == 0:
			v.closed++
			if !tried {
				v.fresh++
			}
		case g > 0 && g <= wall && !tried && (v.due == nil || g < v.dueAt):
			v.due, v.dueAt = n, g
		}
		if g != 0 {
			at := max(g, -g)
			if v.next == 0 || at < v.next {
				v.next = at
			}
		}
	}
	return v
}

// String says in one line why nobody was picked, and what is known of when.
func (r Reason) describe(now lift.Instant) string {
	switch r.Code {
	case lift.NoSet:
		return "the registry has not told who serves it"
	case lift.NoEndpoints:
		return "the registry says that nobody serves it; start an instance or mend the registration"
	default:
		left := r.Next.Sub(now.Wall).Round(time.Millisecond)
		if left <= 0 {
			return fmt.Sprintf("all %d endpoints are open and a probe is out; the endpoints fail, see the log for why each was opened", r.Endpoints)
		}
		return fmt.Sprintf("all %d endpoints are open, the next probe may go in %s; the endpoints fail, see the log for why each was opened", r.Endpoints, left)
	}
}

// Error makes the reason the error of c. The wait for a first set is the
// caller's to bound; then NoSet is the error too.
func (b *Balancer) Error(c *lift.Call, r Reason) error {
	return lift.Errorf(c, r.Code, "%s", r.describe(b.now()))
}
