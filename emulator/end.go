package emulator

import (
	"context"
	"encoding/json"
	"errors"
	"syscall"
	"time"
)

// The reasons of a SHUTDOWN event.
const (
	// Spindown: the environment was idle for long enough.
	Spindown = "spindown"
	// TimedOut: an invocation or an init overran its time.
	TimedOut = "timeout"
	// Failure: the function or an extension died.
	Failure = "failure"
)

const (
	// internalBudget is the time that the runtime has to end if only internal
	// extensions are registered.
	internalBudget = 500 * time.Millisecond
	// runtimeShare is the runtime's part of the budget, in percent: its time between
	// SIGTERM and SIGKILL if there are external extensions.
	runtimeShare = 30
)

// end takes the environment down in Lambda's order: SIGTERM to the runtime,
// SIGKILL, then SHUTDOWN to external extensions, SIGKILL at the deadline. Once
// hard is done, all get SIGKILL at once. It returns when no process, request or
// goroutine of the environment is left.
func (l *life) end(hard context.Context, reason string) {
	l.mu.Lock()
	l.ending = true
	l.wake()
	l.mu.Unlock()
	if l.frozen() {
		_ = l.e.thawLife(l, Gap{}) // an unwritable clock file must not keep anybody frozen
	}
	external, internal := l.census()
	began := time.Now()
	budget := time.Duration(0)
	runtimeTime := budget
	switch {
	case external:
		budget = l.e.cfg.ShutdownBudget
		runtimeTime = budget * runtimeShare / 100
	case internal:
		runtimeTime = internalBudget
	}
	l.endFunction(hard, began.Add(runtimeTime), runtimeTime > 0)
	if external {
		l.endExtensions(hard, began.Add(budget), reason)
	}
	l.reap.Wait()
	l.mu.Lock()
	l.gone = true
	l.mu.Unlock()
	_ = l.server.Close() // its listener is all that could fail
	l.served.Wait()
	_ = l.until(context.Background(), func() bool { return l.asking == 0 }) // the closed server cancels them
}

// census tells whether there are external and internal extensions.
func (l *life) census() (external, internal bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, a := range l.agents {
		external = external || a.external && a.proc != nil
		internal = internal || !a.external
	}
	return external, internal
}

func (l *life) endFunction(hard context.Context, deadline time.Time, ask bool) {
	l.mu.Lock()
	p := l.function.proc
	l.mu.Unlock()
	if p == nil {
		return
	}
	if ask {
		p.signal(syscall.SIGTERM)
		ctx, cancel := within(hard, deadline)
		defer cancel()
		_ = l.until(ctx, func() bool { return !p.alive() }) // in time or not, SIGKILL follows
	}
	p.signal(syscall.SIGKILL)
	<-p.done
}

func (l *life) endExtensions(hard context.Context, deadline time.Time, reason string) {
	body, err := json.Marshal(struct {
		Type     string `json:"eventType"`
		Deadline int64  `json:"deadlineMs"`
		Reason   string `json:"shutdownReason"`
	}{eventShutdown, l.e.shifted(deadline), reason})
	if err != nil {
		panic(err) // strings and a number
	}
	var all []*process
	l.mu.Lock()
	for _, a := range l.agents {
		switch {
		case a.proc == nil:
			continue
		case a.events[eventShutdown] && a.saidIn == "":
			// AWS sends this one as text, and without an event identifier.
			a.queue = append(a.queue, event{contentType: "text/plain; charset=utf-8", body: body})
		default:
			a.proc.signal(syscall.SIGKILL)
		}
		all = append(all, a.proc)
	}
	l.wake()
	l.mu.Unlock()
	ctx, cancel := within(hard, deadline)
	defer cancel()
	_ = l.until(ctx, func() bool {
		for _, p := range all {
			if p.alive() {
				return false
			}
		}
		return true
	}) // in time or not, SIGKILL follows
	for _, p := range all {
		if p.alive() {
			l.e.log("platform", p.source+" did not end in time: SIGKILL")
		}
		p.signal(syscall.SIGKILL)
		<-p.done
	}
}

// reasonFor is the SHUTDOWN event's reason after err.
func reasonFor(err error) string {
	fault, ok := errors.AsType[*Fault](err)
	switch {
	case ok && fault.Type == "Sandbox.Timedout":
		return TimedOut
	case ok:
		return Failure
	default:
		return Spindown
	}
}
