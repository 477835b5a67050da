package main

import (
	"fmt"
	"os"
	"os/signal"
	"runtime"
	"syscall"
	"time"
)

const (
	// sweepAfter is how long what a program leaves behind may take to end.
	sweepAfter = 2 * time.Second
	// drainMargin is how much longer than drain.max a sidecar may take to end.
	drainMargin = 5 * time.Second
	// A sidecar that died is started again after restartSoon, and after twice as
	// long each time up to restartLate; one that served for wellAfter begins anew.
	restartSoon, restartLate = 100 * time.Millisecond, 5 * time.Second
	wellAfter                = 10 * time.Second
)

// runner runs a program with its sidecar. One goroutine does, on one thread: both
// processes are tied to it.
type runner struct {
	s                streams
	sidecar, program command
	drain            time.Duration // drain.max

	beside  *extension // nil while there is none
	since   time.Time
	wait    time.Duration // before the next start
	again   <-chan time.Time
	signals chan os.Signal
	shared  bool // the program is in lift's process group
}

// run is the order: the sidecar is ready, the program runs, the program has
// ended, the sidecar drains.
func (r *runner) run() (err error) {
	runtime.LockOSThread() // never unlocked; see start
	r.signals = make(chan os.Signal, 16)
	signal.Notify(r.signals, passedOn()...)
	defer signal.Stop(r.signals)
	if err := r.ready(); err != nil {
		return err
	}
	defer r.end()
	r.shared = inForeground()
	p, err := start(r.program, r.s.in, r.s.out, r.s.err, r.shared, syscall.SIGKILL)
	if err != nil {
		return codeError{exitNoExec, fmt.Errorf("%s cannot be executed: %w", r.program.path, err)}
	}
	r.watch(p)
	p.sweep(sweepAfter)
	if code := p.code(); code != 0 {
		return codeError{code: code}
	}
	return nil
}

// passedOn are the signals that a program may want to hear. SIGHUP stays ignored
// under nohup.
func passedOn() []os.Signal {
	all := []os.Signal{syscall.SIGINT, syscall.SIGTERM, syscall.SIGQUIT, syscall.SIGUSR1, syscall.SIGUSR2}
	if !signal.Ignored(syscall.SIGHUP) {
		all = append(all, syscall.SIGHUP)
	}
	return all
}

// ready starts the sidecar and waits until it serves.
func (r *runner) ready() error {
	failed := func(format string, args ...any) error {
		return codeError{exitNoSidecar, fmt.Errorf(format+"; the program was not started", args...)}
	}
	b, err := startExtension(r.sidecar, r.s.err)
	if err != nil {
		return failed("the sidecar does not start: %w", err)
	}
	r.beside, r.since = b, time.Now()
	limit := time.NewTimer(readyWithin)
	defer limit.Stop()
	for {
		select {
		case <-b.ready:
			return nil
		case <-b.done:
			return failed("the sidecar ended at its start (%s); its last log lines above say why", b.how())
		case <-limit.C:
			r.end()
			return failed("the sidecar did not serve within %s; is %s as old as this lift?", readyWithin, r.sidecar.path)
		case sig := <-r.signals:
			if number, ok := sig.(syscall.Signal); ok && ends(number) {
				r.end()
				return codeError{code: 128 + int(number)}
			}
		}
	}
}

// ends says whether a signal asks to end.
func ends(sig syscall.Signal) bool { return sig != syscall.SIGUSR1 && sig != syscall.SIGUSR2 }

// watch passes signals on until the program has ended, and starts a sidecar again
// that has died.
func (r *runner) watch(p *process) {
	for {
		var died <-chan struct{}
		if r.beside != nil {
			died = r.beside.done
		}
		select {
		case <-p.done:
			return
		case sig := <-r.signals:
			r.pass(sig, p)
		case <-died:
			r.died()
		case <-r.again:
			r.restart()
		}
	}
}

// pass gives the program a signal, unless the terminal has given it already.
func (r *runner) pass(sig os.Signal, p *process) {
	number, ok := sig.(syscall.Signal)
	if !ok || r.shared && (number == syscall.SIGINT || number == syscall.SIGQUIT) {
		return
	}
	p.signal(number)
}

// died says that the sidecar has ended, and when there will be another one.
func (r *runner) died() {
	r.wait = min(max(2*r.wait, restartSoon), restartLate)
	if time.Since(r.since) > wellAfter {
		r.wait = restartSoon
	}
	r.say("the sidecar ended (%s); calls fail until it is back, starting it again in %s", r.beside.how(), r.wait)
	r.beside, r.again = nil, time.After(r.wait)
}

func (r *runner) restart() {
	r.again, r.since = nil, time.Now()
	b, err := startExtension(r.sidecar, r.s.err)
	if err != nil {
		r.wait = min(2*r.wait, restartLate)
		r.say("the sidecar does not start: %v; trying again in %s", err, r.wait)
		r.again = time.After(r.wait)
		return
	}
	r.beside = b
}

// end has the sidecar drain, and kills it if it takes longer than it may. Another
// signal to end has it cut running calls.
func (r *runner) end() {
	b := r.beside
	if b == nil {
		return
	}
	b.signal(syscall.SIGTERM)
	limit := time.NewTimer(r.drain + drainMargin)
	defer limit.Stop()
	for {
		select {
		case <-b.done:
			return
		case sig := <-r.signals:
			if number, ok := sig.(syscall.Signal); ok && ends(number) {
				b.signal(syscall.SIGTERM)
			}
		case <-limit.C:
			r.say("the sidecar has not ended %s after the program; killing it", r.drain+drainMargin)
			b.signal(syscall.SIGKILL)
			<-b.done
			return
		}
	}
}

func (r *runner) say(format string, args ...any) {
	_, _ = fmt.Fprintf(r.s.err, "lift: "+format+"\n", args...)
}
