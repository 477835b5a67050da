package emulator

import (
	"context"
	"errors"
	"time"
)

// begin runs the init phase: start all extensions, wait until each has
// registered, start the runtime, wait for its first next, then for the first
// next of every extension. The error is a *Fault, or ctx's cause.
func (l *life) begin(ctx context.Context) error {
	err := l.initialize(ctx)
	if errors.Is(err, errTimedOut) {
		return l.initTimedOut()
	}
	if fault, ok := errors.AsType[*Fault](err); ok {
		marked := *fault
		marked.init = true
		return &marked
	}
	return err
}

func (l *life) initialize(ctx context.Context) error {
	l.e.log("platform", "INIT_START")
	cfg := &l.e.cfg
	env := cfg.extensionEnviron(l.api)
	for _, ext := range l.e.extensions {
		a := newAgent(ext.name, true)
		l.mu.Lock()
		l.agents = append(l.agents, a)
		l.mu.Unlock()
		p, err := start(l.e.spawner, program{source: a.source(), path: ext.path, dir: "/", env: env}, l.e.log)
		if err != nil {
			return &Fault{Type: "Extension.LaunchError", Source: a.source(), Message: err.Error(), Err: err}
		}
		l.mu.Lock()
		a.proc = p
		l.mu.Unlock()
		l.watch(p, func() *Fault { return a.crashed(p) })
	}
	if err := l.await(ctx, l.allRegistered); err != nil {
		return err
	}
	p, err := start(l.e.spawner, program{
		source: "function", path: cfg.Function, args: cfg.FunctionArgs,
		dir: cfg.TaskRoot, env: cfg.functionEnviron(l.api),
	}, l.e.log)
	if err != nil {
		return &Fault{Type: "Runtime.InvalidEntrypoint", Source: "function", Message: err.Error(), Err: err}
	}
	l.mu.Lock()
	l.function.proc = p
	l.mu.Unlock()
	l.watch(p, func() *Fault {
		return &Fault{Type: "Runtime.ExitError", Message: "Runtime exited: " + p.exit}
	})
	if err := l.await(ctx, func() bool { return !l.function.firstNext.IsZero() }); err != nil {
		return err
	}
	return l.await(ctx, l.allReady)
}

// allRegistered: every external extension has. mu is held.
func (l *life) allRegistered() bool {
	for _, a := range l.agents {
		if a.external && a.registered.IsZero() {
			return false
		}
	}
	return true
}

// allReady: everybody who registered has asked for the first event. mu is held.
func (l *life) allReady() bool {
	for _, a := range l.agents {
		if a.firstNext.IsZero() {
			return false
		}
	}
	return true
}

// initTimedOut says what init was waiting for when its time was up.
func (l *life) initTimedOut() *Fault {
	l.mu.Lock()
	defer l.mu.Unlock()
	f := &Fault{Type: "Sandbox.Timedout", Source: "platform", Err: errTimedOut, init: true}
	for _, a := range l.agents {
		if a.external && a.registered.IsZero() {
			f.Message = a.source() + " has not registered"
			f.Output = a.proc.output()
			return f
		}
	}
	if l.function.firstNext.IsZero() {
		f.Message = "the function has not asked for its first invocation"
		if l.function.proc != nil {
			f.Output = l.function.proc.output()
		}
		return f
	}
	for _, a := range l.agents {
		if a.firstNext.IsZero() {
			f.Message = a.source() + " has registered, but not asked for its first event"
			break
		}
	}
	return f
}

// within bounds a phase; its cause is errTimedOut when the time is up.
func within(ctx context.Context, deadline time.Time) (context.Context, context.CancelFunc) {
	return context.WithDeadlineCause(ctx, deadline, errTimedOut)
}
