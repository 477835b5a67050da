package balancer

import (
	"time"

	"github.com/liftmesh/lift"
)

// Patience is for how long a due probe is kept for a call that may be sent
// again, while other endpoints serve. After that any call carries it: a service
// that gets nothing but POSTs must find its endpoints again too.
const Patience = 10 * time.Second

// early is the share of its time that an open endpoint waits between probes while
// nobody is usable: a call that has nowhere to go may as well ask. It bounds the
// rate: one probe at a time, eight in the time that the endpoint was to be left alone.
const early = 8

// choice is what a pick comes to.
type choice struct {
	node  *Node
	why   string
	probe bool
}

// pickAmong picks where some endpoints are out, or were tried by c. In this order:
// an endpoint that is due for its probe, if c may carry it; one that is usable and
// not tried; one that is usable; one that is out only by comparison; one whose
// probe is not due yet.
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
			continue // another call was faster; look again
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
		// Gates have changed while it looked; look again.
	}
}

// candidate is a node that may be probed through the verdict that was seen.
type candidate struct {
	node    *Node
	verdict *verdict
	late    time.Duration // how long it has been due
}

// sight is what a survey saw.
type sight struct {
	usable, fresh int       // usable nodes; those of them that the call has not tried
	spare         int       // nodes that are out only by comparison
	due           candidate // not tried, its probe due; the one that waits longest
	early         candidate // not tried, its probe not due; the one that has been left alone longest
}

func survey(s *Set, c *lift.Call, now lift.Instant) (v sight) {
	var alone time.Duration // how long early has not been asked
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
