package transport

import (
	"slices"
	"time"

	"github.com/liftmesh/lift"
)

// muxWaiter is a call for which there is no place yet.
type muxWaiter struct {
	x       *muxExchange
	serial  int         // the pool's last connection when it came
	granted chan placed // holds one
}

// placed is a place on a connection, or why there is none.
type placed struct {
	conn    *muxConn
	fresh   bool // opened since the call came
	idle    bool // carried no call until now, and is not fresh
	failure *failure
}

// place finds a place for a call on a connection that can be trusted. It waits
// its turn where there is none.
func (m *Mux) place(x *muxExchange) placed {
	for now := x.began; ; now = m.now() {
		m.mu.Lock()
		m.expire(now)
		var got placed
		if len(m.waiters) == 0 {
			got.conn = m.free(now)
		}
		if got.conn != nil {
			got.idle = got.conn.calls == 1
			m.unlock()
		} else {
			w := &muxWaiter{x: x, serial: m.opened, granted: make(chan placed, 1)}
			m.waiters = append(m.waiters, w)
			m.wanting.Store(int32(len(m.waiters))) //nolint:gosec // calls are fewer
			m.provide(now)
			m.tell(x)
			soon := m.soonFree(now)
			m.unlock()
			if soon {
				m.stirLater(time.Millisecond)
			}
			select {
			case got = <-w.granted:
				x.dequeued()
			case <-x.Done():
				m.abandon(w)
				return placed{failure: x.cutFailure()}
			}
		}
		if got.conn == nil {
			return got
		}
		unseen := got.idle || got.conn.unseen.Load() // the one that looks may not have done so yet
		if got.fresh || !unseen || got.conn.alive(x.Done()) {
			got.conn.unseen.Store(false)
			return got
		}
		got.conn.close() // it died while it was idle: seen now, nothing is lost
		m.release(got.conn, true)
	}
}

// free takes a place on a trusted connection, if there is one. m.mu is held.
func (m *Mux) free(now lift.Instant) *muxConn {
	for _, c := range slices.Backward(m.conns) {
		if c.leaving || c.probing || c.doubtful(now) {
			continue
		}
		if c.client.ReserveNewRequest() {
			if c.calls == 0 {
				c.unseen.Store(true)
			}
			c.calls++
			return c
		}
		if c.calls == 0 && now.Age(c.freed) > time.Second && !c.client.CanTakeNewRequest() {
			c.leaving = true // out of stream numbers, or closing, and not only about to be free
		}
	}
	return nil
}

// serve gives places to who waits, first come, first served. m.mu is held.
func (m *Mux) serve(now lift.Instant) {
	for len(m.waiters) > 0 {
		c := m.free(now)
		if c == nil {
			return
		}
		w := m.nextWaiter()
		fresh := c.serial > w.serial
		w.granted <- placed{conn: c, fresh: fresh, idle: !fresh && c.calls == 1}
	}
}

// stir is serve for who has seen something change.
func (m *Mux) stir() {
	m.mu.Lock()
	m.serve(m.now())
	m.unlock()
}

// provide sees to it that who waits gets a place: it pings the doubtful
// connection that was heard of last, and opens as many as the waiting need, within
// the limits. m.mu is held.
func (m *Mux) provide(now lift.Instant) {
	if len(m.waiters) == 0 {
		return
	}
	var doubtful *muxConn
	asked := false
	for _, c := range m.conns {
		switch {
		case c.probing:
			asked = true
		case c.leaving || !c.doubtful(now):
		case doubtful == nil || later(c.lastProof(), doubtful.lastProof()):
			doubtful = c
		}
	}
	needed := (len(m.waiters)+m.width-1)/m.width - m.opening
	room := m.cfg.MaxConnections - len(m.conns) - m.opening
	if doubtful != nil && !asked {
		if doubtful.calls == 0 && room <= 0 && m.opening == 0 {
			// It would be asked with nothing beside it: it makes room itself.
			doubtful.leaving = true
			room++
		} else {
			doubtful.probing = true
			go m.probe(doubtful, doubtful.calls > 0)
		}
	}
	for range min(needed, room) {
		m.opening++
		go m.open(m.unwanted, false)
	}
}

