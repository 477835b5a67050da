package mesh

import (
	"github.com/liftmesh/lift"
	"github.com/liftmesh/lift/transport"
)

// way is an upstream that lasts until the calls that chose it are on their way:
// one that is replaced closes under nobody.
type way struct {
	transport.Upstream
	lease
}

// open makes the way to the endpoint anew; the way before it ends after its calls.
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

// connect is the end of the stack: the endpoint's connections.
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

// part carries an attempt whose endpoint left the set between its being picked and
// now: a moment earlier it would have gone there too, so it does, by a connection
// of its own. A way that the mesh itself closed says so.
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
