package main

import (
	"context"
	"log/slog"
	"time"

	"github.com/liftmesh/lift"
	"github.com/liftmesh/lift/sidecar/socket"
)

// tally counts the calls that finish and those that are cut in a drain.
type tally struct {
	p       *program
	servers []server // which a door forgets once it is closed
	began   lift.Instant
	before  socket.Traffic
}

// tally begins to count.
func (p *program) tally(in doors) *tally {
	t := &tally{p: p, began: p.now()}
	for _, d := range in {
		if s := d.now(); s != nil {
			t.servers = append(t.servers, s)
		}
	}
	t.before = t.traffic()
	return t
}

// traffic returns that of all doors together.
func (t *tally) traffic() (all socket.Traffic) {
	for _, s := range t.servers {
		all = all.And(s.Traffic())
	}
	return all
}

// log writes the line that ends a drain.
func (t *tally) log() {
	after, level := t.traffic(), slog.LevelInfo
	if after.Cut > 0 {
		level = slog.LevelWarn
	}
	ran := after.Begun - t.before.Begun + uint64(t.before.Running) //nolint:gosec // never negative
	t.p.log.Log(context.Background(), level, "drained",
		"took", t.p.now().Since(t.began).Round(time.Millisecond).String(), "finished", ran-after.Cut, "cut", after.Cut)
}
