package mesh

import (
	"time"

	"github.com/liftmesh/lift/registry"
)

// hintEvery is how often a registry that asks on demand is told of one service:
// each call would be too often, and once an invocation too seldom for long ones.
const hintEvery = time.Second

// needed tells a registry that asks on demand that the service is called.
func (s *Service) needed() {
	cfg := s.config()
	if r, ok := cfg.Registry.(registry.OnDemand); ok {
		s.hint(r, cfg.Lookup)
	}
}

// invoked is needed for an invocation that begins, if it is likely to call the
// service: its endpoints are asked for before the first call then.
func (s *Service) invoked(n int64) {
	cfg := s.config()
	if r, ok := cfg.Registry.(registry.OnDemand); ok && s.hinted.Load() != 0 && n-s.used.Load() <= recent {
		s.hint(r, cfg.Lookup)
	}
}

func (s *Service) hint(r registry.OnDemand, lookup string) {
	last, at := s.hinted.Load(), s.o.Now().Wall.UnixNano()
	if d := time.Duration(at - last); last != 0 && d >= 0 && d < hintEvery {
		return
	}
	if s.hinted.CompareAndSwap(last, at) {
		r.Needed(lookup)
	}
}
