package mesh

import (
	"time"

	"github.com/liftmesh/lift/registry"
)

// hintEvery is the least time between two hints about one service to a registry that
// asks on demand: one for each call would be too many, and one for each invocation too
// few for long invocations.
const hintEvery = time.Second

// needed tells a registry that asks on demand that the service is being called.
func (s *Service) needed() {
	cfg := s.config()
	if r, ok := cfg.Registry.(registry.OnDemand); ok {
		s.hint(r, cfg.Lookup)
	}
}

// invoked does the same when an invocation begins that is likely to call the service,
// so that its endpoints are asked for before the first call.
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
