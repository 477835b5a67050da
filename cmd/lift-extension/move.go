package main

import (
	"context"
	"errors"
	"slices"

	"github.com/liftmesh/lift/config"
	"github.com/liftmesh/lift/sidecar/plain"
)

// move is the change of doors that a reload makes.
type move struct {
	open    doors
	servers []server // behind open; nil where another door still has the address
	gone    doors
}

// prepare opens new addresses, so that a reload is refused before it changes anything
// if one cannot be opened. An address that only changes its service stays open until
// move.
func (s *stay) prepare(next *config.Config) (*move, error) {
	m := &move{}
	var failed []error
	wanted := s.movable(next, recheckEvery)
	for _, d := range wanted {
		if slices.ContainsFunc(s.in, func(old *door) bool { return old.at == d.at && old.name == d.name }) {
			continue
		}
		var server server
		if !slices.ContainsFunc(s.in, func(old *door) bool { return old.address == d.address }) {
			var err error
			if server, err = d.listen(); err != nil {
				failed = append(failed, err)
				continue
			}
		}
		m.open, m.servers = append(m.open, d), append(m.servers, server)
	}
	if len(failed) > 0 {
		m.undo()
		return nil, errors.Join(failed...)
	}
	for _, d := range s.in {
		if d.movable && !slices.ContainsFunc(wanted, func(other *door) bool { return d.at == other.at && d.name == other.name }) {
			m.gone = append(m.gone, d)
		}
	}
	return m, nil
}

// undo closes the servers that prepare has opened.
func (m *move) undo() {
	for _, server := range m.servers {
		if server != nil {
			server.Close()
		}
	}
}

// move closes and opens doors. Calls that came in by a door that closes go on.
func (s *stay) move(m *move) {
	for _, d := range m.gone {
		if server, ok := d.now().(interface{ Shut() }); ok {
			server.Shut()
		}
		s.in = slices.DeleteFunc(s.in, func(other *door) bool { return other == d })
		s.parting = append(s.parting, d)
		go s.part(d)
	}
	for i, d := range m.open {
		s.in = append(s.in, d)
		if m.servers[i] != nil {
			s.serve(d, m.servers[i])
		}
	}
	s.retry()
	s.show()
	for _, d := range s.in {
		if server, ok := d.now().(*plain.Server); ok {
			server.List(s.mesh.Names())
		}
	}
}

// part drains a door that was removed.
func (s *stay) part(d *door) {
	ctx, cancel := context.WithTimeout(context.Background(), s.cfg.Drain.Max)
	defer cancel()
	d.drain(ctx)
}

// retry opens closed doors. The reason why one stays closed is logged once.
func (s *stay) retry() {
	for _, d := range s.in {
		if d.now() != nil {
			continue
		}
		if server, ok := d.try(); ok {
			s.serve(d, server)
		}
	}
}

// left reports whether a door that ended had been removed, and forgets it.
func (s *stay) left(d *door) bool {
	i := slices.Index(s.parting, d)
	if i < 0 {
		return false
	}
	s.parting = slices.Delete(s.parting, i, i+1)
	return true
}
