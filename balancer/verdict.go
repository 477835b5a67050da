package balancer

import (
	"strings"
	"time"

	"github.com/liftmesh/lift"
)

// State says whether an endpoint may be used.
type State uint8

// States of a node's gate.
const (
	Closed   State = iota // used
	Open                  // not used
	HalfOpen              // not used, except by the one probe that is running
)

var stateNames = [...]string{"closed", "open", "half_open"}

// String returns the state's name as logs write it.
func (s State) String() string { return stateNames[s] }

// Owner is a part of Lift that can take a node out. Each owner suspends and resumes
// independently: a node is usable while no owner holds it.
type Owner uint8

// Owners of holds.
const (
	// Breaker holds a node that is unwell. Its hold does not lapse: when its time is
	// up, one call goes through as a probe.
	Breaker Owner = iota
	// Outlier holds a node that answers worse than the others. Its hold lapses. If no
	// better node is left, the node is used all the same: the verdict only compares
	// nodes, and must not leave a call without an endpoint.
	Outlier
	// Hand holds a node that a person has taken out.
	Hand
	// Drain holds a node that takes no new calls because it is about to end.
	Drain
	owners
)

var ownerNames = [...]string{"breaker", "outlier", "hand", "drain"}

// String returns the owner's name as logs write it.
func (o Owner) String() string { return ownerNames[o] }

// hold is one owner's reason and time for keeping a node out.
type hold struct {
	since  lift.Instant
	length time.Duration // 0: until the owner resumes the node
	why    string
}

// left returns how much of the hold's time remains, by the clock that has advanced
// more: neither a wall clock that was set back nor a freeze may stretch it.
func (h *hold) left(now lift.Instant) time.Duration {
	return max(0, h.length-now.Age(h.since))
}

// verdict is why a node is not used. It is immutable, and replaced whole under
// Balancer.mu; a usable node has none, which takes one atomic load to see.
type verdict struct {
	holds   [owners]*hold
	probing bool         // a probe is running; held by Breaker
	asked   lift.Instant // when the breaker opened, or the last probe began
}

// relative reports whether only Outlier holds the node.
func (v *verdict) relative() bool {
	return v.holds[Outlier] != nil && v.holds[Breaker] == nil && !v.fixed()
}

// fixed reports whether an owner holds the node whose verdict a probe cannot change.
func (v *verdict) fixed() bool { return v.holds[Hand] != nil || v.holds[Drain] != nil }

// lapsed reports whether the hold of an owner that needs no probe is over.
func (v *verdict) lapsed(now lift.Instant) bool {
	for o, h := range v.holds {
		if Owner(o) != Breaker && h != nil && h.length > 0 && h.left(now) == 0 {
			return true
		}
	}
	return false
}

// left returns how long the node stays out at least, 0 if an owner decides that.
func (v *verdict) left(now lift.Instant) (left time.Duration) {
	for _, h := range v.holds {
		switch {
		case h == nil:
		case h.length == 0:
			return 0
		default:
			left = max(left, h.left(now))
		}
	}
	return left
}

func (v *verdict) state() State {
	switch {
	case v == nil:
		return Closed
	case v.probing:
		return HalfOpen
	default:
		return Open
	}
}

// why returns the owners' reasons, the breaker's first.
func (v *verdict) why() string {
	var all []string
	for _, h := range v.holds {
		if h != nil {
			all = append(all, h.why)
		}
	}
	return strings.Join(all, "; ")
}
