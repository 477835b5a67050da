package main

import (
	"context"
	"fmt"
	"time"

	"github.com/liftmesh/lift/config"
)

// recheckEvery is how often it is looked whether the socket is still there: one
// stat, and callers wait that long at most for one that something has removed.
const recheckEvery = 2 * time.Second

// standalone is life beside a container: serve until ctx ends or a signal says
// so, then let the clients finish. A broken configuration is refused here, at
// once and whole: whoever starts the process sees it, and nothing else depends
// on it yet.
func (p *program) standalone(ctx context.Context, problems config.Problems) int {
	defer p.mesh.Close()
	if len(problems) > 0 {
		p.log.Error("the configuration is broken; mend it and start again", "problems", problems.Error())
		return 1
	}
	in := p.doors(recheckEvery)
	failed := make(chan error, len(in))
	for _, d := range in {
		if err := d.open(context.Background()); err != nil { // the drain ends it, not the signal
			p.log.Error("cannot listen", "door", d.name, "error", err.Error())
			in.close() // nothing runs yet
			return 1
		}
		go func() { failed <- fmt.Errorf("%s: %w", d.name, <-d.failed) }()
	}
	p.log.Info("serving", "at", in.where(), "services", p.mesh.Names())
	select {
	case <-ctx.Done():
	case <-p.signals:
	case err := <-failed:
		p.log.Error("a door failed", "error", err.Error())
		return 1
	}
	p.end(in)
	return 0
}

// end drains, and stops at once at one more signal.
func (p *program) end(in doors) {
	most := p.cfg.Drain.Max
	p.log.Info("draining", "most", most.String())
	drain, cancel := context.WithTimeout(context.Background(), most)
	defer cancel()
	done := make(chan struct{})
	go func() {
		defer close(done)
		defer p.contain("draining")
		p.drain(drain, in)
	}()
	select {
	case <-done:
		return
	case s := <-p.signals:
		p.log.Warn("a second signal: ending now, running calls are cut", "signal", s.String())
	}
	cancel()
	<-done
}
