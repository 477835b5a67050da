package mesh

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"reflect"
	"slices"

	"github.com/liftmesh/lift/balancer"
	"github.com/liftmesh/lift/registry"
)

// Marks represent settings, so that a reload can tell what has changed: the settings
// themselves hold functions and pointers that cannot be compared. Equal marks mean
// equal settings; an empty mark is equal to none, not even to another empty one.
type Marks struct {
	// All stands for all settings of the service.
	All string
	// Source stands for Registry and Lookup.
	Source string
	// Transport stands for Transport and Sign.
	Transport string
}

// Changes lists the names of the services that a reload changed, each list sorted.
type Changes struct{ Added, Changed, Removed []string }

// None reports whether the reload changed nothing.
func (c Changes) None() bool { return len(c.Added)+len(c.Changed)+len(c.Removed) == 0 }

// Reload replaces the services that can be called, while calls are running. No call
// fails because of it:
//
//   - A service whose mark is the same is not touched.
//   - One that has changed gets a new stack over the same memory: the budget keeps
//     what it saved; endpoints that stay keep their connections and their verdict,
//     unless Marks.Transport changed, and the watch goes on, unless the source
//     changed. The old set stays in use until the new source reports its first one.
//   - One that was removed ends after its running calls. New ones are unknown.
//
// If anything is broken, Reload changes nothing and returns all that is wrong.
func (m *Mesh) Reload(services []ServiceConfig) (Changes, error) {
	m.reload.Lock()
	defer m.reload.Unlock()
	if m.closed {
		return Changes{}, errors.New("the mesh is closed")
	}
	var broken []error
	wanted := make(map[string]ServiceConfig, len(services))
	for _, cfg := range services {
		cfg = cfg.withDefaults()
		if cfg.Broken != nil {
			broken = append(broken, fmt.Errorf("service %s: %w", cfg.Name, cfg.Broken))
		}
		wanted[cfg.Name] = cfg
	}
	if len(broken) > 0 {
		return Changes{}, errors.Join(broken...)
	}

	// Nothing below can fail.
	var ch Changes
	old := m.table.Load().services
	next := make(map[string]*Service, len(wanted))
	for _, name := range slices.Sorted(maps.Keys(wanted)) {
		cfg, s := wanted[name], old[name]
		switch {
		case s == nil:
			ch.Added = append(ch.Added, name)
			s = m.newService(cfg)
			m.start(s)
		case !same(s.config().Marks.All, cfg.Marks.All):
			ch.Changed = append(ch.Changed, name)
			if s.change(cfg) {
				m.start(s)
			}
		}
		next[name] = s
	}
	m.table.Store(newTable(next, nil))
	for _, name := range slices.Sorted(maps.Keys(old)) {
		if next[name] == nil {
			ch.Removed = append(ch.Removed, name)
			old[name].calls.retire()
		}
	}
	for _, name := range slices.Concat(ch.Added, ch.Changed) {
		s := next[name]
		s.warming.start(&m.work, s.log, func() { s.warm(s.ctx) })
	}
	return ch, nil
}

// start starts a watch for s, and ends the one before.
func (m *Mesh) start(s *Service) {
	ctx, stop := context.WithCancel(s.ctx)
	if s.unwatch != nil {
		s.unwatch()
	}
	s.unwatch = stop
	m.work.Go(func() { s.watch(ctx) })
}

// change gives the service new settings over its old memory. It reports whether the
// source has changed, so that a new watch is needed.
func (s *Service) change(cfg ServiceConfig) (source bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	old := s.config()
	s.budget.Change(cfg.Retry.Budget)
	s.outliers.Change(cfg.Breaker)
	s.settings.Store(s.build(cfg))
	if cfg.Balancer != old.Balancer {
		s.balancer.Use(cfg.Balancer)
	}
	ways := !same(old.Marks.Transport, cfg.Marks.Transport)
	for _, m := range s.members {
		m.breaker.Change(cfg.Breaker)
		m.build(&cfg)
		if !ways {
			continue
		}
		if m.gone.IsZero() {
			m.open(&cfg)
		}
		// The cause may have been in the old settings, such as a TLS name.
		m.breaker.Forget("it is reached in another way since a reload")
		m.node.Resume(balancer.Outlier, "it is reached in another way since a reload")
	}
	if old.Broken != nil {
		return true
	}
	source = !same(old.Marks.Source, cfg.Marks.Source) && !sameSource(old, &cfg)
	if source {
		s.watchErr = nil // the old one's
	}
	return source
}

func same(a, b string) bool { return a != "" && a == b }

// sameSource compares settings without marks, as programs make them: the source is the
// same if the registry and the name are.
func sameSource(a, b *ServiceConfig) bool {
	return a.Marks.Source == "" && b.Marks.Source == "" && a.Lookup == b.Lookup && identical(a.Registry, b.Registry)
}

func identical(a, b registry.Registry) bool {
	return a != nil && b != nil && reflect.TypeOf(a).Comparable() && a == b
}
