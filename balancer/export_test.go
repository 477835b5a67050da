package balancer

// Out is how many nodes of the current set Pick believes not to be used.
func (b *Balancer) Out() int64 { return b.out.Load() }
