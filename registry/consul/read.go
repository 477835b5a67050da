package consul

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/hashicorp/consul/api"

	"github.com/liftmesh/lift"
)

// answer is what Consul says.
type answer struct {
	set   []lift.Endpoint
	index uint64
}

// errDoubtful is an answer that may be of a server that has lost the others, or has
// just begun.
var errDoubtful = errors.New("nobody is said to serve, by a server that knows no leader: that may not be so")

// read asks who serves: with an index above 0 once something has changed since,
// or after the client's Wait. A server that is no leader may answer: all of them
// share the work then, and a leader that is being elected is not missed.
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
		return answer{}, fmt.Errorf("consul at %s hides who serves %q from %s; it needs %s", c.at, service, c.Token, need)
	case !meta.KnownLeader:
		return answer{}, fmt.Errorf("consul at %s: %q: %w", c.at, service, errDoubtful)
	case slices.ContainsFunc(entries, passing):
		return answer{}, fmt.Errorf("consul at %s tells of %d instances of %q, and none that passes its checks has an address and a port", c.at, len(entries), service)
	}
	return a, nil
}

// execute asks by a prepared query.
func (c *Client) execute(q *api.QueryOptions, name string) ([]*api.ServiceEntry, *api.QueryMeta, error) {
	out, meta, err := c.api.PreparedQuery().Execute(name, q)
	if lost(err) {
		return nil, nil, fmt.Errorf("no prepared query %q is there, or the token may not see it; make it, or mend the name", name)
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
