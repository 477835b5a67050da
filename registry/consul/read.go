package consul

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/hashicorp/consul/api"

	"github.com/liftmesh/lift"
)

// answer is Consul's answer.
type answer struct {
	set   []lift.Endpoint
	index uint64
}

// errDoubtful is an empty answer from a server that may have lost the others, or has
// just started.
var errDoubtful = errors.New("it reports no instances, but knows no leader, so that may be wrong")

// read asks for the instances of the service. With an index above 0 it returns once
// something has changed since, or after the client's Wait. Any server may answer, not
// only the leader: the servers share the work, and an election does not matter.
func (c *Client) read(ctx context.Context, s Source, service string, index uint64) (answer, error) {
	q := &api.QueryOptions{AllowStale: true, WaitIndex: index, Datacenter: s.Datacenter, Namespace: s.Namespace, Partition: s.Partition}
	if index > 0 {
		q.WaitTime = c.Wait
	}
	q = q.WithContext(ctx)
	need := fmt.Sprintf("service:read on %q and node:read", service)
	var entries []*api.ServiceEntry
	var meta *api.QueryMeta
	var err error
	if s.Query {
		need = fmt.Sprintf("service:read on the service of the prepared query %q, and node:read", service)
		entries, meta, err = c.execute(q, service)
	} else {
		entries, meta, err = c.api.Health().ServiceMultipleTags(service, s.Tags, true, q)
	}
	if err != nil {
		return answer{}, c.explain(err, need)
	}
	if entries == nil {
		return answer{}, fmt.Errorf("consul at %s answers null; is it Consul?", c.at)
	}
	a := answer{endpoints(entries), meta.LastIndex}
	if len(a.set) > 0 {
		return a, nil
	}
	switch {
	case meta.ResultsFilteredByACLs:
		return answer{}, fmt.Errorf("consul at %s hides the instances of %q from %s; it needs %s", c.at, service, c.Token, need)
	case !meta.KnownLeader:
		return answer{}, fmt.Errorf("consul at %s: %q: %w", c.at, service, errDoubtful)
	case slices.ContainsFunc(entries, passing):
		return answer{}, fmt.Errorf("consul at %s reports %d instances of %q, but none that passes its checks has an address and a port", c.at, len(entries), service)
	}
	return a, nil
}

// execute executes a prepared query.
func (c *Client) execute(q *api.QueryOptions, name string) ([]*api.ServiceEntry, *api.QueryMeta, error) {
	out, meta, err := c.api.PreparedQuery().Execute(name, q)
	if lost(err) {
		return nil, nil, fmt.Errorf("there is no prepared query %q, or the token may not see it; create it, or correct the name", name)
	}
	if err != nil {
		return nil, nil, err
	}
	if out == nil {
		return nil, nil, errors.New("it answers null; is it Consul?")
	}
	entries := make([]*api.ServiceEntry, 0, len(out.Nodes))
	for i := range out.Nodes {
		entries = append(entries, &out.Nodes[i])
	}
	return entries, meta, nil
}
