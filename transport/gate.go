package transport

import "sync"

// gate tells where the reader of a socket is: waiting at it, or on its way.
type gate struct {
	mu     sync.Mutex
	at     bool
	visits int
	next   chan struct{} // closed at the next visit
}

func (g *gate) enter() {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.at = true
	g.visits++
	if g.next != nil {
		close(g.next)
		g.next = nil
	}
}

func (g *gate) leave() {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.at = false
}

// where reports whether the reader waits at the socket, and which visit it is.
func (g *gate) where() (at bool, visit int) {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.at, g.visits
}

// after returns what is closed once there has been a later visit.
func (g *gate) after(visit int) <-chan struct{} {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.next == nil {
		g.next = make(chan struct{})
		if g.visits > visit {
			next := g.next
			g.next = nil
			close(next)
			return next
		}
	}
	return g.next
}
