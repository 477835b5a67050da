package balancer

import "github.com/liftmesh/lift"

// Untried reports whether there is an endpoint that is usable now and that c has not
// tried. It reserves nothing: the endpoint may be out by the next Pick.
func (b *Balancer) Untried(c *lift.Call) bool {
	for _, n := range b.set.Load().Nodes() {
		if n.Usable() && !c.Tried(n.Endpoint().Key()) {
			return true
		}
	}
	return false
}
