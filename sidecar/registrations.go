package sidecar

import (
	"context"
	"errors"
	"fmt"
	"runtime/debug"
	"sync"
	"time"

	"github.com/liftmesh/lift"
	"github.com/liftmesh/lift/internal/wire"
	liftv1 "github.com/liftmesh/lift/proto/lift/v1"
	"github.com/liftmesh/lift/registry"
	"github.com/liftmesh/lift/sidecar/socket"
)

const (
	// maxRegistrations is how many instances may be announced at once.
	maxRegistrations = 256
	// lostFor is how long an instance stays announced whose application is gone: a
	// session that breaks and comes back must not make it vanish.
	lostFor = 10 * time.Second
	// leaveFor is how long taking one back may take.
	leaveFor = 5 * time.Second
)

// registrations are the instances that applications have announced through this
// sidecar. Safe for concurrent use.
type registrations struct {
	cfg    *Config
	turn   chan struct{} // held while the registrar is asked, so that answers keep their order
	ctx    context.Context
	cancel context.CancelFunc
	work   sync.WaitGroup
	gone   chan struct{} // closed once all are taken back, after leave

	mu      sync.Mutex
	owners  map[string]*socket.Peer // by id; nil for a peer that is no connection of the gate's
	timers  map[string]*time.Timer
	leaving bool
}

func newRegistrations(cfg *Config) *registrations {
	r := &registrations{
		cfg: cfg, turn: make(chan struct{}, 1), gone: make(chan struct{}),
		owners: map[string]*socket.Peer{}, timers: map[string]*time.Timer{},
	}
	r.ctx, r.cancel = context.WithCancel(context.Background())
	return r
}

// Register implements the announcing of an instance.
func (d *door) Register(ctx context.Context, req *liftv1.RegisterRequest) (out *liftv1.RegisterResponse, err error) {
	defer func() {
		if p := recover(); p != nil {
			out, err = nil, d.rpcPanicked("Register", p)
		}
	}()
	i := wire.FromInstance(req.GetInstance())
	if err := d.held.register(ctx, i, connOf(ctx)); err != nil {
		return nil, wire.Status(err, i.Service, d.cfg.Now())
	}
	return &liftv1.RegisterResponse{}, nil
}

// Deregister implements the taking back of an instance.
func (d *door) Deregister(ctx context.Context, req *liftv1.DeregisterRequest) (out *liftv1.DeregisterResponse, err error) {
	defer func() {
		if p := recover(); p != nil {
			out, err = nil, d.rpcPanicked("Deregister", p)
		}
	}()
	if err := d.held.deregister(ctx, req.GetId(), nil); err != nil {
		return nil, wire.Status(err, "", d.cfg.Now())
	}
	return &liftv1.DeregisterResponse{}, nil
}

func (r *registrations) register(ctx context.Context, i registry.Instance, owner *socket.Peer) error {
	if r.cfg.Registrar == nil {
		return &lift.Error{Code: lift.Misconfigured, Service: i.Service, Err: errors.New(
			`the sidecar has no registry to announce instances in; name one in its lift.yaml, such as registry: {consul: {address: "http://127.0.0.1:8500"}}`)}
	}
	if err := i.Validate(); err != nil {
		return &lift.Error{Code: lift.InvalidCall, Service: i.Service, Err: err}
	}
	if err := r.take(ctx); err != nil {
		return err
	}
	defer func() { <-r.turn }()
	r.mu.Lock()
	_, known := r.owners[i.ID]
	leaving, full := r.leaving, !known && len(r.owners) >= maxRegistrations
	r.mu.Unlock()
	switch {
	case leaving:
		return &lift.Error{Code: lift.Draining, Service: i.Service, Err: errors.New("the sidecar is shutting down and announces nobody")}
	case full:
		return &lift.Error{Code: lift.Busy, Service: i.Service, Err: fmt.Errorf("the sidecar announces its limit of %d instances", maxRegistrations)}
	}
	if err := r.cfg.Registrar.Register(ctx, i); err != nil {
		return asked(ctx, i.Service, "the registry has not taken the instance", err)
	}
	r.mu.Lock()
	r.owners[i.ID] = owner
	r.forgetTimer(i.ID)
	r.mu.Unlock()
	r.cfg.Log.Info("instance announced", "id", i.ID, "service", i.Service, "addr", i.Addr)
	if owner != nil {
		owner.OnClose(func() { r.lost(i.ID, owner) })
	}
	return nil
}

