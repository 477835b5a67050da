package balancer

// Set is an immutable membership.
type Set struct {
	nodes  []*Node
	choose chooser // made for these nodes
}

// Nodes returns the set's nodes. They must not be changed.
func (s *Set) Nodes() []*Node {
	if s == nil {
		return nil
	}
	return s.nodes
}

// Current returns the current set, nil before the first.
func (b *Balancer) Current() *Set { return b.set.Load() }

// First is closed once there is a set.
func (b *Balancer) First() <-chan struct{} { return b.first }

// Replace replaces the membership. Nodes must come from NewNode of this balancer, each
// once. Replace and Use must not be called at the same time.
func (b *Balancer) Replace(nodes []*Node) {
	s := &Set{nodes: nodes, choose: b.chooser(nodes)}
	b.mu.Lock()
	old := b.set.Load()
	for _, n := range old.Nodes() {
		n.in = false
	}
	var out int64
	for _, n := range nodes {
		n.in = true
		if !n.Usable() {
			out++
		}
	}
	b.out.Store(out)
	b.set.Store(s)
	b.mu.Unlock()
	if old == nil {
		close(b.first)
	}
}

// Use changes how endpoints are chosen. Replace and Use must not be called at the
// same time.
func (b *Balancer) Use(cfg Config) {
	b.cfg = cfg.WithDefaults()
	if s := b.set.Load(); s != nil {
		b.set.Store(&Set{nodes: s.nodes, choose: b.chooser(s.nodes)})
	}
}
