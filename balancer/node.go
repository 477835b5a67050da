package balancer

import (
	"sync/atomic"
	"time"

	"github.com/liftmesh/lift"
)

// State says whether an endpoint may be used.
type State uint8

// The states of a node's gate.
const (
	Closed   State = iota // used
	Open                  // not used until a wall time
	HalfOpen              // one probe is out
)

var stateNames = [...]string{"closed", "open", "half_open"}

// String returns the state's name as logs write it.
func (s State) String() string { return stateNames[s] }

// Change is one change of a node's state.
type Change struct {
	Endpoint lift.Endpoint
	From, To State
	Why      string
	Until    time.Time // for Open: when the next probe may go
}

// Node is what the balancer remembers of one endpoint: the gate that Pick
// enforces and the calls in flight. It outlives sets: a node that leaves and
// comes back within a while is the same node. Safe for concurrent use.
//
// A Node is a [lift.RoundTripper]: it sends the attempts that Pick started for it.
type Node struct {
	endpoint atomic.Pointer[lift.Endpoint]
	// gate is 0 when closed, the wall time in Unix nanoseconds until which the
	// node is open, or the negative of that while a probe is out.
	gate     atomic.Int64
	inFlight atomic.Int64
	why      atomic.Pointer[string] // of the last Suspend
	next     lift.RoundTripper
	notify   func(Change)
	// outside counts the nodes of a balancer that are not closed.
	outside *atomic.Int64
}

// Endpoint returns the endpoint as last told.
func (n *Node) Endpoint() lift.Endpoint { return *n.endpoint.Load() }

// InFlight is the number of attempts at the node that have not ended.
func (n *Node) InFlight() int64 { return n.inFlight.Load() }

// RoundTrip sends an attempt to the node. Pick has counted it in; whoever judges the
// attempt calls Done when it has ended.
func (n *Node) RoundTrip(a *lift.Attempt) (*lift.Response, error) { return n.next.RoundTrip(a) }

// Done ends one attempt at the node.
func (n *Node) Done() { n.inFlight.Add(-1) }

// State returns the gate's state and, unless closed, its wall time.
func (n *Node) State() (State, time.Time) {
	switch g := n.gate.Load(); {
	case g == 0:
		return Closed, time.Time{}
	case g > 0:
		return Open, time.Unix(0, g)
	default:
		return HalfOpen, time.Unix(0, -g)
	}
}

// Suspend takes the node out until a wall time, and says why. It is the one way
// in for everything that finds a node unfit. A later time replaces an earlier one.
func (n *Node) Suspend(until time.Time, why string) {
	to := max(until.UnixNano(), 1)
	for {
		g := n.gate.Load()
		if g > to {
			return
		}
		if n.gate.CompareAndSwap(g, to) {
			if g == 0 {
				n.outside.Add(1)
			}
			n.why.Store(&why)
			n.tell(stateOf(g), Open, why, until)
			return
		}
	}
}

// Why returns what the last Suspend said, "" if there was none. It says nothing of
// a node that is closed.
func (n *Node) Why() string {
	if why := n.why.Load(); why != nil {
		return *why
	}
	return ""
}

// Resume makes the node usable again.
func (n *Node) Resume(why string) {
	if g := n.gate.Swap(0); g != 0 {
		n.outside.Add(-1)
		n.tell(stateOf(g), Closed, why, time.Time{})
	}
}

// Retire forgets the node's verdict without a word: its endpoint has been gone
// for so long that it would be another one that came back.
func (n *Node) Retire() {
	if n.gate.Swap(0) != 0 {
		n.outside.Add(-1)
	}
}

// ReturnProbe gives the probe's slot back unjudged: the next call may probe at once.
func (n *Node) ReturnProbe(why string) {
	if g := n.gate.Load(); g < 0 && n.gate.CompareAndSwap(g, -g) {
		n.tell(HalfOpen, Open, why, time.Unix(0, -g))
	}
}

// takeProbe takes the half-open's only slot. The node must be open and due.
func (n *Node) takeProbe(g int64) bool {
	if !n.gate.CompareAndSwap(g, -g) {
		return false
	}
	n.tell(Open, HalfOpen, "probe", time.Unix(0, g))
	return true
}

func (n *Node) weight() int64 { return int64(max(n.endpoint.Load().Weight, 1)) }

func (n *Node) tell(from, to State, why string, until time.Time) {
	if n.notify != nil {
		n.notify(Change{Endpoint: n.Endpoint(), From: from, To: to, Why: why, Until: until})
	}
}

func stateOf(g int64) State {
	switch {
	case g == 0:
		return Closed
	case g > 0:
		return Open
	default:
		return HalfOpen
	}
}
