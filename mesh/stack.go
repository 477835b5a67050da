package mesh

import (
	"github.com/liftmesh/lift"
	"github.com/liftmesh/lift/resilience"
)

// stack returns all steps of a call to one service, in order. Only this file defines
// the order.
func (s *Service) stack(cfg *ServiceConfig) lift.Caller {
	return lift.Stack(s.pick(),
		// Contains panics of all steps below; adds the attempts to every error.
		s.record,
		// Limits the time of all steps below, attempts and waits included.
		resilience.Deadline(cfg.Timeout, s.o.Now, s.o.Invocation),
		// Above Retry, which depends on it.
		idempotent(cfg),
		// Above Retry, so that every try has all of the body; below Deadline, which
		// limits the wait for it.
		resilience.Whole(cfg.WholeBody, s.o.Now),
		// Above Pick, so that each try picks again; below Deadline, which limits it.
		resilience.Retry(cfg.Retry, s.budget, s.balancer.Untried, s.o.Now, s.o.Rand),
	)
}

// idempotent returns the step that marks a service's calls as idempotent, nil if they
// are not.
func idempotent(cfg *ServiceConfig) lift.Policy {
	if !cfg.Idempotent {
		return nil
	}
	return resilience.Idempotent
}

// attempt returns the steps of one attempt, below Pick.
func (s *Service) attempt(cfg *ServiceConfig, m *member) lift.RoundTripper {
	return lift.StackAttempt(lift.RoundTripperFunc(m.connect),
		// Sees every end of the attempt, and gives back what Pick took.
		m.judge,
		// Near the wire, so that it limits only the endpoint's time.
		resilience.AttemptTimeout(cfg.AttemptTimeout, cfg.Timeout),
		// Below the judge, which sees the caller's form of the answer and not the
		// endpoint's.
		cfg.Adapt,
	)
}
