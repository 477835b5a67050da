package mesh

import (
	"fmt"
	"log/slog"
	"runtime/debug"
	"sync"
)

// errand is background work that may be requested more often than it can be done. At
// most one goroutine does it. All requests that come while it runs cause one more run
// after it. The zero value is ready. Safe for concurrent use.
type errand struct {
	mu      sync.Mutex
	running bool
	again   func() // the last request that came while one was running
}

// start runs f in a goroutine of work, or after the one that is running. A panic of f
// is logged and only ends f.
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

// next returns the request that came meanwhile, or nil; then no errand is running.
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
