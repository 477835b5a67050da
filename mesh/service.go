package mesh

import (
	"context"
	"fmt"
	"log/slog"
	"runtime/debug"
	"sync"
	"sync/atomic"
	"time"

	"github.com/liftmesh/lift"
	"github.com/liftmesh/lift/balancer"
	"github.com/liftmesh/lift/resilience"
	"github.com/liftmesh/lift/transport"
)

// Service holds what the mesh remembers of one service: endpoints, budget, verdicts. The
// stack is built over it, and a reload replaces the stack alone.
type Service struct {
	o     *Options
	slots *transport.Slots
	log   *slog.Logger

	settings atomic.Pointer[settings]
	balancer *balancer.Balancer
	budget   *resilience.Budget
	outliers *resilience.Outliers

	calls       lease // held by each call up to its response's head
	invocations *atomic.Int64
	used        atomic.Int64 // the invocation in which it was last called
	hinted      atomic.Int64 // when the registry was last told that the service is called, Unix ns; 0: never

	ctx     context.Context // ends with the service, or the mesh
	stop    context.CancelFunc
	unwatch context.CancelFunc // ends the watch; guarded by Mesh.reload
	thawing errand
	warming errand

	mu       sync.Mutex
	members  map[string]*member
	watchErr error
	told     lift.Instant // when the registry returned the current set
}

// settings are a service's configuration and the stack that was built from it. They are
// replaced together.
type settings struct {
	cfg    ServiceConfig
	caller lift.Caller
}

func (m *Mesh) newService(cfg ServiceConfig) *Service {
	cfg = cfg.withDefaults()
	o := &m.o
	s := &Service{
		o: o, slots: m.slots, invocations: &m.invocations,
		log:      o.Log.With("service", cfg.Name),
		budget:   resilience.NewBudget(cfg.Retry.Budget, o.Now),
		outliers: resilience.NewOutliers(cfg.Breaker, o.Now, o.Rand),
		members:  make(map[string]*member),
	}
	s.ctx, s.stop = context.WithCancel(m.ctx)
	s.calls.end = func() {
		s.stop()
		s.close()
	}
	s.balancer = balancer.New(balancer.Options{Config: cfg.Balancer, Now: o.Now, Rand: o.Rand, Notify: s.changed})
	s.settings.Store(s.build(cfg))
	return s
}

func (s *Service) build(cfg ServiceConfig) *settings {
	return &settings{cfg: cfg, caller: s.stack(&cfg)}
}

// config returns the settings in force. They must not be changed.
func (s *Service) config() *ServiceConfig { return &s.settings.Load().cfg }

func (c ServiceConfig) withDefaults() ServiceConfig {
	if c.Timeout == 0 {
		c.Timeout = 2 * time.Second
	}
	if c.Lookup == "" {
		c.Lookup = c.Name // as it is written: registries may be case-sensitive
	}
	c.Name = lift.ServiceName(c.Name)
	c.Retry = c.Retry.WithDefaults()
	if c.Registry == nil && c.Broken == nil {
		c.Broken = fmt.Errorf("the service has no registry; say where it comes from")
	}
	return c
}

// Call implements [lift.Caller].
func (s *Service) Call(c *lift.Call) (*lift.Response, error) {
	if !s.calls.take() {
		return nil, lift.Errorf(c, lift.UnknownService, "the service %q was removed from the configuration", c.Service)
	}
	defer s.calls.give()
	now := s.settings.Load()
	if now.cfg.Broken != nil {
		return nil, lift.Errorf(c, lift.Misconfigured, "%w", now.cfg.Broken)
	}
	s.used.Store(s.invocations.Load())
	return now.caller.Call(c)
}

// record is the outermost step: it contains panics, and adds the attempts to errors.
func (s *Service) record(next lift.Caller) lift.Caller {
	return lift.CallerFunc(func(c *lift.Call) (resp *lift.Response, err error) {
		defer func() {
			if p := recover(); p != nil {
				resp, err = nil, s.panicked(c, p)
			}
			if err != nil {
				err = lift.Recorded(c, err)
			}
		}()
		return next.Call(c)
	})
}

func (s *Service) panicked(c *lift.Call, p any) error {
	s.log.Error("panic in a call, contained", "panic", fmt.Sprint(p), "stack", string(debug.Stack()))
	return lift.Errorf(c, lift.Internal, "a bug in Lift, contained: %v", p)
}

// pick is the step that chooses an endpoint and sends the attempt there.
func (s *Service) pick() lift.Caller {
	return lift.CallerFunc(func(c *lift.Call) (*lift.Response, error) {
		s.needed()
		for {
			n, a, reason := s.balancer.Pick(c)
			if n != nil {
				return n.RoundTrip(a)
			}
			switch reason.Code {
			case lift.NoSet:
			case lift.AllOpen:
				c.Note(lift.AllOut, int64(reason.Next()))
				return nil, s.balancer.Error(c, reason)
			default:
				c.Note(lift.NobodyServes, 0)
				return nil, s.balancer.Error(c, reason)
			}
			if err := s.awaitSet(c); err != nil {
				return nil, err
			}
		}
	})
}

// awaitSet waits for the registry's first set, under the call's deadline.
func (s *Service) awaitSet(c *lift.Call) error {
	began := s.o.Now()
	var timeUp <-chan time.Time
	if left, limited := c.Remaining(began); limited {
		t := time.NewTimer(left)
		defer t.Stop()
		timeUp = t.C
	}
	select {
	case <-s.balancer.First():
		c.Note(lift.WaitedForEndpoints, int64(s.o.Now().Since(began)))
		return nil
	case <-c.Done():
		return lift.Errorf(c, lift.CallCanceled, "the caller gave up while the registry's first answer was awaited: %w", c.Err())
	case <-timeUp:
		s.mu.Lock()
		why := s.watchErr
		s.mu.Unlock()
		if why != nil {
			return lift.Errorf(c, lift.NoSet, "the registry did not answer within the call's time: %w", why)
		}
		return lift.Errorf(c, lift.NoSet, "the registry did not answer within the call's time; check that it is up and can be reached")
	}
}

// changed logs a change of an endpoint's state, one line each.
func (s *Service) changed(ch balancer.Change) {
	level := slog.LevelInfo
	args := []any{"endpoint", ch.Endpoint.Addr, "from", ch.From.String(), "to", ch.To.String(), "by", ch.Owner.String(), "why", ch.Why}
	if ch.To == balancer.Open {
		level = slog.LevelWarn
		args = append(args, "for", ch.For.Round(time.Millisecond).String())
	}
	s.log.Log(context.Background(), level, "endpoint state", args...)
}
