package emulator

import (
	"fmt"
	"syscall"
	"time"
)

// Gap says how a thaw describes the freeze before it.
type Gap struct {
	// Length is added to the time that the freeze really took. Only programs that
	// read Config.ClockFile see it.
	Length time.Duration
	// MonotonicStands makes monotonic time stand still during the freeze: the
	// monotonic offset subtracts the time that the freeze really took. Otherwise
	// monotonic time runs on and moves by Length like the wall clock. Both happen
	// on Lambda; a program must cope with either.
	MonotonicStands bool
	// Network says what the relays do to connections from before the freeze.
	Network Mode
}

// stopLimit bounds the wait until all threads have stopped.
const stopLimit = time.Second

// Freeze stops the function and the extensions (SIGSTOP to their process groups)
// and holds the relays. It waits for a running invocation to end. It does nothing
// if the environment is frozen. It fails with ErrNotRunning, ErrNeverFreezes or
// ErrClosed.
func (e *Emulator) Freeze() error {
	if e.cfg.managed() {
		return ErrNeverFreezes
	}
	return e.exclusively(func(l *life) error {
		if l == nil {
			return ErrNotRunning
		}
		e.freezeLife(l)
		return nil
	})
}

// Thaw moves the clock file by gap, releases the relays and continues all processes
// (SIGCONT). It fails with ErrNotFrozen or ErrClosed, or if the clock file cannot be
// written; the environment is thawed in that case too.
func (e *Emulator) Thaw(gap Gap) error {
	return e.exclusively(func(l *life) error {
		if l == nil || !l.frozen() {
			return ErrNotFrozen
		}
		return e.thawLife(l, gap)
	})
}

// exclusively runs f while no invocation runs and nobody else changes the
// environment. l is nil if there is none.
func (e *Emulator) exclusively(f func(l *life) error) error {
	select {
	case e.slots <- struct{}{}:
		defer func() { <-e.slots }()
	case <-e.base.Done():
		return ErrClosed
	}
	if e.base.Err() != nil {
		return ErrClosed
	}
	e.env.Lock()
	defer e.env.Unlock()
	return f(e.current())
}

func (l *life) frozen() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return !l.frozenAt.IsZero()
}

func (l *life) processes() []*process {
	l.mu.Lock()
	defer l.mu.Unlock()
	var all []*process
	for _, a := range l.agents {
		if a.proc != nil && a.proc.alive() {
			all = append(all, a.proc)
		}
	}
	if p := l.function.proc; p != nil && p.alive() {
		all = append(all, p)
	}
	return all
}

func (e *Emulator) freezeLife(l *life) {
	if l.frozen() {
		return
	}
	all := l.processes()
	for _, p := range all {
		p.signal(syscall.SIGSTOP)
	}
	// The thaw may subtract from monotonic time only what surely lies inside the
	// stop, so the freeze begins when the last thread has stopped.
	for limit := time.Now().Add(stopLimit); time.Now().Before(limit); time.Sleep(200 * time.Microsecond) {
		still := true
		for _, p := range all {
			still = still && (!p.alive() || stopped(p.pid))
		}
		if still {
			break
		}
	}
	for _, r := range e.cfg.Relays {
		r.Hold()
	}
	l.mu.Lock()
	l.frozenAt = time.Now()
	l.mu.Unlock()
	e.log("platform", "frozen")
}

func (e *Emulator) thawLife(l *life, gap Gap) error {
	l.mu.Lock()
	lasted := time.Since(l.frozenAt)
	l.frozenAt = time.Time{}
	l.mu.Unlock()
	mono := gap.Length
	if gap.MonotonicStands {
		mono = -lasted
	}
	err := e.clock.add(gap.Length, mono)
	for _, r := range e.cfg.Relays {
		r.Release(gap.Network)
	}
	for _, p := range l.processes() {
		p.signal(syscall.SIGCONT)
	}
	e.log("platform", fmt.Sprintf("thawed after %s; said to be %s longer", lasted.Round(time.Millisecond), gap.Length))
	return err
}
