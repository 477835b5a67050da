package main

import (
	"context"
	"fmt"
	"log/slog"
	"os"
	"time"

	"github.com/liftmesh/lift"
	"github.com/liftmesh/lift/config"
	"github.com/liftmesh/lift/mesh"
	"github.com/liftmesh/lift/sidecar"
	"github.com/liftmesh/lift/sidecar/plain"
)

// program is the data plane and the doors in front of it.
type program struct {
	cfg        *config.Config
	log        *slog.Logger
	now        func() lift.Instant
	invocation *invocation
	mesh       *mesh.Mesh
	sidecar    sidecar.Config
	bounds     *plain.Bounds  // limits that all plain doors share
	level      *slog.LevelVar // of log
	state      state

	// signals reload a standalone sidecar (SIGHUP) or end it: the first one starts a
	// drain, a later one cuts it short.
	signals <-chan os.Signal
	// leaving are called as a drain begins, to deregister; their context ends with the
	// drain.
	leaving []func(context.Context)
}

func build(cfg *config.Config, log *slog.Logger) *program {
	p := &program{
		cfg: cfg, log: log, now: clock(), invocation: &invocation{},
		bounds: plain.NewBounds(plainLimits(cfg), log), level: new(slog.LevelVar),
	}
	p.begun(cfg, p.now())
	cfg.Attach(p.now, log)
	p.mesh = mesh.New(mesh.Options{
		Services:    cfg.Services,
		Broken:      cfg.Broken,
		Connections: cfg.Connections,
		Connects:    cfg.Connects,
		Now:         p.now,
		Invocation:  p.invocation.deadline,
		Log:         log,
		OnEnd:       p.ended,
	})
	p.sidecar = sidecar.Config{
		Socket: cfg.Socket,
		Mode:   cfg.SocketMode,
		Group:  cfg.SocketGroup,
		Limits: cfg.Limits,
		Caller: p.mesh,
		Log:    log,
		Now:    p.now,
		InvocationStart: func(i sidecar.Invocation) {
			p.invocation.started(i.RequestID, i.Deadline)
		},
		InvocationDone: p.invocation.ended,
		Status:         p.status,
		Software:       "lift-extension " + version(),
	}
	return p
}

// warn logs what in a valid configuration is likely a mistake.
func (p *program) warn(cfg *config.Config) {
	for _, w := range cfg.Warnings {
		p.log.Warn("the configuration is valid, and something in it is likely a mistake", "warning", w.Error())
	}
}

// ended logs one line a call at the level debug: how it ended, and what was decided.
func (p *program) ended(c *lift.Call, e lift.Ending) {
	if !p.log.Enabled(context.Background(), slog.LevelDebug) {
		return
	}
	args := []any{"service", c.Service, "method", c.Method, "took", e.Ended.Since(c.Began).Round(time.Microsecond).String()}
	if e.Status != 0 {
		args = append(args, "status", e.Status, "head", e.Head.Since(c.Began).Round(time.Microsecond).String())
	}
	if e.Err != nil {
		args = append(args, "error", e.Err.Error())
	}
	if decisions, dropped := c.Decisions(); len(decisions) > 0 {
		said := make([]string, 0, len(decisions)+1)
		for _, d := range decisions {
			said = append(said, d.String())
		}
		if dropped > 0 {
			said = append(said, fmt.Sprintf("and %d more", dropped))
		}
		args = append(args, "decisions", said)
	}
	args = append(args, "attempts", linesOf(c.Attempts()))
	p.log.Debug("call", args...)
}
