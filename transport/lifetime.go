package transport

import (
	"time"

	"github.com/liftmesh/lift"
)

// lifetime is for how long a connection takes new exchanges.
type lifetime struct {
	born lift.Instant
	span time.Duration // 0: for ever
}

// lifetime is that of a connection which is opened now: MaxAge, less up to a fifth
// at random, so that what was opened together is not replaced together.
func (w *way) lifetime() lifetime {
	l := lifetime{born: w.now(), span: w.cfg.MaxAge}
	if fifth := l.span / 5; fifth > 0 {
		l.span -= time.Duration(w.rand() % uint64(fifth)) //nolint:gosec // both fit
	}
	return l
}

// over reports whether the connection is to be replaced, by the clock that says so first.
func (l lifetime) over(now lift.Instant) bool { return l.span > 0 && now.Age(l.born) > l.span }
