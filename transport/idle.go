package transport

import (
	"fmt"
	"slices"

	"github.com/liftmesh/lift"
)

// want is which connections a call can do with.
type want uint8

const (
	wantAny     want = iota // idempotent: a doubtful one too, with a fresh one beside it
	wantTrusted             // sent once: a trusted one or a fresh one
	wantFresh               // a pooled one has just failed this call
)

// waiter is a call at a pool that is full.
type waiter struct {
	want    want
	granted chan grant // holds one
}

// grant is a connection, or without one the permit to open one.
type grant struct{ conn *conn }

// take returns an idle connection that lives as far as can be seen, or none with
// the permit to open one. It waits its turn when the pool is full.
func (p *Pool) take(x *exchange, what want) (c *conn, doubtful bool, f *failure) {
	for now := x.began; ; now = p.now() {
		c, doubtful, w := p.pick(now, what)
		if w != nil {
			x.await(room, p.allBusy)
			select {
			case g := <-w.granted:
				x.dequeued()
				c = g.conn
			case <-x.Done():
				p.abandon(w)
				return nil, false, x.cutFailure()
			}
		}
		if c == nil || c.alive() {
			return c, doubtful, nil
		}
		c.close() // it died while it was idle: seen now, nothing is lost
	}
}

// allBusy returns the error of a call that found no free connection.
func (p *Pool) allBusy() error {
	return fmt.Errorf("all %d connections to the endpoint are in use; end calls that hold one, such as streams, or raise connections.max (%d) or connections.wait (%s)", p.cfg.MaxConnections, p.cfg.MaxConnections, max(0, p.cfg.Wait))
}

// pick is take without waiting: a connection, a permit, or a place in the queue.
func (p *Pool) pick(now lift.Instant, what want) (c *conn, doubtful bool, w *waiter) {
	var drop []*conn
	defer func() { closeAll(drop) }()
	p.mu.Lock()
	defer p.mu.Unlock()
	drop = p.expired(now)
	if n := len(p.idle); n > 0 && what != wantFresh {
		c = p.idle[n-1]
		doubtful = now.Age(c.idleSince) > p.cfg.SafeIdle
		if !doubtful || what == wantAny {
			p.idle = p.idle[:n-1]
			return c, doubtful, nil
		}
	}
	if victim, ok := p.permit(); ok {
		if victim != nil {
			drop = append(drop, victim)
		}
		return nil, false, nil
	}
	w = &waiter{want: what, granted: make(chan grant, 1)}
	p.waiters = append(p.waiters, w)
	return nil, false, w
}

// permit counts one more connection as open, if need be in the place of the
// idle one that was used longest ago, which the caller closes. p.mu is held.
func (p *Pool) permit() (victim *conn, ok bool) {
	if p.open < p.cfg.MaxConnections {
		p.open++
		return nil, true
	}
	if len(p.idle) == 0 {
		return nil, false
	}
	victim = p.idle[0]
	p.idle = slices.Delete(p.idle, 0, 1)
	victim.permitPassedOn = true
	return victim, true
}

// tryPermit is permit for who does not wait.
func (p *Pool) tryPermit() bool {
	p.mu.Lock()
	victim, ok := p.permit()
	p.mu.Unlock()
	if victim != nil {
		victim.close()
	}
	return ok
}

// permitBack gives back the permit of a connection that is no longer open.
func (p *Pool) permitBack() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.permitFree()
}

// permitFree passes a permit on to who waits first. p.mu is held.
func (p *Pool) permitFree() {
	if w := p.nextWaiter(); w != nil {
		w.granted <- grant{}
		return
	}
	p.open--
}

func (p *Pool) nextWaiter() *waiter {
	if len(p.waiters) == 0 {
		return nil
	}
	w := p.waiters[0]
	p.waiters = slices.Delete(p.waiters, 0, 1)
	return w
}

// abandon takes a waiter out of the queue and gives back what it was granted.
func (p *Pool) abandon(w *waiter) {
	p.mu.Lock()
	if i := slices.Index(p.waiters, w); i >= 0 {
		p.waiters = slices.Delete(p.waiters, i, i+1)
		p.mu.Unlock()
		return
	}
	p.mu.Unlock()
	if g := <-w.granted; g.conn != nil {
		p.put(g.conn)
	} else {
		p.permitBack()
	}
}

// put takes back a connection whose exchange has ended, or that was not used:
// for who waits, for later, or to be closed.
func (p *Pool) put(c *conn) {
	if !c.reusable() {
		c.close()
		return
	}
	since, now := c.heardOf(), p.now()
	var drop *conn
	p.mu.Lock()
	c.idleSince = since
	switch {
	case len(p.waiters) > 0:
		if p.waiters[0].want == wantFresh || now.Age(since) > p.cfg.SafeIdle || c.life.over(now) {
			drop = c // its permit is what the waiter gets
			break
		}
		p.nextWaiter().granted <- grant{c}
	case p.closed, now.Age(since) > p.cfg.MaxIdle, c.life.over(now), p.slots.scarce():
		drop = c
	default:
		i := len(p.idle)
		for i > 0 && now.Age(p.idle[i-1].idleSince) < now.Age(since) {
			i--
		}
		p.idle = slices.Insert(p.idle, i, c)
		if len(p.idle) > p.cfg.MaxIdleConnections {
			drop = p.idle[0]
			p.idle = slices.Delete(p.idle, 0, 1)
		}
	}
	p.mu.Unlock()
	if drop != nil {
		drop.close()
	}
	if c.isClosed() { // died between the look at it and its coming here
		p.forget(c)
	}
}

// forget takes a connection out of the idle ones.
func (p *Pool) forget(c *conn) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if i := slices.Index(p.idle, c); i >= 0 {
		p.idle = slices.Delete(p.idle, i, i+1)
	}
}

// gone is told once of every connection that has been closed.
func (p *Pool) gone(c *conn) {
	p.mu.Lock()
	if i := slices.Index(p.idle, c); i >= 0 {
		p.idle = slices.Delete(p.idle, i, i+1)
	}
	if !c.permitPassedOn {
		p.permitFree()
	}
	p.mu.Unlock()
	p.slots.release()
}
