package transport

import "fmt"

// obstacle is what keeps calls from a place.
type obstacle uint8

const (
	ofEndpoint obstacle = iota // a connection is being opened, or pinged
	ofSlots                    // the process's limits of connections and connects
	ofStreams                  // the limits of connections and of calls on each
)

// obstacle returns what keeps waiting calls from a place now. m.mu is held.
func (m *Mux) obstacle() obstacle {
	if m.opening > m.queued {
		return ofEndpoint
	}
	for _, c := range m.conns {
		if c.probing {
			return ofEndpoint
		}
	}
	if m.queued > 0 {
		return ofSlots
	}
	return ofStreams
}

// tellAll tells every waiting call's bounds what the call waits for, if that has
// changed: only time spent on the endpoint counts in the attempt's timeout. m.mu is held.
func (m *Mux) tellAll() {
	now := m.obstacle()
	if now == m.told {
		return
	}
	m.told = now
	for _, w := range m.waiters {
		m.tell(w.x)
	}
}

// tell tells one call's bounds what the call waits for. m.mu is held.
func (m *Mux) tell(x *muxExchange) {
	switch m.obstacle() {
	case ofEndpoint:
		x.dequeued()
	case ofSlots:
		x.await(room, m.slotsFull)
	case ofStreams:
		x.await(room, m.streamsFull())
	}
}

// streamsFull returns what makes the error of a call that found no place on a connection.
// m.mu is held now, and need not be when the error is made.
func (m *Mux) streamsFull() func() error {
	conns, width, limit := len(m.conns), m.width, m.cfg.MaxConnections
	return func() error {
		if conns < limit {
			return fmt.Errorf("the endpoint takes %d calls at once on a connection, and no more than %d connections could be opened to it; see how many it accepts", width, conns)
		}
		return fmt.Errorf("all %d connections to the endpoint carry the %d calls at once that it takes on each; end calls that hold a place, such as streams, or raise connections.max (%d) or connections.wait (%s)", limit, width, limit, max(0, m.cfg.Wait))
	}
}

// muxQueuer is a connect of m that waits for the process's slots, as long as done is open.
type muxQueuer struct {
	m    *Mux
	done <-chan struct{}
}

// Done implements queuer.
func (q muxQueuer) Done() <-chan struct{} { return q.done }

func (q muxQueuer) await(_ party, full func() error) {
	q.m.mu.Lock()
	q.m.queued++
	q.m.slotsFull = full
	q.m.unlock()
}

func (q muxQueuer) dequeued() {
	q.m.mu.Lock()
	q.m.queued--
	q.m.unlock()
}
