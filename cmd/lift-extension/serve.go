package main

import (
	"context"
	"fmt"
	"sync"

	"github.com/liftmesh/lift/sidecar"
)

// serving is the socket while it is served. Inside Lambda it may be nil for a
// while, where the socket could not be opened; then it is tried again.
type serving struct {
	p      *program
	mu     sync.Mutex
	server *sidecar.Server
	failed chan error
}

// listen opens the socket and serves it.
func (p *program) listen(ctx context.Context) (*serving, error) {
	s := &serving{p: p, failed: make(chan error, 1)}
	err := s.open(ctx)
	return s, err
}

func (s *serving) open(ctx context.Context) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	server, err := sidecar.Listen(s.p.sidecar)
	if err != nil {
		return err
	}
	s.server = server
	go func() {
		err := s.run(ctx, server)
		s.mu.Lock()
		if s.server == server {
			s.server = nil // so that it is opened again
		}
		s.mu.Unlock()
		select {
		case s.failed <- err:
		default: // nobody waits inside Lambda
		}
	}()
	return nil
}

func (s *serving) run(ctx context.Context, server *sidecar.Server) (err error) {
	defer func() {
		if r := recover(); r != nil {
			err = fmt.Errorf("panic: %v", r)
		}
	}()
	return server.Serve(ctx)
}

// recheck sees to it that the socket is there: made anew if something removed
// it, opened if that failed before.
func (s *serving) recheck(ctx context.Context) {
	s.mu.Lock()
	server := s.server
	s.mu.Unlock()
	if server != nil {
		_ = server.Recheck() // it has logged
		return
	}
	if err := s.open(ctx); err == nil {
		s.p.log.Info("the socket is open now", "socket", s.p.cfg.Socket)
	}
}

// drain lets running calls end until ctx does, and closes the socket.
func (s *serving) drain(ctx context.Context) {
	s.mu.Lock()
	server := s.server
	s.mu.Unlock()
	if server == nil {
		return
	}
	if err := server.Drain(ctx); err != nil {
		s.p.log.Warn("calls were cut at the end of the drain", "error", err.Error())
	}
}

// close removes the socket, whatever still runs, if it is still there.
func (s *serving) close() {
	s.mu.Lock()
	server := s.server
	s.mu.Unlock()
	if server != nil {
		server.Close()
	}
}
