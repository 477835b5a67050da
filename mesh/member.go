package mesh

import (
	"errors"
	"net/http"
	"sync/atomic"

	"github.com/liftmesh/lift"
	"github.com/liftmesh/lift/balancer"
	"github.com/liftmesh/lift/resilience"
)

// member is what a service remembers of one of its endpoints.
type member struct {
	s       *Service
	node    *balancer.Node
	breaker *resilience.Breaker
	// attempts is the per-attempt stack; up is the upstream it ends in. A reload replaces both.
	attempts atomic.Pointer[lift.RoundTripper]
	up       atomic.Pointer[way]
	usual    atomic.Int64 // how long its answers take, nanoseconds; 0: not known
	count    count
	gone     lift.Instant // when it left the set; zero while it is in it. Guarded by Service.mu
}

func (s *Service) newMember(ep lift.Endpoint) *member {
	cfg := s.config()
	m := &member{s: s}
	m.node = s.balancer.NewNode(ep, m)
	m.breaker = resilience.NewBreaker(cfg.Breaker, m.node, s.o.Now, s.o.Rand)
	m.build(cfg)
	m.open(cfg)
	return m
}

// build makes the stack of the attempts anew.
func (m *member) build(cfg *ServiceConfig) {
	attempts := m.s.attempt(cfg, m)
	m.attempts.Store(&attempts)
}

// RoundTrip implements [lift.RoundTripper]: it sends one attempt to the endpoint.
func (m *member) RoundTrip(a *lift.Attempt) (*lift.Response, error) {
	return (*m.attempts.Load()).RoundTrip(a)
}

// judge sees the attempt's end and has it decided, once, how it ended.
func (m *member) judge(next lift.RoundTripper) lift.RoundTripper {
	return lift.RoundTripperFunc(func(a *lift.Attempt) (resp *lift.Response, err error) {
		defer func() {
			if p := recover(); p != nil {
				resp, err = nil, m.s.panicked(a.Call, p)
				m.ended(a, err)
			}
		}()
		resp, err = next.RoundTrip(a)
		resilience.ReadRetryAfter(a, resp, m.s.o.Now)
		if !isStream(resp) {
			resilience.ReadGRPC(a, resp, true)
			m.ended(a, err)
			return resp, err
		}
		// A stream is judged by its head for now, so that it can be tried again,
		// and for good at its end.
		resilience.ReadGRPC(a, resp, false)
		a.Outcome = resilience.Classify(a, m.s.o.Now(), nil)
		a.Publish()
		resp.Body.OnEnd(func(end error) {
			switch {
			case end == nil:
				resilience.ReadGRPC(a, resp, true)
			case errors.Is(end, lift.ErrBodyClosed):
				end = nil // the reader had enough; the head says how it went
			}
			m.ended(a, end)
		})
		return resp, nil
	})
}

func (m *member) ended(a *lift.Attempt, err error) {
	defer m.node.Done()
	defer a.End()
	now := m.s.o.Now()
	a.Ended = now
	if err != nil {
		a.AttemptRecord.Err = lift.Cause(err)
	}
	a.Outcome = resilience.Classify(a, now, err)
	took := now.Since(a.Began)
	switch usual := m.usual.Load(); {
	case a.Outcome == lift.CutShort && a.Reached != lift.Answered && usual > 0 && int64(took) > resilience.Far*usual:
		a.Outcome = lift.Failed
	case a.Outcome == lift.OK && a.Status != http.StatusSwitchingProtocols: // whose length is the caller's
		if usual == 0 {
			usual = int64(took)
		}
		m.usual.Store(max(1, usual+(int64(took)-usual)/8))
	}
	m.count.ended(a.Outcome)
	m.breaker.Report(&a.AttemptRecord)
}

func isStream(r *lift.Response) bool {
	if r == nil {
		return false
	}
	_, whole := r.Body.Complete()
	return !whole
}
