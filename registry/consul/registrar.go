package consul

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"net"
	"strconv"
	"sync"

	"github.com/hashicorp/consul/api"

	"github.com/liftmesh/lift/registry"
)

// Registrar announces instances through Consul's agent. Lift itself checks each
// instance, from where Lift runs, and reports to Consul within a TTL. So Consul need
// not reach the instance, and an instance that dies together with its Lift becomes
// critical. Safe for concurrent use.
type Registrar struct {
	client *Client
	log    *slog.Logger

	mu   sync.Mutex
	kept map[string]*keeper
}

var _ registry.Registrar = (*Registrar)(nil)

// Registrar returns a registrar that logs changes of its instances' health; log may be
// nil. Close deregisters all of them.
func (c *Client) Registrar(log *slog.Logger) *Registrar {
	if log == nil {
		log = slog.New(slog.DiscardHandler)
	}
	return &Registrar{client: c, log: log, kept: make(map[string]*keeper)}
}

// Register implements [registry.Registrar]. It checks the instance and announces it
// with the result. From then on it keeps the result up to date, and announces the
// instance again if Consul has lost it.
func (r *Registrar) Register(ctx context.Context, i registry.Instance) error {
	if err := i.Validate(); err != nil {
		return err
	}
	k := r.client.newKeeper(i, r.log)
	if err := k.announce(ctx); err != nil {
		return err
	}
	r.mu.Lock()
	old := r.kept[i.ID]
	r.kept[i.ID] = k
	r.mu.Unlock()
	if old != nil {
		old.end()
	}
	k.start()
	return nil
}

// Deregister implements [registry.Registrar].
func (r *Registrar) Deregister(ctx context.Context, id string) error {
	r.mu.Lock()
	k := r.kept[id]
	delete(r.kept, id)
	r.mu.Unlock()
	if k != nil {
		k.end() // first, or it would find the instance lost and announce it again
	}
	err := r.client.api.Agent().ServiceDeregisterOpts(id, (&api.QueryOptions{}).WithContext(ctx))
	if err == nil || lost(err) {
		return nil
	}
	return r.client.explain(err, fmt.Sprintf("service:write on the service of %q", id))
}

// Close deregisters all instances. ctx limits the wait.
func (r *Registrar) Close(ctx context.Context) error {
	r.mu.Lock()
	ids := make([]string, 0, len(r.kept))
	for id := range r.kept {
		ids = append(ids, id)
	}
	r.mu.Unlock()
	errs := make([]error, len(ids))
	var work sync.WaitGroup
	for n, id := range ids {
		work.Go(func() { errs[n] = r.Deregister(ctx, id) })
	}
	work.Wait()
	r.client.transport.CloseIdleConnections()
	return errors.Join(errs...)
}

// registration returns i in Consul's form, with its current status.
func registration(i *registry.Instance, c check, status string) (*api.AgentServiceRegistration, error) {
	host, port, err := net.SplitHostPort(i.Addr)
	if err != nil {
		return nil, err
	}
	n, err := strconv.Atoi(port)
	if err != nil {
		return nil, err
	}
	meta := make(map[string]string, len(i.Meta)+1)
	maps.Copy(meta, i.Meta)
	if i.Zone != "" {
		meta[zoneMeta] = i.Zone
	}
	s := &api.AgentServiceRegistration{
		ID: i.ID, Name: i.Service, Tags: i.Tags, Address: host, Port: n, Meta: meta,
		Weights: &api.AgentWeights{Passing: max(i.Weight, 1), Warning: 1},
	}
	if c.ttl > 0 {
		s.Check = &api.AgentServiceCheck{
			CheckID: c.id, Name: "kept up by Lift", TTL: c.ttl.String(), Status: status,
		}
		if i.Check.RemoveAfter > 0 {
			// Consul looks every 30 s, and removes an instance after a minute at the
			// earliest.
			s.Check.DeregisterCriticalServiceAfter = i.Check.RemoveAfter.String()
		}
	}
	return s, nil
}
