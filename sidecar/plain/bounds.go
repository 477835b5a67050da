package plain

import (
	"log/slog"
	"sync"
	"sync/atomic"

	"github.com/liftmesh/lift/sidecar/socket"
)

// Bounds hold [Limits] over all servers that share them. Safe for concurrent use.
type Bounds struct {
	limits Limits
	gate   *socket.Gate
	calls  atomic.Int64
}

// NewBounds are the bounds of limits. log gets a line when the first connection
// is refused; nil discards.
func NewBounds(limits Limits, log *slog.Logger) *Bounds {
	limits.fill()
	var once sync.Once
	b := &Bounds{limits: limits}
	b.gate = socket.NewGate(limits.MaxPeers, func(int) {
		once.Do(func() {
			if log != nil {
				log.Warn("more peers at the plain door than the limit: further ones are refused", "limit", limits.MaxPeers)
			}
		})
	})
	return b
}

// take begins a call, which give ends, unless there are too many.
func (b *Bounds) take() bool {
	if b.calls.Add(1) > int64(b.limits.MaxCalls) {
		b.calls.Add(-1)
		return false
	}
	return true
}

func (b *Bounds) give() { b.calls.Add(-1) }
