package balancer

import (
	"time"

	"github.com/liftmesh/lift"
)

// Change is one change of a node's state.
type Change struct {
	Endpoint lift.Endpoint
	From, To State
	// Owner is the owner that changed the state, Why its reason.
	Owner Owner
	Why   string
	// For, if To is Open, is how long the node stays out at least; 0 if an owner
	// decides that.
	For time.Duration
}

// Suspend takes the node out for length on behalf of owner, for the reason why. All
// code that takes a node out calls it. A length of 0 lasts until owner resumes the
// node. If owner already holds the node, the hold that ends later stays, unless a probe
// is running: the breaker's new hold ends the probe. Safe for concurrent use.
func (n *Node) Suspend(owner Owner, length time.Duration, why string) {
	n.change(owner, why, func(v verdict, now lift.Instant) (verdict, bool) {
		old, probed := v.holds[owner], owner == Breaker && v.probing
		if old != nil && !probed && (old.length == 0 || length > 0 && old.left(now) >= length) {
			return v, false
		}
		v.holds[owner] = &hold{since: now, length: length, why: why}
		if owner == Breaker {
			v.probing, v.asked = false, now
		}
		return v, true
	})
}

// Resume ends owner's hold. The node is usable again if no other owner holds it. Safe
// for concurrent use.
func (n *Node) Resume(owner Owner, why string) {
	n.change(owner, why, func(v verdict, _ lift.Instant) (verdict, bool) {
		held := v.holds[owner] != nil
		v.holds[owner] = nil
		v.probing = v.probing && owner != Breaker
		return v, held
	})
}

// ReturnProbe gives the probe's slot back, and leaves the breaker's hold as it is: if
// its time is up, the next call may probe at once. Safe for concurrent use.
func (n *Node) ReturnProbe(why string) {
	n.change(Breaker, why, func(v verdict, _ lift.Instant) (verdict, bool) {
		out := v.probing
		v.probing = false
		return v, out
	})
}

// takeProbe takes the half-open node's only slot. It reports false if seen is no longer
// the node's verdict.
func (n *Node) takeProbe(seen *verdict, why string) (taken bool) {
	n.change(Breaker, why, func(v verdict, now lift.Instant) (verdict, bool) {
		taken = n.verdict.Load() == seen && !v.probing
		v.probing, v.asked = true, now
		return v, taken
	})
	return taken
}

// lapse ends the holds that lapse and whose time is up.
func (n *Node) lapse() {
	n.change(Outlier, "its time is over", func(v verdict, now lift.Instant) (verdict, bool) {
		some := v.lapsed(now)
		for o, h := range v.holds {
			if Owner(o) != Breaker && h != nil && h.length > 0 && h.left(now) == 0 {
				v.holds[o] = nil
			}
		}
		return v, some
	})
}

// change replaces the node's verdict by next's result, and counts the nodes of the
// current set that are out. Changes are rare, so they take one lock for the whole
// balancer: the count always agrees with the gates.
func (n *Node) change(owner Owner, why string, next func(verdict, lift.Instant) (verdict, bool)) {
	b := n.balancer
	now := b.now()
	b.mu.Lock()
	old := n.verdict.Load()
	var v verdict
	if old != nil {
		v = *old
	}
	v, changed := next(v, now)
	if !changed {
		b.mu.Unlock()
		return
	}
	to := &v
	if v.holds == [owners]*hold{} {
		to = nil
	}
	n.verdict.Store(to)
	if n.in && (old == nil) != (to == nil) {
		if to == nil {
			b.out.Add(-1)
		} else {
			b.out.Add(1)
		}
	}
	b.mu.Unlock()
	if b.notify == nil {
		return
	}
	ch := Change{Endpoint: n.Endpoint(), From: old.state(), To: to.state(), Owner: owner, Why: why}
	if ch.To == Open {
		ch.For = to.left(now)
	}
	b.notify(ch)
}

// State returns the gate's state and how long the node stays out at least: 0 if it is
// not out, or if an owner decides that.
func (n *Node) State() (State, time.Duration) {
	v := n.verdict.Load()
	if v == nil {
		return Closed, 0
	}
	now := n.balancer.now()
	if v.lapsed(now) {
		n.lapse()
		return n.State()
	}
	return v.state(), v.left(now)
}

// Usable reports whether no owner holds the node.
func (n *Node) Usable() bool { return n.verdict.Load() == nil }

// Why returns the reasons of the owners that hold the node, "" if none does.
func (n *Node) Why() string {
	if v := n.verdict.Load(); v != nil {
		return v.why()
	}
	return ""
}
