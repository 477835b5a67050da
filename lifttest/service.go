package lifttest

import (
	"fmt"
	"net/http"
	"slices"
	"sync"
	"time"

	"github.com/liftmesh/lift"
	"github.com/liftmesh/lift/internal/pipenet"
	"github.com/liftmesh/lift/registry/registrytest"
)

// Service is a service of a test. Safe for concurrent use.
type Service struct {
	mesh     *Mesh
	name     string
	handler  http.Handler
	registry *registrytest.Fake

	mu        sync.Mutex
	endpoints []*Endpoint // including those that left
}

// Endpoint returns the i-th endpoint of the service, counted from 0. Endpoints that
// have left count too.
func (s *Service) Endpoint(i int) *Endpoint {
	s.mu.Lock()
	defer s.mu.Unlock()
	if i < 0 || i >= len(s.endpoints) {
		s.mesh.t.Fatalf("the service %q has %d endpoints, there is no %d", s.name, len(s.endpoints), i)
	}
	return s.endpoints[i]
}

// Endpoints returns the endpoints that serve now, the oldest first.
func (s *Service) Endpoints() []*Endpoint {
	s.mu.Lock()
	defer s.mu.Unlock()
	var serving []*Endpoint
	for _, e := range s.endpoints {
		if !e.gone {
			serving = append(serving, e)
		}
	}
	return serving
}

// Add adds an endpoint. It returns once the engine knows the endpoint.
func (s *Service) Add() *Endpoint {
	e := s.grow()
	s.tell()
	s.await()
	return e
}

// Remove takes e out of the registry, and returns once the engine has noticed. Running
// calls at e go on.
func (s *Service) Remove(e *Endpoint) {
	s.mu.Lock()
	e.gone = true
	s.mu.Unlock()
	s.tell()
	s.await()
}

// RegistryFails makes the registry fail with err until the next Add or Remove.
func (s *Service) RegistryFails(err error) { s.registry.Fail(err) }

func (s *Service) grow() *Endpoint {
	s.mu.Lock()
	defer s.mu.Unlock()
	e := &Endpoint{service: s, addr: fmt.Sprintf("%s-%d:80", s.name, len(s.endpoints))}
	e.host = pipenet.NewHost(e)
	s.endpoints = append(s.endpoints, e)
	s.mesh.mu.Lock()
	defer s.mesh.mu.Unlock()
	if old := s.mesh.hosts[e.addr]; old != nil {
		old.host.Kill() // of the service of this name that is being replaced
	}
	s.mesh.hosts[e.addr] = e
	return e
}

func (s *Service) tell() {
	set := []lift.Endpoint{}
	for _, e := range s.Endpoints() {
		set = append(set, lift.Endpoint{Addr: e.addr})
	}
	s.registry.Set(set...)
}

// await waits until the engine, which watches the registry in a goroutine of its own,
// has the current set. It gives up after a second, since another service may have
// taken the name.
func (s *Service) await() {
	for range 1000 {
		if s.isKnown() {
			return
		}
		<-time.After(time.Millisecond)
	}
}

func (s *Service) isKnown() bool {
	set := s.Endpoints()
	known := s.mesh.engine.Service(s.name).Snapshot()
	if known.Endpoints == nil || len(known.Endpoints) != len(set) {
		return false
	}
	for _, e := range known.Endpoints {
		if !slices.ContainsFunc(set, func(o *Endpoint) bool { return o.addr == e.Addr }) {
			return false
		}
	}
	return true
}
