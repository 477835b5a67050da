package main

import (
	"context"
	"fmt"
	"log/slog"
	"runtime/debug"
	"sync"

	"github.com/liftmesh/lift/sidecar/socket"
)

// server answers at one address.
type server interface {
	Serve(ctx context.Context) error
	Recheck()
	Announce()
	Traffic() socket.Traffic
	Drain(ctx context.Context) error
	Close()
}

// door is one address and the server behind it. Inside Lambda a door that cannot be
// opened stays closed for now, and is tried again.
type door struct {
	name    string // as logs say it
	kind    string // "api" or "plain"
	address string
	service string // the one that it is for, "" for all
	at      string // the address, and the service if it is for one, as logs say it
	movable bool   // a reload can open and close it
	listen  func() (server, error)
	log     *slog.Logger
	failed  chan error // gets the error that ended the server

	mu     sync.Mutex
	server server
	said   string // why it is closed
}

// serve runs the server that listen made, in the background.
func (d *door) serve(ctx context.Context, s server) {
	d.mu.Lock()
	d.server = s
	d.mu.Unlock()
	go func() {
		err := serve(ctx, s)
		d.mu.Lock()
		if d.server == s {
			d.server = nil // so that it is opened again
		}
		d.mu.Unlock()
		select {
		case d.failed <- err:
		default: // inside Lambda nobody waits for it
		}
	}()
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

// now returns the server, nil while the door is closed.
func (d *door) now() server {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.server
}

// recheck makes sure that the door is open: it makes a socket again that something
// removed, and tries again to open a closed door. The reason why a door stays closed
// is logged once.
func (d *door) recheck(ctx context.Context) {
	if s := d.now(); s != nil {
		s.Recheck()
		return
	}
	if s, ok := d.try(); ok {
		d.serve(ctx, s)
	}
}

// try opens a closed door. The reason why it stays closed is logged once.
func (d *door) try() (server, bool) {
	s, err := d.listen()
	d.mu.Lock()
	defer d.mu.Unlock()
	if err != nil {
		if d.said != err.Error() {
			d.said = err.Error()
			d.log.Error("cannot listen; trying again", "door", d.name, "error", d.said)
		}
		return nil, false
	}
	if d.said != "" {
		d.said = ""
		d.log.Info("listening now", "door", d.name, "at", d.at)
	}
	return s, true
}
