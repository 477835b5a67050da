package mesh

import (
	"errors"
	"net/http"

	"github.com/liftmesh/lift"
	"github.com/liftmesh/lift/balancer"
	"github.com/liftmesh/lift/resilience"
)

// judge sees the attempt's head and end. It decides once how the attempt ended, and
// what that says about the endpoint.
func (m *member) judge(next lift.RoundTripper) lift.RoundTripper {
	return lift.RoundTripperFunc(func(a *lift.Attempt) (resp *lift.Response, err error) {
		defer func() {
			if p := recover(); p != nil {
				resp, err = nil, m.s.panicked(a.Call, p)
				m.ended(a, m.s.o.Now(), err, a.Probe)
			}
		}()
		_, whole := a.Body.Complete()
		resp, err = next.RoundTrip(a)
		now := m.s.o.Now()
		resilience.ReadRetryAfter(a, resp, m.s.o.Now)
		if resp != nil {
			m.headed(a, resp, now, whole)
		}
		if !isStream(resp) {
			resilience.ReadGRPC(a, resp, true)
			m.ended(a, now, err, a.Probe)
			return resp, err
		}
		// A stream is first judged by its head, so that it can be retried, and finally
		// at its end.
		resilience.ReadGRPC(a, resp, false)
		a.Outcome = resilience.Classify(a, now, nil)
		owes := a.Probe
		a.Publish()
		if v := m.verdict(a, false); owes && (v == resilience.Well || v == resilience.Suspect) {
			m.breaker.Probed(&a.AttemptRecord, v)
			owes = false
		}
		resp.Body.OnEnd(func(end error) {
			switch {
			case end == nil:
				resilience.ReadGRPC(a, resp, true)
			case errors.Is(end, lift.ErrBodyClosed):
				end = nil // the reader stopped early; the head decides the outcome
			}
			m.ended(a, m.s.o.Now(), end, owes)
		})
		return resp, nil
	})
}

// headed notes that the head of an answer has arrived, and learns from the time that it
// took, unless a clock has jumped or the caller was still sending. The time that the
// attempt waited for a limit of this process does not count.
func (m *member) headed(a *lift.Attempt, resp *lift.Response, now lift.Instant, whole bool) {
	m.node.Answered(now)
	if whole && resp.Status < http.StatusBadRequest && resp.Status != http.StatusSwitchingProtocols && !now.Straddles(a.Began) {
		m.node.Learn(now.Mono - a.Began.Mono - a.Queued)
	}
}

// ended decides the outcome of an attempt, and reports it to the breaker, the outlier
// detection and the balancer. owes says that the breaker still waits for this probe's
// result.
func (m *member) ended(a *lift.Attempt, now lift.Instant, err error, owes bool) {
	defer m.node.Done()
	defer a.End()
	a.Ended = now
	if err != nil {
		a.AttemptRecord.Err = lift.Cause(err)
	}
	a.Outcome = resilience.Classify(a, now, err)
	m.count.ended(a.Outcome)
	v := m.verdict(a, true)
	if owes {
		m.breaker.Probed(&a.AttemptRecord, v)
	} else if v == resilience.Well || !repeated(a) {
		m.breaker.Report(&a.AttemptRecord, v)
	}
	m.compare(a, v)
}

// verdict returns what a says about the endpoint.
func (m *member) verdict(a *lift.Attempt, over bool) resilience.Verdict {
	seen := resilience.Sight{}
	if over && a.Outcome != lift.OK {
		seen.Alive = m.node.AnsweredSince(a.Began)
		seen.Usual, seen.Elsewhere = m.node.Usual(), m.node.UsualElsewhere()
	}
	return m.s.config().Breaker.Answers.Verdict(&a.AttemptRecord, seen)
}

// compare adds an answer to the comparison with the other endpoints. With a hash
// strategy it does nothing: a URL that fails always goes to the same endpoint, so a
// comparison would be unfair.
func (m *member) compare(a *lift.Attempt, v resilience.Verdict) {
	cfg := m.s.config()
	if cfg.Breaker.Answers == resilience.Ignore || cfg.Balancer.Strategy == balancer.ConsistentHash {
		return
	}
	switch {
	case v == resilience.Well:
		m.peer.Good()
	case v == resilience.Suspect && !repeated(a):
		m.peer.Bad(a.Cause())
	}
}

// repeated reports whether the call has failed at the same endpoint before: one call
// counts only once against one endpoint, however often it is retried.
func repeated(a *lift.Attempt) bool {
	if a.Call.Tries() < 2 {
		return false
	}
	key := a.Endpoint.Key()
	for _, other := range a.Call.Attempts() {
		if !other.Ended.IsZero() && other.Endpoint.Key() == key && other.Outcome != lift.OK && other.Outcome.Judges() {
			return true
		}
	}
	return false
}

func isStream(r *lift.Response) bool {
	if r == nil {
		return false
	}
	_, whole := r.Body.Complete()
	return !whole
}
