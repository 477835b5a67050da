package balancer

import (
	"strings"
	"time"

	"github.com/liftmesh/lift"
)

// State says whether an endpoint may be used.
type State uint8

// The states of a node's gate.
const (
	Closed   State = iota // used
	Open                  // not used
	HalfOpen              // not used, but for one probe that is out
)

var stateNames = [...]string{"closed", "open", "half_open"}

// String returns the state's name as logs write it.
func (s State) String() string { return stateNames[s] }

// Owner is one of those that can take a node out. Each suspends and resumes for
// itself: a node is used while none of them holds it.
type Owner uint8

// The owners.
const (
	// Breaker holds a node that is unwell. Its hold does not lapse: when its time is
	// up, one call is let through as a probe.
	Breaker Owner = iota
	// Outlier holds a node that answers worse than the others. Its hold lapses, and
	// where nobody better is left the node is used all the same: such a verdict
	// compares, and must not leave a call without an endpoint.
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

// hold is what one owner says of a node.
type hold struct {
	since  lift.Instant
	length time.Duration // 0: until the owner resumes it
	why    string
}

// left is how much of the hold's time is to come, by the clock that says more:
// a wall clock that was set back must not stretch it, nor a freeze.
func (h *hold) left(now lift.Instant) time.Duration {
	return max(0, h.length-now.Age(h.since))
}

// verdict is why a node is not used. It is immutable, and replaced whole under
// Balancer.mu; a node that is used has none, which is one atomic load to see.
type verdict struct {
	holds   [owners]*hold
	probing bool         // a probe is out; held by Breaker
	asked   lift.Instant // when the breaker opened, or the last probe went
}

// relative reports whether nobody but Outlier holds the node.
func (v *verdict) relative() bool {
	return v.holds[Outlier] != nil && v.holds[Breaker] == nil && !v.fixed()
}

// fixed reports whether somebody holds the node whose word a probe cannot change.
func (v *verdict) fixed() bool { return v.holds[Hand] != nil || v.holds[Drain] != nil }

// lapsed reports whether a hold is over whose owner does not ask for a probe.
func (v *verdict) lapsed(now lift.Instant) bool {
	for o, h := range v.holds {
		if Owner(o) != Breaker && h != nil && h.length > 0 && h.left(now) == 0 {
			return true
		}
	}
	return false
}

// left is how long the node stays out at least, 0 if that is for an owner to say.
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

// why is what the owners say, the breaker first.
func (v *verdict) why() string {
	var all []string
	for _, h := range v.holds {
		if h != nil {
			all = append(all, h.why)
		}
	}
	return strings.Join(all, "; ")
}
