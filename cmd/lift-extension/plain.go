package main

import (
	"context"
	"fmt"
	"runtime/debug"
	"sync"
	"time"

	"github.com/liftmesh/lift/sidecar/plain"
)

// plainDoor is the plain door while it is served. Where none is configured it
// does nothing. Inside Lambda it may be closed for a while, where it could not be
// opened; then it is tried again.
type plainDoor struct {
	p      *program
	every  time.Duration // of looking after the sockets, 0 where that is done from outside
	failed chan error

	mu     sync.Mutex
	server *plain.Server
	said   string
}

// openPlain opens the plain door and serves it.
func (p *program) openPlain(ctx context.Context, every time.Duration) (*plainDoor, error) {
	d := &plainDoor{p: p, every: every, failed: make(chan error, 1)}
	err := d.open(ctx)
	return d, err
}

func (d *plainDoor) open(ctx context.Context) error {
	cfg := d.p.cfg
	if len(cfg.Plain) == 0 {
		return nil
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	server, err := plain.Listen(plain.Config{
		Addresses:    cfg.Plain,
		Mode:         cfg.SocketMode,
		Group:        cfg.SocketGroup,
		Limits:       plain.Limits{MaxPeers: cfg.Limits.MaxPeers, MaxHeader: cfg.Limits.MaxHeader},
		Caller:       d.p.mesh,
		Services:     d.p.mesh.Names(),
		Log:          d.p.log,
		Now:          d.p.now,
		RecheckEvery: d.every,
		Version:      version(),
	})
	if err != nil {
		return err
	}
	d.server = server
	go func() {
		err := d.run(ctx, server)
		d.mu.Lock()
		if d.server == server {
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

func (d *plainDoor) run(ctx context.Context, server *plain.Server) (err error) {
	defer func() {
		if r := recover(); r != nil {
			err = fmt.Errorf("panic: %v\n%s", r, debug.Stack())
			server.Close()
		}
	}()
	return server.Serve(ctx)
}

// recheck sees to it that the sockets are there, and opens what could not be
// opened before. What keeps it closed is said once.
func (d *plainDoor) recheck(ctx context.Context) {
	d.mu.Lock()
	server := d.server
	d.mu.Unlock()
	if server != nil {
		server.Recheck()
		return
	}
	err := d.open(ctx)
	switch {
	case len(d.p.cfg.Plain) == 0:
	case err == nil:
		d.p.log.Info("the plain door is open now", "plain", d.addresses())
	case err.Error() != d.said:
		d.said = err.Error()
		d.p.log.Error("cannot open the plain door; trying again at each invocation", "error", d.said)
	}
}

// addresses are where it listens, as configured.
func (d *plainDoor) addresses() []string {
	all := make([]string, 0, len(d.p.cfg.Plain))
	for _, a := range d.p.cfg.Plain {
		s := a.String()
		if a.Service != "" {
			s += " for " + a.Service
		}
		all = append(all, s)
	}
	return all
}

// drain lets running calls end until ctx does, and closes the door.
func (d *plainDoor) drain(ctx context.Context) {
	d.mu.Lock()
	server := d.server
	d.mu.Unlock()
	if server == nil {
		return
	}
	if err := server.Drain(ctx); err != nil {
		d.p.log.Warn("calls at the plain door were cut at the end of the drain", "error", err.Error())
	}
}

// close removes the door's sockets, whatever still runs.
func (d *plainDoor) close() {
	d.mu.Lock()
	server := d.server
	d.mu.Unlock()
	if server != nil {
		server.Close()
	}
}