// refuse tells who waits that no connection can be opened, unless another may yet
// serve them. m.mu is held.
func (m *Mux) refuse(now lift.Instant, f *failure) {
	if m.opening > 0 {
		return
	}
	for _, c := range m.conns {
		if c.probing || !c.leaving && c.calls > 0 && !c.doubtful(now) {
			return
		}
	}
	for len(m.waiters) > 0 {
		m.nextWaiter().granted <- placed{fresh: true, failure: f}
	}
}

// nextWaiter takes the first out of the queue. m.mu is held.
func (m *Mux) nextWaiter() *muxWaiter {
	w := m.waiters[0]
	m.waiters = slices.Delete(m.waiters, 0, 1)
	m.wanting.Store(int32(len(m.waiters))) //nolint:gosec // calls are fewer
	return w
}

// abandon takes a waiter out of the queue and gives back what it was granted.
func (m *Mux) abandon(w *muxWaiter) {
	m.mu.Lock()
	if i := slices.Index(m.waiters, w); i >= 0 {
		m.waiters = slices.Delete(m.waiters, i, i+1)
		m.wanting.Store(int32(len(m.waiters))) //nolint:gosec // calls are fewer
		if len(m.waiters) == 0 {
			close(m.unwanted)
			m.unwanted = make(chan struct{})
		}
		m.unlock()
		return
	}
	m.unlock()
	if got := <-w.granted; got.conn != nil {
		got.conn.unreserve()
		m.release(got.conn, false)
	}
}

// release gives a place back. sure: http2 has let go of the stream too; else it
// will in a moment.
func (m *Mux) release(c *muxConn, sure bool) {
	now := m.now()
	m.mu.Lock()
	c.calls--
	if !sure {
		c.freed = now
	}
	m.serve(now)
	if c.calls == 0 && (m.closed || m.slots.scarce()) {
		c.leaving = true
	}
	m.keepFew()
	m.provide(now)
	soon := len(m.waiters) > 0 && m.soonFree(now)
	m.unlock()
	if soon {
		m.stirLater(time.Millisecond)
	}
}

// soonFree reports whether a place was given back a moment ago that http2 may not
// know of yet. m.mu is held.
func (m *Mux) soonFree(now lift.Instant) bool {
	for _, c := range m.conns {
		if !c.leaving && now.Age(c.freed) < 100*time.Millisecond {
			return true
		}
	}
	return false
}

// keepFew has the oldest idle connection leave if there are more than may be kept.
// m.mu is held.
func (m *Mux) keepFew() {
	idle := 0
	for _, c := range m.conns {
		if c.calls == 0 && !c.leaving {
			idle++
		}
	}
	if idle > m.cfg.MaxIdleConnections {
		m.oldestIdle().leaving = true
	}
}

// stirLater looks again, a few times, for a place that is about to be free: http2
// does not say when a stream that was cut has ended.
func (m *Mux) stirLater(d time.Duration) {
	time.AfterFunc(d, func() {
		defer m.contain("looking for a place", nil)
		m.stir()
		if m.wanting.Load() > 0 && d < 100*time.Millisecond {
			m.stirLater(2 * d)
		}
	})
}

// gone is told once of every connection that has been closed. What killed it may
// have killed those that were silent for as long.
func (m *Mux) gone(c *muxConn) {
	c.mu.Lock()
	last, died := c.last, c.readErr != nil || c.mute
	c.mu.Unlock()
	now := m.now()
	m.mu.Lock()
	if i := slices.Index(m.conns, c); i >= 0 {
		m.conns = slices.Delete(m.conns, i, i+1)
	}
	c.leaving = true
	if died {
		for _, o := range m.conns {
			o.mu.Lock()
			o.suspect = o.suspect || !later(o.last, last)
			o.mu.Unlock()
		}
	}
	m.provide(now)
	m.unlock()
	m.slots.release()
}
