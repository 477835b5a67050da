package main

import (
	"context"
	"fmt"
	"log/slog"
	"runtime/debug"
	"sync"

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
	name    string // as logs say it
	kind    string // "api" or "plain"
	address string
	service string // the one that it is for, "" for all
	at      string // the address and what it is for, as logs say it
	movable bool   // a reload can open and close it
	listen  func() (server, error)
	log     *slog.Logger
	failed  chan error // what ended it, for who waits

	mu     sync.Mutex
	server server
	said   string // why it is closed
}

// serve serves what listen has made, in the background.
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
		default: // nobody waits inside Lambda
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
	if s, ok := d.try(); ok {
		d.serve(ctx, s)
	}
}

// try opens a door that is closed. What keeps it closed is said once.
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
		d.log.Info("open now", "door", d.name, "at", d.at)
	}
	return s, true
}
