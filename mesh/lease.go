package mesh

import (
	"sync"
	"sync/atomic"
)

// lease counts the users of something that must end once it has been retired and its
// last user is done. Safe for concurrent use.
type lease struct {
	users   atomic.Int64
	retired atomic.Bool
	once    sync.Once
	end     func() // runs once, in the goroutine of the last user
}

// take begins a use, which give ends. After retire it reports false and begins none.
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

// retire prevents further uses. A second retire does nothing.
func (l *lease) retire() {
	l.retired.Store(true)
	if l.users.Load() == 0 {
		l.once.Do(l.end)
	}
}
