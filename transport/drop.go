package transport

import (
	"slices"

	"github.com/liftmesh/lift"
)

// expired takes out what is too old to be used. p.mu is held.
func (p *Pool) expired(now lift.Instant) []*conn {
	drop := p.takeOut(func(c *conn) bool { return now.Age(c.idleSince) > p.cfg.MaxIdle })
	if p.cfg.MaxAge > 0 {
		p.idle = slices.DeleteFunc(p.idle, func(c *conn) bool {
			over := c.life.over(now)
			if over {
				drop = append(drop, c)
			}
			return over
		})
	}
	return drop
}

// sweep closes what is too old to be used.
func (p *Pool) sweep() {
	now := p.now()
	p.mu.Lock()
	drop := p.expired(now)
	p.mu.Unlock()
	closeAll(drop)
}

// dropOlder closes the idle connections that have been silent for as long as
// one that has just proved dead, or for longer: what killed it killed them.
func (p *Pool) dropOlder(dead *conn) {
	now := p.now()
	p.mu.Lock()
	limit := now.Age(dead.idleSince)
	drop := p.takeOut(func(c *conn) bool { return now.Age(c.idleSince) >= limit })
	p.mu.Unlock()
	closeAll(drop)
}

// longestIdle is since when the pool's oldest idle connection is idle.
func (p *Pool) longestIdle() (since lift.Instant, ok bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if len(p.idle) == 0 {
		return lift.Instant{}, false
	}
	return p.idle[0].idleSince, true
}

// shed closes the idle connection that was used longest ago, if there is one.
func (p *Pool) shed() bool {
	p.mu.Lock()
	if len(p.idle) == 0 {
		p.mu.Unlock()
		return false
	}
	c := p.idle[0]
	p.idle = slices.Delete(p.idle, 0, 1)
	p.mu.Unlock()
	c.close()
	return true
}

// takeOut removes the idle connections that old says are. They are at the
// beginning, so one look is all that it costs when there are none. p.mu is held.
func (p *Pool) takeOut(old func(*conn) bool) []*conn {
	n := 0
	for n < len(p.idle) && old(p.idle[n]) {
		n++
	}
	if n == 0 {
		return nil
	}
	drop := slices.Clone(p.idle[:n])
	p.idle = slices.Delete(p.idle, 0, n)
	return drop
}

// trusted counts the idle connections that can be used unasked.
func (p *Pool) trusted() int {
	now := p.now()
	p.mu.Lock()
	defer p.mu.Unlock()
	n := 0
	for _, c := range p.idle {
		if now.Age(c.idleSince) <= p.cfg.SafeIdle {
			n++
		}
	}
	return n
}

func closeAll(conns []*conn) {
	for _, c := range conns {
		c.close()
	}
}
