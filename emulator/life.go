package emulator

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"sync"
	"time"
)

// life is one execution environment, from the start of its first program to the end
// of its last. A reset ends it; the next invocation begins another.
//
// mu guards everything that changes. Every change calls wake, and until and await
// wait for one.
type life struct {
	e   *Emulator
	api string // host:port of the Runtime API

	server *http.Server
	served sync.WaitGroup // the server
	reap   sync.WaitGroup // watchers of processes

	mu      sync.Mutex
	changed chan struct{} // closed and replaced by every change
	fault   *Fault        // the first one; the environment is lost
	ending  bool          // from now on processes may go
	gone    bool          // nothing is answered any more
	asking  int           // requests that are being answered

	function *function
	agents   []*agent // external ones in the order of their start, then internal ones
	closed   bool     // nobody may register any more
	calls    int      // invocations begun

	frozenAt time.Time // zero if not frozen
}

// newLife opens the API. Nothing runs yet.
func newLife(e *Emulator) (*life, error) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, fmt.Errorf("emulator: Runtime API: %w", err)
	}
	l := &life{e: e, api: listener.Addr().String(), changed: make(chan struct{}), function: newFunction()}
	l.server = &http.Server{Handler: l.handler(), ErrorLog: e.serverLog, ReadHeaderTimeout: e.cfg.InitLimit}
	l.served.Go(func() { _ = l.server.Serve(listener) }) // ends with Close
	return l, nil
}

// wake tells everyone who waits that something has changed. mu is held.
func (l *life) wake() {
	close(l.changed)
	l.changed = make(chan struct{})
}

// until waits for cond, which runs under mu. It returns the context's cause if ctx
// ends first.
func (l *life) until(ctx context.Context, cond func() bool) error {
	for {
		l.mu.Lock()
		met, changed := cond(), l.changed
		l.mu.Unlock()
		if met {
			return nil
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
}

// await is until, but returns the fault if the environment is lost.
func (l *life) await(ctx context.Context, cond func() bool) error {
	var fault *Fault
	err := l.until(ctx, func() bool {
		fault = l.fault
		return fault != nil || cond()
	})
	if fault != nil {
		return fault
	}
	return err
}

// fail records why the environment is lost. The first reason counts. mu is held.
func (l *life) fail(f *Fault) {
	if l.fault == nil && !l.ending {
		l.fault = f
	}
	l.wake()
}

func (l *life) lost() *Fault {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.fault
}

// watch ends the environment when a process ends outside a shutdown.
func (l *life) watch(p *process, fault func() *Fault) {
	l.reap.Go(func() {
		<-p.done
		l.mu.Lock()
		defer l.mu.Unlock()
		if !l.ending {
			f := fault()
			f.Source, f.Output = p.source, p.output()
			l.e.log("platform", fmt.Sprintf("%s ended: %s", p.source, p.exit))
			l.fail(f)
		}
		l.wake()
	})
}
