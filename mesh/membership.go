package mesh

import (
	"context"
	"fmt"
	"runtime/debug"
	"sync"
	"time"

	"github.com/liftmesh/lift"
	"github.com/liftmesh/lift/balancer"
	"github.com/liftmesh/lift/registry"
	"github.com/liftmesh/lift/resilience"
)

// keepGone is how long the verdict on an endpoint that left is kept. A broken endpoint
// that leaves and comes back must not look healthy.
const keepGone = 60 * time.Second

// watch follows the registry until ctx ends. If the registry panics or its watch ends,
// watch starts another one after a second.
func (s *Service) watch(ctx context.Context) {
	for ctx.Err() == nil {
		s.watchOnce(ctx)
		t := time.NewTimer(time.Second)
		select {
		case <-ctx.Done():
		case <-t.C:
		}
		t.Stop()
	}
}

func (s *Service) watchOnce(ctx context.Context) {
	defer func() {
		if p := recover(); p != nil {
			s.log.Error("panic in a registry, contained", "panic", fmt.Sprint(p), "stack", string(debug.Stack()))
		}
	}()
	cfg := s.config()
	for set, err := range cfg.Registry.Watch(ctx, cfg.Lookup) {
		if err != nil {
			s.failed(ctx, err)
			continue
		}
		s.apply(ctx, set)
	}
}

// failed notes that the registry failed; the last set stays in use.
func (s *Service) failed(ctx context.Context, err error) {
	s.mu.Lock()
	current := ctx.Err() == nil // else another source is watched by now
	first := current && s.watchErr == nil
	if current {
		s.watchErr = err
	}
	s.mu.Unlock()
	if first {
		s.log.Warn("the registry fails; the last set stays in use", "error", err.Error())
	}
}

// apply makes set the membership. Endpoints that stay keep their memory, those
// that left keep their verdict for a while. ctx is the watch's: once it has ended,
// another source may be watched, and set is ignored.
func (s *Service) apply(ctx context.Context, set []lift.Endpoint) {
	now := s.o.Now()
	s.mu.Lock()
	defer s.mu.Unlock()
	if ctx.Err() != nil {
		return
	}
	if s.watchErr != nil {
		s.watchErr = nil
		s.log.Info("the registry is back")
	}
	s.told = now
	nodes := make([]*balancer.Node, 0, len(set))
	peers := make([]*resilience.Peer, 0, len(set))
	in := make(map[string]bool, len(set))
	for _, ep := range set {
		if in[ep.Key()] {
			s.log.Warn("the registry returned an endpoint twice; the first one is used", "endpoint", ep.Key())
			continue
		}
		in[ep.Key()] = true
		m := s.member(ep)
		nodes, peers = append(nodes, m.node), append(peers, m.peer)
	}
	for key, m := range s.members {
		switch {
		case in[key]:
		case m.gone.IsZero():
			m.gone = now
			m.upstream().retire()
		case now.Since(m.gone) > keepGone:
			delete(s.members, key)
		}
	}
	s.outliers.Replace(peers)
	s.balancer.Replace(nodes)
	s.log.Info("endpoints", "count", len(nodes))
}

// member returns the memory of ep, old or new. If the address under an id has changed,
// it is another endpoint.
func (s *Service) member(ep lift.Endpoint) *member {
	m := s.members[ep.Key()]
	if m != nil && m.node.Endpoint().Addr != ep.Addr {
		m.gone = s.o.Now()
		m.upstream().retire()
		m = nil
	}
	if m == nil {
		m = s.newMember(ep)
		s.members[ep.Key()] = m
		return m
	}
	m.node.Update(ep)
	if !m.gone.IsZero() {
		m.gone = lift.Instant{}
		m.open(s.config())
	}
	return m
}

func (s *Service) current() []*member {
	s.mu.Lock()
	defer s.mu.Unlock()
	all := make([]*member, 0, len(s.members))
	for _, m := range s.members {
		if m.gone.IsZero() {
			all = append(all, m)
		}
	}
	return all
}

// warm waits for the first set and opens the configured warm connections, until ctx or
// the service ends.
func (s *Service) warm(ctx context.Context) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	stop := context.AfterFunc(s.ctx, cancel)
	defer stop()
	select {
	case <-s.balancer.First():
	case <-ctx.Done():
		return
	}
	warm := s.config().Warm
	if warm <= 0 {
		return
	}
	var wg sync.WaitGroup
	for _, m := range s.current() {
		wg.Go(func() {
			// An error shows again when the endpoint is called.
			_ = m.upstream().Warm(ctx, warm)
		})
	}
	wg.Wait()
}

// prepare reads certificates now, so that the first TLS handshake need not wait for them.
func (s *Service) prepare() {
	if secure := s.config().Transport.TLS; secure != nil {
		_ = secure.Prepare() // an error shows again in the first handshake
	}
}

func (s *Service) thaw() {
	if r, ok := s.config().Registry.(registry.Thawer); ok {
		r.Thawed()
	}
	for _, m := range s.current() {
		m.upstream().Thaw()
	}
}

func (s *Service) close() {
	for _, m := range s.current() {
		m.upstream().Close()
	}
}
