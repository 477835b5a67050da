package main

import (
	"context"
	"sync"
	"time"

	"github.com/liftmesh/lift/registry"
)

const (
	// announceMost is how long one try to register the program may take.
	announceMost = 10 * time.Second
	// The wait between tries doubles from announceAgain to announceSeldom.
	announceAgain, announceSeldom = time.Second, 30 * time.Second
)

// announcing gives the sidecar the registrar that the configuration names, and
// returns a function that registers the program beside Lift, if the configuration has
// register:. A drain deregisters it first of all.
func (p *program) announcing() (start func()) {
	client := p.cfg.Consul()
	if client == nil {
		return func() {}
	}
	r := client.Registrar(p.log)
	p.sidecar.Registrar = r
	ctx, stop := context.WithCancel(context.Background())
	var work sync.WaitGroup
	p.leaving = append(p.leaving, func(ctx context.Context) {
		stop()
		work.Wait()
		if err := r.Close(ctx); err != nil {
			p.log.Error("deregistering failed", "error", err.Error())
		}
	})
	return func() {
		if p.cfg.Register == nil {
			return
		}
		work.Go(func() {
			defer p.contain("registering the program")
			p.announce(ctx, r, func(ctx context.Context) (registry.Instance, error) { return p.cfg.Register.Instance(ctx, client) })
		})
	}
}

// announce tries until the registrar has accepted the instance.
func (p *program) announce(ctx context.Context, r registry.Registrar, instance func(context.Context) (registry.Instance, error)) {
	said := ""
	for wait := announceAgain; ctx.Err() == nil; wait = min(2*wait, announceSeldom) {
		limited, cancel := context.WithTimeout(ctx, announceMost)
		i, err := instance(limited)
		if err == nil {
			err = r.Register(limited, i)
		}
		cancel()
		if err == nil || ctx.Err() != nil {
			return
		}
		if said != err.Error() {
			said = err.Error()
			p.log.Error("registering the program failed; trying again", "error", said)
		}
		t := time.NewTimer(wait)
		select {
		case <-t.C:
		case <-ctx.Done():
		}
		t.Stop()
	}
}
