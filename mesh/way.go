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
	s := m.s
	w := &way{Upstream: transport.New(m.node.Endpoint().Addr, transport.Options{
		Config: cfg.Transport, Now: s.o.Now, Dial: s.o.Dial, Slots: s.slots, Log: s.log, Sign: cfg.Sign,
	})}
	w.end = w.Close
	if old := m.up.Swap(w); old != nil {
		old.retire()
	}
}

func (m *member) upstream() *way { return m.up.Load() }

// connect is the end of the stack: the endpoint's connections.
func (m *member) connect(c *lift.Call) (*lift.Response, error) {
	w := m.upstream()
	for !w.take() {
		retired := w
		if w = m.upstream(); w == retired { // the endpoint has left, and its way says so
			return w.Call(c)
		}
	}
	defer w.give()
	return w.Call(c)
}
