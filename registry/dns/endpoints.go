package dns

import (
	"cmp"
	"math"
	"net/netip"
	"slices"

	"github.com/liftmesh/lift"
)

// maxWeight is the largest weight of an endpoint, as in a list of them.
const maxWeight = 1000

// share is an address and its part of the calls; 0 if the records do not say it.
type share struct {
	addr netip.AddrPort
	part float64
}

// endpoints returns a set, sorted by address, each address once. Weights that fit stay
// as they are; others are scaled together, to between 1 and 1000.
func endpoints(shares []share) []lift.Endpoint {
	slices.SortStableFunc(shares, func(a, b share) int { return a.addr.Compare(b.addr) })
	least, most := math.MaxFloat64, 0.0
	for i := 0; i < len(shares); i++ {
		for i+1 < len(shares) && shares[i+1].addr == shares[i].addr {
			shares[i].part += shares[i+1].part
			shares = slices.Delete(shares, i+1, i+2)
		}
		if p := shares[i].part; p > 0 {
			least, most = min(least, p), max(most, p)
		}
	}
	scale := 1.0
	if least < 1 {
		scale = 1 / least
	}
	if most*scale > maxWeight {
		scale = maxWeight / most
	}
	set := make([]lift.Endpoint, 0, len(shares))
	for _, s := range shares {
		ep := lift.Endpoint{Addr: s.addr.String()}
		if s.part > 0 {
			ep.Weight = max(1, int(math.Round(s.part*scale)))
		}
		set = append(set, ep)
	}
	return set
}

// byPriority sorts targets into groups, the most preferred (lowest) first.
// Targets that say "not here" are left out.
func byPriority(targets []target) (groups [][]target) {
	targets = slices.DeleteFunc(slices.Clone(targets), func(t target) bool { return t.name == "." || t.port == 0 })
	slices.SortFunc(targets, func(a, b target) int {
		return cmp.Or(cmp.Compare(a.priority, b.priority), cmp.Compare(a.name, b.name), cmp.Compare(a.port, b.port), cmp.Compare(a.weight, b.weight))
	})
	for i, t := range targets {
		if i == 0 || t.priority != targets[i-1].priority {
			groups = append(groups, nil)
		}
		groups[len(groups)-1] = append(groups[len(groups)-1], t)
	}
	return groups
}

// spread gives each address of a target its part of the target's weight. A
// weight of 0 counts as 1: RFC 2782's very small chance.
func spread(t target, addrs []netip.Addr) (shares []share) {
	for _, a := range addrs {
		shares = append(shares, share{netip.AddrPortFrom(a, t.port), max(float64(t.weight), 1) / float64(len(addrs))})
	}
	return shares
}

// routed leaves out IPv6 addresses without a route while others remain, so that
// a name with both kinds does not fail every other call where there is no IPv6.
func routed(addrs []netip.Addr, reachable func(netip.Addr) bool) []netip.Addr {
	slices.SortFunc(addrs, netip.Addr.Compare)
	addrs = slices.Compact(addrs)
	if len(addrs) == 0 || !addrs[0].Is4() { // IPv4 sorts first
		return addrs
	}
	return slices.DeleteFunc(addrs, func(a netip.Addr) bool { return !a.Is4() && !reachable(a) })
}
