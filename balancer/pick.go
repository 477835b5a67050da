package balancer

import (
	"time"

	"github.com/liftmesh/lift"
)

// Patience is how long a due probe waits for a call that may be retried, while other
// endpoints are usable. After that any call may probe, because a service that only gets
// POSTs must recover its endpoints too.
const Patience = 10 * time.Second

// early is the share of its open time that an endpoint waits between probes while no
// endpoint is usable: a call without an endpoint may as well probe. It limits the rate:
// one probe at a time, and eight in the time for which the endpoint is out.
const early = 8

// choice is the result of a pick.
type choice struct {
	node  *Node
	why   string
	probe bool
}

// pickAmong picks when some endpoints are out, or c has tried some. It prefers, in this
// order: an endpoint that is due for its probe, if c may probe; one that is usable and
// not tried; one that is usable; one that is out only by comparison; one whose probe is
// not due yet.
func (b *Balancer) pickAmong(s *Set, c *lift.Call, now lift.Instant) (choice, Reason) {
	for {
		v := survey(s, c, now)
		replayable := c.IsIdempotent() && c.Replayable()
		var n *Node
		var why string
		switch {
		case v.due.node != nil && (replayable || v.fresh == 0 || v.due.late > Patience):
			if v.due.node.takeProbe(v.due.verdict, "probe") {
				return choice{node: v.due.node, why: "probe", probe: true}, Reason{}
			}
			continue // another call took the slot; look again
		case v.fresh > 0:
			n, why = s.choose.choose(c, func(n *Node) bool { return n.Usable() && !c.Tried(n.Endpoint().Key()) })
		case v.usable > 0:
			n, why = s.choose.choose(c, (*Node).Usable)
			why += ", all were tried"
		case v.spare > 0:
			n, why = s.choose.choose(c, func(n *Node) bool {
				v := n.verdict.Load()
				return v == nil || v.relative()
			})
			why += ", though all answer badly"
		case v.early.node != nil:
			if v.early.node.takeProbe(v.early.verdict, "early probe: nobody is usable") {
				return choice{node: v.early.node, why: "early probe: nobody is usable", probe: true}, Reason{}
			}
			continue
		default:
			return choice{}, b.allOut(s, now)
		}
		if n != nil {
			return choice{node: n, why: why}, Reason{}
		}
		// Gates changed meanwhile; look again.
	}
}

// candidate is a node that may be probed, and its verdict when it was looked at.
type candidate struct {
	node    *Node
	verdict *verdict
	late    time.Duration // how long it has been due
}

// sight is the result of a survey.
type sight struct {
	usable, fresh int       // usable nodes; those of them that the call has not tried
	spare         int       // nodes that are out only by comparison
	due           candidate // not tried, its probe due; the one that has waited longest
	early         candidate // not tried, its probe not due; the one that has been left alone longest
}

func survey(s *Set, c *lift.Call, now lift.Instant) (v sight) {
	var alone time.Duration // how long early has had no probe
	again := c.Tries() > 0
	for _, n := range s.nodes {
		tried := again && c.Tried(n.Endpoint().Key())
		g := n.verdict.Load()
		if g != nil && g.lapsed(now) {
			n.lapse()
			g = n.verdict.Load()
		}
		switch {
		case g == nil:
			v.usable++
			if !tried {
				v.fresh++
			}
		case g.relative():
			v.spare++
		case tried || g.probing || g.fixed():
		case g.holds[Breaker].left(now) == 0:
			h := g.holds[Breaker]
			if late := now.Age(h.since) - h.length; v.due.node == nil || late > v.due.late {
				v.due = candidate{n, g, late}
			}
		default:
			if quiet := now.Age(g.asked); quiet >= g.holds[Breaker].length/early && (v.early.node == nil || quiet > alone) {
				v.early, alone = candidate{n, g, 0}, quiet
			}
		}
	}
	return v
}
