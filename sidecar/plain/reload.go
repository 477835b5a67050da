package plain

import "slices"

// Shut closes the ways in, for good. Connections that are open go on, until
// [Server.Drain] or [Server.Close].
func (s *Server) Shut() { s.shut() }

// List changes the names that the page of Lift itself lists.
func (s *Server) List(services []string) {
	s.calls.Lock()
	defer s.calls.Unlock()
	s.cfg.Services = slices.Clone(services)
}

// services is what List was told last.
func (s *Server) services() []string {
	s.calls.Lock()
	defer s.calls.Unlock()
	return s.cfg.Services
}
