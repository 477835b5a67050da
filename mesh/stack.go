package mesh

import (
	"github.com/liftmesh/lift"
	"github.com/liftmesh/lift/resilience"
)

// stack is the whole way of a call to one service, in order. This file is the
// one place that says it.
func (s *Service) stack(cfg *ServiceConfig) lift.Caller {
	return lift.Stack(s.pick(),
		// Contains whatever panics below; has every error carry what was tried.
		s.record,
		// The time there is for all that follows, attempts and waits included.
		resilience.Deadline(cfg.Timeout, s.o.Now, s.o.Invocation),
		// Above Retry, which goes by it.
		idempotent(cfg),
		// Above Retry, so that every try has all of the body; below Deadline, which bounds the wait for it.
		resilience.Whole(cfg.WholeBody, s.o.Now),
		// Above Pick, so that each try picks anew; below Deadline, which bounds it.
		resilience.Retry(cfg.Retry, s.budget, s.balancer.Untried, s.o.Now, s.o.Rand),
	)
}

// idempotent is the step that vouches for a service's calls, nil if nobody does.
func idempotent(cfg *ServiceConfig) lift.Policy {
	if !cfg.Idempotent {
		return nil
	}
	return resilience.Idempotent
}

// attempt is the way of one attempt, from the endpoint that was picked on.
func (s *Service) attempt(cfg *ServiceConfig, m *member) lift.RoundTripper {
	return lift.StackAttempt(lift.RoundTripperFunc(m.connect),
		// Sees the attempt's end, whatever it is, and gives back what Pick took.
		m.judge,
		// Near to the wire: what it cuts is the endpoint's time alone.
		resilience.AttemptTimeout(cfg.AttemptTimeout, cfg.Timeout),
		// Below the judge, which is told in the caller's terms and not in the endpoint's.
		cfg.Adapt,
	)
}
