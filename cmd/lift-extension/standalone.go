package main

import (
	"context"
	"fmt"
	"os"
	"slices"
	"syscall"
	"time"

	"github.com/liftmesh/lift/config"
)

// recheckEvery is how often it is looked whether the sockets are still there, and
// whether lift.yaml has changed.
const recheckEvery = 2 * time.Second

// stay is life beside a container: a process that serves until it is told to
// end, and follows its configuration meanwhile. One goroutine runs it.
type stay struct {
	*program
	in      doors
	parting doors // what a reload has removed, until its calls have ended
	ended   chan ending
	over    chan struct{} // closed when nobody hears of endings any more
	follow  follower
	holds   *config.Config // in force now; program.cfg is that of the start
}

// ending is a door that is not served any more.
type ending struct {
	door *door
	err  error
}

// standalone serves until ctx ends or a signal says so, then lets the clients
// finish. A broken configuration is refused here, at once and whole: whoever
// starts the process sees it, and nothing else depends on it yet.
func (p *program) standalone(ctx context.Context, problems config.Problems) int {
	defer p.mesh.Close()
	if len(problems) > 0 {
		p.log.Error("the configuration is broken; fix it and start again", "problems", problems.Error())
		return 1
	}
	announce := p.announcing() // before the doors, which take the registrar along
	s := &stay{program: p, in: p.doors(recheckEvery), ended: make(chan ending), over: make(chan struct{}), follow: follower{path: p.cfg.File, holds: p.cfg.Sum}, holds: p.cfg}
	defer close(s.over)
	s.show()
	for _, d := range s.in {
		server, err := d.listen()
		if err != nil {
			p.log.Error("cannot listen", "door", d.name, "error", err.Error())
			s.in.close() // nothing runs yet
			return 1
		}
		s.serve(d, server)
	}
	announce()
	p.log.Info("serving", "at", s.in.where(), "services", p.mesh.Names())
	notify(os.LookupEnv, ready)
	return s.run(ctx)
}

// show has the status tell of the doors as they are now.
func (s *stay) show() {
	all := slices.Clone(s.in)
	s.state.set(func(st *state) { st.doors = all })
}

// serve serves a door that is open. The drain ends it, not the signal.
func (s *stay) serve(d *door, server server) {
	d.serve(context.Background(), server)
	go func() {
		select {
		case s.ended <- ending{d, <-d.failed}:
		case <-s.over:
		}
	}()
}

// run is all that happens between the start and the drain.
func (s *stay) run(ctx context.Context) int {
	look := time.NewTicker(recheckEvery)
	defer look.Stop()
	for {
		select {
		case <-ctx.Done():
			s.end()
			return 0
		case sig := <-s.signals:
			if sig != syscall.SIGHUP {
				s.end()
				return 0
			}
			s.follow.asked()
			s.reload("SIGHUP")
		case <-look.C:
			if s.follow.look() {
				s.reload("the file has changed")
			}
			s.retry()
		case e := <-s.ended:
			if !s.left(e.door) {
				s.log.Error("a door failed", "error", fmt.Sprintf("%s at %s: %v", e.door.name, e.door.at, e.err))
				return 1
			}
		}
	}
}

// heard are the signals that a standalone sidecar hears.
func heard() []os.Signal { return []os.Signal{syscall.SIGTERM, os.Interrupt, syscall.SIGHUP} }
