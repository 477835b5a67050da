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
	// lookEvery is how often a drain checks whether the clients are done.
	lookEvery = 50 * time.Millisecond
	// goneFor is how long no client must have been connected to end a drain. It is not
	// 0, because a client that opens a connection for each call has none between two.
	goneFor = 500 * time.Millisecond
	// leaveFor is how long a deregistration may take, so that a registry that does not
	// answer cannot hold up the end.
	leaveFor = 5 * time.Second
)

// drain ends a standalone sidecar. The signal that ends it most likely ends the
// application too, which still makes calls as it shuts down. So health checks are
// told at once, but the doors stay open until the clients are done. When ctx ends,
// the calls that are left are cut.
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

// linger returns when no client has been connected for goneFor, when no call has run
// for quiet, or when ctx ends.
func linger(ctx context.Context, now func() lift.Instant, quiet time.Duration, traffic func() socket.Traffic) {
	look := time.NewTicker(lookEvery)
	defer look.Stop()
	began := traffic().Begun
	there, called := now(), now() // when a client was last connected, and when a call last ran
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

// announce makes health checks at all doors report that they are about to close.
func (all doors) announce() {
	for _, d := range all {
		if s := d.now(); s != nil {
			s.Announce()
		}
	}
}

// drain drains all doors at the same time.
func (all doors) drain(ctx context.Context) {
	var work sync.WaitGroup
	for _, d := range all {
		work.Go(func() { d.drain(ctx) })
	}
	work.Wait()
}

// drain waits until the running calls have ended or ctx has, and closes the door.
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
