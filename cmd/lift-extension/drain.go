package main

import (
	"context"
	"fmt"
	"runtime/debug"
	"sync"
	"time"

	"github.com/liftmesh/lift"
	"github.com/liftmesh/lift/sidecar/socket"
)

const (
	// lookEvery is how often a drain looks whether the clients are done.
	lookEvery = 50 * time.Millisecond
	// goneFor is how long no client may have been connected to count as gone: one
	// that opens a connection for each call has none between two.
	goneFor = 500 * time.Millisecond
	// leaveFor is how long a registry may take to hear that we go: one that is gone
	// itself must not hold the end.
	leaveFor = 5 * time.Second
)

// drain is the end of a standalone sidecar. Whatever ends it most likely ends the
// application too, which then still calls: so health checks hear of it at once,
// and calls are taken until the clients are done; only then the doors close. ctx
// ends what is left.
func (p *program) drain(ctx context.Context, quiet time.Duration, in doors) {
	calls := p.tally(in)
	defer calls.log()
	var leaving sync.WaitGroup
	for _, leave := range p.leaving {
		leaving.Go(func() {
			defer p.contain("leaving the registry")
			limited, cancel := context.WithTimeout(ctx, leaveFor)
			defer cancel()
			leave(limited)
		})
	}
	in.announce()
	linger(ctx, p.now, quiet, calls.traffic)
	in.drain(ctx)
	leaving.Wait()
}

// linger returns when the clients are done: none has been connected for goneFor,
// or no call has run for quiet. ctx ends it too.
func linger(ctx context.Context, now func() lift.Instant, quiet time.Duration, traffic func() socket.Traffic) {
	look := time.NewTicker(lookEvery)
	defer look.Stop()
	began := traffic().Begun
	there, called := now(), now() // when a client was last there, and a call last ran
	for {
		at, t := now(), traffic()
		if t.Running > 0 || t.Begun != began {
			called, there = at, at
			began = t.Begun
		}
		if t.Peers > 0 {
			there = at
		}
		if at.Mono-there.Mono >= goneFor || at.Mono-called.Mono >= quiet {
			return
		}
		select {
		case <-look.C:
		case <-ctx.Done():
			return
		}
	}
}

// announce has all doors tell health checks that they are about to close.
func (all doors) announce() {
	for _, d := range all {
		if s := d.now(); s != nil {
			s.Announce()
		}
	}
}

// drain drains all at the same time.
func (all doors) drain(ctx context.Context) {
	var work sync.WaitGroup
	for _, d := range all {
		work.Go(func() { d.drain(ctx) })
	}
	work.Wait()
}

// drain lets running calls end until ctx does, and closes the door.
func (d *door) drain(ctx context.Context) {
	defer func() {
		if r := recover(); r != nil {
			d.log.Error("panic, contained", "where", "draining "+d.name, "panic", fmt.Sprint(r), "stack", string(debug.Stack()))
		}
	}()
	s := d.now()
	if s == nil {
		return
	}
	_ = s.Drain(ctx) // its error says that calls were cut, which the tally has
}
