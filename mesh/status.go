package mesh

import (
	"cmp"
	"context"
	"slices"
	"sync/atomic"

	"github.com/liftmesh/lift"
	"github.com/liftmesh/lift/balancer"
)

var _ lift.Teller = (*Mesh)(nil)

// Services implements [lift.Teller]. It answers from memory and ignores ctx.
func (m *Mesh) Services(_ context.Context, names ...string) ([]lift.ServiceStatus, error) {
	t := m.table.Load()
	if t.broken != nil {
		return nil, &lift.Error{Code: lift.Misconfigured, Err: t.broken}
	}
	asked := t.names
	if len(names) > 0 {
		asked = make([]string, len(names))
		for i, name := range names {
			asked[i] = lift.ServiceName(name)
		}
		slices.Sort(asked)
		asked = slices.Compact(asked)
	}
	all := make([]lift.ServiceStatus, 0, len(asked))
	for _, name := range asked {
		s := t.services[name]
		if s == nil {
			return nil, t.unknown(&lift.Call{Service: name})
		}
		all = append(all, s.Snapshot())
	}
	return all, nil
}

// Snapshot returns the current state of the service. The state of each endpoint is
// consistent; while calls run, two endpoints may be of slightly different moments.
func (s *Service) Snapshot() lift.ServiceStatus {
	cfg := s.config()
	st := lift.ServiceStatus{Name: cfg.Name, From: cfg.From, At: s.o.Now().Wall}
	if cfg.Broken != nil {
		st.Broken = cfg.Broken.Error()
		return st
	}
	s.mu.Lock()
	st.Told = s.told.Wall
	if s.watchErr != nil {
		st.Error = s.watchErr.Error()
	}
	s.mu.Unlock()
	if st.Told.IsZero() {
		return st
	}
	members := s.current()
	st.Endpoints = make([]lift.EndpointStatus, 0, len(members))
	for _, m := range members {
		st.Endpoints = append(st.Endpoints, m.snapshot())
	}
	slices.SortFunc(st.Endpoints, func(a, b lift.EndpointStatus) int { return cmp.Compare(a.Key(), b.Key()) })
	return st
}

// count counts the attempts that have ended at an endpoint, for rates.
type count struct{ attempts, failed atomic.Uint64 }

func (c *count) ended(o lift.Outcome) {
	c.attempts.Add(1)
	if o == lift.Failed || o == lift.Overloaded {
		c.failed.Add(1)
	}
}

func (m *member) snapshot() lift.EndpointStatus {
	state, left := m.node.State()
	conns := m.upstream().Stats()
	e := lift.EndpointStatus{
		Endpoint: m.node.Endpoint(),
		State:    state.String(),
		InFlight: int(m.node.InFlight()),
		Failures: m.breaker.Streak(),
		Usual:    m.node.Usual(),
		Open:     conns.Open,
		Idle:     conns.Idle,
		Attempts: m.count.attempts.Load(),
		Failed:   m.count.failed.Load(),
	}
	if state != balancer.Closed {
		e.Why = m.node.Why()
		if left > 0 {
			e.Until = m.s.o.Now().Wall.Add(left)
		}
	}
	return e
}
