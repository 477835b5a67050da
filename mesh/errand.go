package mesh

import (
	"fmt"
	"log/slog"
	"runtime/debug"
	"sync"
)

// errand is work in the background that is asked for more often than it can be done.
// One goroutine at most does it: work that is asked for while it runs is done once
// more after that, however often it was asked for. Its zero value is ready. Safe for
// concurrent use.
type errand struct {
	mu      sync.Mutex
	running bool
	again   func() // what was asked for last while one ran
}

// start has f done, in a goroutine of work unless one runs. A panic of f is logged
// and ends f alone.
func (e *errand) start(work *sync.WaitGroup, log *slog.Logger, f func()) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.running {
		e.again = f
		return
	}
	e.running = true
	work.Go(func() {
		for next := f; next != nil; next = e.next() {
			contained(log, next)
		}
	})
}

// next returns what has been asked for meanwhile, nil for nothing; then none runs.
func (e *errand) next() func() {
	e.mu.Lock()
	defer e.mu.Unlock()
	f := e.again
	e.again, e.running = nil, f != nil
	return f
}

func contained(log *slog.Logger, f func()) {
	defer func() {
		if p := recover(); p != nil {
			log.Error("panic in the background, contained", "panic", fmt.Sprint(p), "stack", string(debug.Stack()))
		}
	}()
	f()
}