// deregister takes id back; with an owner, only if it is still that one's.
func (r *registrations) deregister(ctx context.Context, id string, owner *socket.Peer) error {
	if r.cfg.Registrar == nil {
		return nil // so nothing was announced
	}
	if err := r.take(ctx); err != nil {
		return err
	}
	defer func() { <-r.turn }()
	r.mu.Lock()
	now, known := r.owners[id]
	r.mu.Unlock()
	if !known || owner != nil && now != owner {
		return nil
	}
	if err := r.cfg.Registrar.Deregister(ctx, id); err != nil {
		return asked(ctx, "", "the registry has not taken the instance back", err)
	}
	r.mu.Lock()
	delete(r.owners, id)
	r.forgetTimer(id)
	r.mu.Unlock()
	r.cfg.Log.Info("instance taken back", "id", id)
	return nil
}

// take waits for the turn.
func (r *registrations) take(ctx context.Context) error {
	select {
	case r.turn <- struct{}{}:
		return nil
	case <-ctx.Done():
		return asked(ctx, "", "another registration still waits for the registry", ctx.Err())
	}
}

// asked makes what came of asking the registry a [*lift.Error].
func asked(ctx context.Context, service, what string, err error) error {
	if e, ok := errors.AsType[*lift.Error](err); ok {
		return e
	}
	code := lift.Unavailable
	if cause := ctx.Err(); cause != nil {
		code = wire.Canceled(cause)
	}
	return &lift.Error{Code: code, Service: service, Err: fmt.Errorf("%s: %w", what, err)}
}

// lost hears that the connection is gone by which id was announced.
func (r *registrations) lost(id string, owner *socket.Peer) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.leaving || r.owners[id] != owner {
		return
	}
	r.forgetTimer(id)
	r.timers[id] = time.AfterFunc(lostFor, func() {
		r.mu.Lock()
		leaving := r.leaving
		if !leaving {
			r.work.Add(1)
		}
		r.mu.Unlock()
		if !leaving {
			defer r.work.Done()
			r.takeBack(id, owner)
		}
	})
}

// forgetTimer ends the wait for id's application. mu is held.
func (r *registrations) forgetTimer(id string) {
	if t := r.timers[id]; t != nil {
		t.Stop()
		delete(r.timers, id)
	}
}

// takeBack is deregister for where nobody waits for the error.
func (r *registrations) takeBack(id string, owner *socket.Peer) {
	defer func() {
		if p := recover(); p != nil {
			r.cfg.Log.Error("a registrar panicked, contained", "panic", fmt.Sprint(p), "stack", string(debug.Stack()))
		}
	}()
	ctx, cancel := context.WithTimeout(r.ctx, leaveFor)
	defer cancel()
	if err := r.deregister(ctx, id, owner); err != nil {
		r.cfg.Log.Warn("an instance could not be taken back; the registry's check has to find it", "id", id, "error", err.Error())
	}
}

// leave begins to take all back, once. Nothing is announced from now on.
func (r *registrations) leave() {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.leaving {
		return
	}
	r.leaving = true
	r.work.Go(func() {
		defer close(r.gone)
		ctx, cancel := context.WithTimeout(r.ctx, leaveFor)
		defer cancel()
		if r.take(ctx) == nil { // what was just being announced is known now
			<-r.turn
		}
		r.mu.Lock()
		var all sync.WaitGroup
		for id := range r.owners {
			r.forgetTimer(id)
			all.Go(func() { r.takeBack(id, nil) })
		}
		r.mu.Unlock()
		all.Wait()
	})
}

// left waits until all are taken back, or ctx ends. leave was called.
func (r *registrations) left(ctx context.Context) {
	select {
	case <-r.gone:
	case <-ctx.Done():
	}
}

// close ends what runs.
func (r *registrations) close() {
	r.mu.Lock()
	r.leaving = true
	for id := range r.timers {
		r.forgetTimer(id)
	}
	r.mu.Unlock()
	r.cancel()
	r.work.Wait()
}
