package mesh

import (
	"sync/atomic"
	"time"

	"github.com/liftmesh/lift"
	"github.com/liftmesh/lift/balancer"
	"github.com/liftmesh/lift/resilience"
)

// member is a service's memory of one of its endpoints.
type member struct {
	s       *Service
	node    *balancer.Node
	breaker *resilience.Breaker
	peer    *resilience.Peer
	// attempts is the per-attempt stack; up is the upstream that it ends in. A reload replaces both.
	attempts atomic.Pointer[lift.RoundTripper]
	up       atomic.Pointer[way]
	count    count
	gone     lift.Instant // when it left the set; zero while it is in it. Guarded by Service.mu
}

func (s *Service) newMember(ep lift.Endpoint) *member {
	cfg := s.config()
	m := &member{s: s}
	m.node = s.balancer.NewNode(ep, m)
	m.breaker = resilience.NewBreaker(cfg.Breaker, owned{m.node, balancer.Breaker}, s.o.Now, s.o.Rand)
	m.peer = s.outliers.Peer(owned{m.node, balancer.Outlier})
	m.build(cfg)
	m.open(cfg)
	return m
}

// owned is a node with the methods for one owner of its gate.
type owned struct {
	*balancer.Node
	owner balancer.Owner
}

func (o owned) Suspend(length time.Duration, why string) { o.Node.Suspend(o.owner, length, why) }
func (o owned) Resume(why string)                        { o.Node.Resume(o.owner, why) }

// build makes a new stack for the attempts.
func (m *member) build(cfg *ServiceConfig) {
	attempts := m.s.attempt(cfg, m)
	m.attempts.Store(&attempts)
}

// RoundTrip implements [lift.RoundTripper]: it sends one attempt to the endpoint.
func (m *member) RoundTrip(a *lift.Attempt) (*lift.Response, error) {
	return (*m.attempts.Load()).RoundTrip(a)
}
