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

// recheckEvery is how often a standalone sidecar checks whether its sockets are still
// there, and whether lift.yaml has changed.
const recheckEvery = 2 * time.Second

// stay is a standalone sidecar: it serves until a signal ends it, and follows its
// configuration meanwhile. One goroutine runs it.
type stay struct {
	*program
	in      doors
	parting doors // removed by a reload; their calls have not ended yet
	ended   chan ending
	over    chan struct{} // closed when nobody reads ended any more
	follow  follower
	holds   *config.Config // in force now; program.cfg is that of the start
}

// ending is a door whose server has ended.
type ending struct {
	door *door
	err  error
}

// standalone serves until ctx ends or a signal comes, then lets the clients finish. It
// refuses to start with a broken configuration: whoever starts the process sees it,
// and nothing depends on the process yet.
func (p *program) standalone(ctx context.Context, problems config.Problems) int {
	defer p.mesh.Close()
	if len(problems) > 0 {
		p.log.Error("the configuration is broken; fix it and start again", "problems", problems.Error())
		return 1
	}
	announce := p.announcing() // before the doors, which copy the registrar
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

// show updates the doors in the status.
func (s *stay) show() {
	all := slices.Clone(s.in)
	s.state.set(func(st *state) { st.doors = all })
}

// serve serves an open door, until a drain closes it.
func (s *stay) serve(d *door, server server) {
	d.serve(context.Background(), server)
	go func() {
		select {
		case s.ended <- ending{d, <-d.failed}:
		case <-s.over:
		}
	}()
}

// run handles everything between the start and the drain.
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

// heard returns the signals that a standalone sidecar handles.
func heard() []os.Signal { return []os.Signal{syscall.SIGTERM, os.Interrupt, syscall.SIGHUP} }
