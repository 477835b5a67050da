package main

import (
	"context"
	"sync"
	"time"

	"github.com/liftmesh/lift/registry"
)

const (
	// announceMost is for one try to announce the program.
	announceMost = 10 * time.Second
	// announceAgain and announceSeldom are the waits between tries, which double.
	announceAgain, announceSeldom = time.Second, 30 * time.Second
)

// announcing gives the sidecar the registrar that the configuration names, and
// returns what announces the program beside us, if register: says so. The first
// deed of a drain is to take back what is announced.
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
			p.log.Error("taking back what is announced", "error", err.Error())
		}
	})
	return func() {
		if p.cfg.Register == nil {
			return
		}
		work.Go(func() {
			defer p.contain("announcing the program")
			p.announce(ctx, r, func(ctx context.Context) (registry.Instance, error) { return p.cfg.Register.Instance(ctx, client) })
		})
	}
}

// announce tries until the registrar has taken the instance.
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
			p.log.Error("announcing the program; trying again", "error", said)
		}
		t := time.NewTimer(wait)
		select {
		case <-t.C:
		case <-ctx.Done():
		}
		t.Stop()
	}
}
