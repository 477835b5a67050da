package consul

import (
	"cmp"
	"net"
	"slices"
	"strconv"
	"strings"

	"github.com/hashicorp/consul/api"

	"github.com/liftmesh/lift"
)

// zoneMeta is the key of a service's or node's metadata that names the zone. It is read
// if there is no locality, which only Consul Enterprise has.
const zoneMeta = "zone"

// maxWeight is the largest weight in Consul.
const maxWeight = 1<<16 - 1

// endpoints returns the set for Consul's instances: those that are passing and have a
// usable address, in order. It is never nil.
//
// Consul's ids are unique only on their node. An id that is unique is kept as it was
// given; any other gets its node before it, and so does an id that is the service's
// name, which is Consul's default.
func endpoints(entries []*api.ServiceEntry) []lift.Endpoint {
	set := make([]lift.Endpoint, 0, len(entries))
	nodes := make([]string, 0, len(entries))
	same := make(map[string]int, len(entries))
	for _, e := range entries {
		ep, ok := endpoint(e)
		if !ok {
			continue
		}
		same[ep.ID]++
		if e.Service.ID == e.Service.Service {
			same[ep.ID]++
		}
		set, nodes = append(set, ep), append(nodes, e.Node.Node)
	}
	for i := range set {
		if same[set[i].ID] > 1 {
			set[i].ID = nodes[i] + "/" + set[i].ID
		}
	}
	slices.SortStableFunc(set, func(a, b lift.Endpoint) int { return cmp.Or(cmp.Compare(a.ID, b.ID), cmp.Compare(a.Addr, b.Addr)) })
	return slices.CompactFunc(set, func(a, b lift.Endpoint) bool { return a.ID == b.ID })
}

// passing reports whether all checks of an entry pass.
func passing(e *api.ServiceEntry) bool {
	return e != nil && !slices.Contains(e.Checks, nil) && e.Checks.AggregatedStatus() == api.HealthPassing
}

// endpoint returns the endpoint of one entry; ok is false if it is not passing or has
// no usable address.
func endpoint(e *api.ServiceEntry) (ep lift.Endpoint, ok bool) {
	if !passing(e) || e.Service == nil || e.Node == nil {
		return lift.Endpoint{}, false
	}
	host := strings.Trim(cmp.Or(e.Service.Address, e.Node.Address), "[]")
	port := e.Service.DefaultPort()
	ip := net.ParseIP(host)
	if host == "" || ip != nil && ip.IsUnspecified() || strings.ContainsFunc(host, oddInHost) || port < 1 || port >= 1<<16 {
		return lift.Endpoint{}, false
	}
	addr := net.JoinHostPort(host, strconv.Itoa(port))
	return lift.Endpoint{
		ID:     cmp.Or(e.Service.ID, addr),
		Addr:   addr,
		Zone:   zone(e),
		Weight: min(max(e.Service.Weights.Passing, 1), maxWeight),
		Tags:   e.Service.Tags,
	}, true
}

// oddInHost reports whether r cannot occur in a host.
func oddInHost(r rune) bool {
	return r <= ' ' || r > '~' || strings.ContainsRune(`/\?#@"<>[]`, r)
}

// zone returns the service's own zone if it has one, else its node's.
func zone(e *api.ServiceEntry) string {
	for _, l := range []*api.Locality{e.Service.Locality, e.Node.Locality} {
		if l != nil && l.Zone != "" {
			return l.Zone
		}
	}
	return cmp.Or(e.Service.Meta[zoneMeta], e.Node.Meta[zoneMeta])
}
