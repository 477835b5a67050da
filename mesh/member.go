package mesh

import (
	"errors"
	"sync/atomic"

	"github.com/liftmesh/lift"
	"github.com/liftmesh/lift/balancer"
	"github.com/liftmesh/lift/resilience"
	"github.com/liftmesh/lift/transport"
)

// member is what a service remembers of one of its endpoints.
type member struct {
	s       *Service
	node    *balancer.Node
	breaker *resilience.Breaker
	up      atomic.Pointer[transport.Upstream]
	usual   atomic.Int64 // how long its answers take, nanoseconds; 0: not known
	gone    lift.Instant // when it left the set; zero while it is in it. Guarded by Service.mu
}

func (s *Service) newMember(ep lift.Endpoint) *member {
	m := &member{s: s}
	m.node = s.balancer.NewNode(ep, s.attempt(m))
	m.breaker = resilience.NewBreaker(s.cfg.Breaker, m.node, s.o.Now, s.o.Rand)
	m.open()
	return m
}

// open makes the way to the endpoint anew.
func (m *member) open() {
	s := m.s
	up := transport.New(m.node.Endpoint().Addr, transport.Options{
		Config: s.cfg.Transport, Now: s.o.Now, Dial: s.o.Dial, Slots: s.slots, Sign: s.cfg.Sign, Log: s.log,
	})
	m.up.Store(&up)
}

func (m *member) upstream() transport.Upstream { return *m.up.Load() }

// connect is the end of the way: the endpoint's connections.
func (m *member) connect(c *lift.Call) (*lift.Response, error) {
	return m.upstream().Call(c)
}

// judge sees the attempt's end and has it decided, once, how it ended.
func (m *member) judge(next lift.Caller) lift.Caller {
	return lift.CallerFunc(func(c *lift.Call) (resp *lift.Response, err error) {
		defer func() {
			if p := recover(); p != nil {
				resp, err = nil, m.s.panicked(c, p)
				m.ended(c, c.Current(), err)
			}
		}()
		resp, err = next.Call(c)
		a := c.Current()
		if !isStream(resp) {
			m.ended(c, a, err)
			return resp, err
		}
		// A stream is judged by its head for now, so that it can be tried again,
		// and for good at its end.
		a.Outcome = resilience.Classify(c, a, m.s.o.Now(), nil)
		resp.Body.OnEnd(func(end error) {
			if errors.Is(end, lift.ErrBodyClosed) {
				end = nil // the reader had enough; the head says how it went
			}
			m.ended(c, a, end)
		})
		return resp, nil
	})
}

func (m *member) ended(c *lift.Call, a *lift.Attempt, err error) {
	defer m.node.Done()
	now := m.s.o.Now()
	a.Ended = now
	if err != nil {
		a.Err = lift.Cause(err)
	}
	a.Outcome = resilience.Classify(c, a, now, err)
	took := now.Since(a.Began)
	switch usual := m.usual.Load(); {
	case a.Outcome == lift.CutShort && usual > 0 && int64(took) > resilience.Far*usual:
		a.Outcome = lift.Failed
	case a.Outcome == lift.OK:
		if usual == 0 {
			usual = int64(took)
		}
		m.usual.Store(max(1, usual+(int64(took)-usual)/8))
	}
	m.breaker.Report(a)
}

func isStream(r *lift.Response) bool {
	if r == nil {
		return false
	}
	_, whole := r.Body.Complete()
	return !whole
}
