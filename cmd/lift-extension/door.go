package main

import (
	"context"
	"fmt"
	"log/slog"
	"runtime/debug"
	"sync"
	"time"

	"github.com/liftmesh/lift/sidecar"
	"github.com/liftmesh/lift/sidecar/plain"
	"github.com/liftmesh/lift/sidecar/socket"
)

// server is what stands behind a door.
type server interface {
	Serve(ctx context.Context) error
	Recheck()
	Announce()
	Traffic() socket.Traffic
	Drain(ctx context.Context) error
	Close()
}

// door is one way in while it is served. Inside Lambda it may be closed for a
// while, where it could not be opened; then it is tried again.
type door struct {
	name   string // as logs say it
	where  []string
	listen func() (server, error)
	log    *slog.Logger
	failed chan error // what ended it, for who waits

	mu     sync.Mutex
	server server
	said   string // why it is closed
}

// api is the door of the Lift API. every is how often it looks after its socket,
// 0 where that is done from outside.
func (p *program) api(every time.Duration) *door {
	cfg := p.sidecar
	cfg.RecheckEvery = every
	return &door{
		name: "the Lift API", where: []string{p.cfg.Socket}, log: p.log, failed: make(chan error, 1),
		listen: func() (server, error) {
			s, err := sidecar.Listen(cfg)
			return apiServer{s}, err
		},
	}
}

type apiServer struct{ *sidecar.Server }

// Recheck drops the error: it has been logged.
func (s apiServer) Recheck() { _ = s.Server.Recheck() }

// plain is the door for any HTTP client.
func (p *program) plain(every time.Duration) *door {
	d := &door{name: "the plain door", log: p.log, failed: make(chan error, 1)}
	for _, a := range p.cfg.Plain {
		s := a.String()
		if a.Service != "" {
			s += " for " + a.Service
		}
		d.where = append(d.where, s)
	}
	d.listen = func() (server, error) {
		return plain.Listen(plain.Config{
			Addresses:    p.cfg.Plain,
			Mode:         p.cfg.SocketMode,
			Group:        p.cfg.SocketGroup,
			Limits:       plain.Limits{MaxPeers: p.cfg.Limits.MaxPeers, MaxCalls: p.cfg.Limits.MaxCalls, MaxHeader: p.cfg.Limits.MaxHeader},
			Caller:       p.mesh,
			Services:     p.mesh.Names(),
			Log:          p.log,
			Now:          p.now,
			RecheckEvery: every,
			Version:      version(),
		})
	}
	return d
}

// open opens the door and serves it until ctx ends.
func (d *door) open(ctx context.Context) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	s, err := d.listen()
	if err != nil {
		return err
	}
	d.server = s
	go func() {
		err := serve(ctx, s)
		d.mu.Lock()
		if d.server == s {
			d.server = nil // so that it is opened again
		}
		d.mu.Unlock()
		select {
		case d.failed <- err:
		default: // nobody waits inside Lambda
		}
	}()
	return nil
}

func serve(ctx context.Context, s server) (err error) {
	defer func() {
		if r := recover(); r != nil {
			err = fmt.Errorf("panic: %v\n%s", r, debug.Stack())
			s.Close()
		}
	}()
	return s.Serve(ctx)
}

// now is the server, nil while the door is closed.
func (d *door) now() server {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.server
}

// recheck sees to it that the door is open: its sockets are made anew if
// something removed them, and what could not be opened before is tried again.
// What keeps it closed is said once.
func (d *door) recheck(ctx context.Context) {
	if s := d.now(); s != nil {
		s.Recheck()
		return
	}
	err := d.open(ctx)
	switch {
	case err == nil && d.said != "":
		d.said = ""
		d.log.Info("open now", "door", d.name, "at", d.where)
	case err != nil && d.said != err.Error():
		d.said = err.Error()
		d.log.Error("cannot listen; trying again at each invocation", "door", d.name, "error", d.said)
	}
}

// doors are all ways in.
type doors []*door

// doors returns those that are configured, closed.
func (p *program) doors(every time.Duration) doors {
	all := doors{p.api(every)}
	if len(p.cfg.Plain) > 0 {
		all = append(all, p.plain(every))
	}
	return all
}

// where lists the addresses of all, as configured.
func (all doors) where() (at []string) {
	for _, d := range all {
		at = append(at, d.where...)
	}
	return at
}

func (all doors) recheck(ctx context.Context) {
	for _, d := range all {
		d.recheck(ctx)
	}
}

// close closes all, whatever still runs.
func (all doors) close() {
	for _, d := range all {
		if s := d.now(); s != nil {
			s.Close()
		}
	}
}
