package mesh

import (
	"sync"
	"sync/atomic"
)

// lease counts the users of something that is to end once it has been retired
// and nobody uses it any more. Safe for concurrent use.
type lease struct {
	users   atomic.Int64
	retired atomic.Bool
	once    sync.Once
	end     func() // runs once, in the goroutine of whoever was last
}

// take begins a use, which give ends. It reports false, and begins none, once
// retired.
func (l *lease) take() bool {
	l.users.Add(1)
	if l.retired.Load() {
		l.give()
		return false
	}
	return true
}

func (l *lease) give() {
	if l.users.Add(-1) == 0 && l.retired.Load() {
		l.once.Do(l.end)
	}
}

// retire lets no further use begin. Retiring twice does nothing.
func (l *lease) retire() {
	l.retired.Store(true)
	if l.users.Load() == 0 {
		l.once.Do(l.end)
	}
}
