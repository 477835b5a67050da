package mesh

import (
	"github.com/liftmesh/lift"
	"github.com/liftmesh/lift/transport"
)

// way is an upstream that stays open until the attempts that chose it have begun:
// replacing it never closes it under an attempt.
type way struct {
	transport.Upstream
	lease
}

// open makes a new way to the endpoint; the old one ends after its attempts.
func (m *member) open(cfg *ServiceConfig) {
	if old := m.up.Swap(m.newWay(cfg)); old != nil {
		old.retire()
	}
}

func (m *member) newWay(cfg *ServiceConfig) *way {
	s := m.s
	w := &way{Upstream: transport.New(m.node.Endpoint().Addr, transport.Options{
		Config: cfg.Transport, Now: s.o.Now, Dial: s.o.Dial, Slots: s.slots, Log: s.log, Sign: cfg.Sign,
	})}
	w.end = w.Close
	return w
}

func (m *member) upstream() *way { return m.up.Load() }

// connect is the last step: it sends the attempt over the endpoint's connections.
func (m *member) connect(a *lift.Attempt) (*lift.Response, error) {
	w := m.upstream()
	for !w.take() {
		retired := w
		if w = m.upstream(); w == retired {
			return m.part(a)
		}
	}
	defer w.give()
	return w.RoundTrip(a)
}

// part sends an attempt whose endpoint left the set after it was picked. A moment
// earlier the attempt would have gone there too, so it still does, over its own
// connection. If the mesh itself closed the way, the attempt fails and says so.
func (m *member) part(a *lift.Attempt) (*lift.Response, error) {
	m.s.mu.Lock()
	left := !m.gone.IsZero()
	m.s.mu.Unlock()
	if !left {
		return m.upstream().RoundTrip(a)
	}
	w := m.newWay(m.s.config())
	defer w.retire()
	return w.RoundTrip(a)
}
