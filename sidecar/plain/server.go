package plain

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"sync"
	"time"

	"github.com/liftmesh/lift"
	"github.com/liftmesh/lift/sidecar/socket"
)

// cutFor is how long calls that were cut at the end of a drain may take to say so.
const cutFor = 250 * time.Millisecond

// Server is the plain door. Safe for concurrent use.
type Server struct {
	cfg     Config
	gate    *socket.Gate
	http    *http.Server
	http2   *http.Server // of connections that turn out to speak HTTP/2
	toHTTP2 *handover
	tunnels *handover               // connections that CONNECT has made a service's own
	all     context.Context         // of all requests
	cancel  context.CancelCauseFunc // of all
	buffers buffers

	mu        sync.Mutex
	places    []*place
	serving   bool
	closed    bool
	listeners sync.WaitGroup
	failed    chan error
	done      chan struct{}

	calls    sync.Mutex
	running  int
	begun    uint64
	cut      uint64 // calls that ran when the time of a drain was up
	leaving  bool   // health checks are told
	draining bool
	idle     chan struct{} // closed once draining and nothing runs
}

// place is one address.
type place struct {
	Address
	socket   *socket.Socket // nil for TCP
	listener net.Listener
	strayed  bool // Recheck has said that the socket is lost
}

// Listen opens all addresses, or none. Peers can connect from then on; they are
// answered once [Server.Serve] runs. It fails, in words that say what to do, if
// an address is not on the loopback or in use, or if a socket cannot be made.
func Listen(cfg Config) (*Server, error) {
	if err := cfg.fill(); err != nil {
		return nil, err
	}
	s := newServer(cfg)
	for _, a := range cfg.Addresses {
		p := &place{Address: a}
		if err := s.open(p); err != nil {
			s.Close()
			return nil, err
		}
		s.places = append(s.places, p)
	}
	return s, nil
}

// newServer is a server without addresses; cfg is filled.
func newServer(cfg Config) *Server {
	s := &Server{cfg: cfg, failed: make(chan error, len(cfg.Addresses)), done: make(chan struct{}), idle: make(chan struct{})}
	s.gate = cfg.Bounds.gate
	all, cancel := context.WithCancelCause(context.Background())
	s.all, s.cancel = all, cancel
	s.http2, s.toHTTP2 = s.newHTTP2(all), newHandover()
	s.tunnels = newHandover()
	s.http = &http.Server{
		Handler:                      s,
		MaxHeaderBytes:               cfg.Limits.MaxHeader,
		DisableGeneralOptionsHandler: true, // OPTIONS * is the service's to answer
		BaseContext:                  func(net.Listener) context.Context { return all },
		ConnContext:                  withConn,
		ErrorLog:                     slog.NewLogLogger(cfg.Log.Handler(), slog.LevelDebug),
		Protocols:                    new(http.Protocols),
	}
	s.http.Protocols.SetHTTP1(true)
	return s
}

// open makes a place's listener.
func (s *Server) open(p *place) error {
	var l net.Listener
	if p.Network == "unix" {
		if p.socket == nil {
			sock, err := socket.New("plain", p.Addr, s.cfg.Mode, s.cfg.Group)
			if err != nil {
				return err
			}
			p.socket = sock
		}
		made, err := p.socket.Listen()
		if err != nil {
			return err
		}
		l = made
	} else {
		var lc net.ListenConfig
		made, err := lc.Listen(context.Background(), "tcp", p.Addr)
		if err != nil {
			return fmt.Errorf("the plain door cannot listen on %s: %w; choose another port, or stop what has it", p.Addr, err)
		}
		l = made
	}
	p.listener = s.wrap(l, p.Service)
	return nil
}

// wrap has a listener's connections counted, and know whom they call.
func (s *Server) wrap(l net.Listener, service string) net.Listener {
	return &inbound{Listener: s.gate.Wrap(l), service: service}
}

// Serve answers until ctx ends or [Server.Close] is called, and returns nil then.
// It is called once. When it returns the server is closed.
func (s *Server) Serve(ctx context.Context) error {
	s.mu.Lock()
	if s.serving {
		s.mu.Unlock()
		return errors.New("plain: Serve was called twice")
	}
	if s.closed {
		s.mu.Unlock()
		return nil
	}
	s.serving = true
	s.serveHTTP2()
	s.serveTunnels()
	for _, p := range s.places {
		if p.listener != nil { // else a drain has begun already
			s.serveLocked(p, p.listener)
		}
	}
	s.mu.Unlock()

	return socket.Until(ctx, s.cfg.RecheckEvery, s.Recheck, s.Close, s.done, s.failed)
}

// serveLocked answers at a place in the background.
func (s *Server) serveLocked(p *place, l net.Listener) {
	s.listeners.Go(func() {
		err := s.http.Serve(l)
		s.mu.Lock()
		current := p.listener == l && !s.closed
		s.mu.Unlock()
		if current && !errors.Is(err, http.ErrServerClosed) {
			s.failed <- fmt.Errorf("the plain door at %s: %w", p.Address, err)
		}
	})
}

// Recheck looks whether the unix sockets are still there and makes anew what was
// removed. Connections that are open go on. Changes of state are logged.
func (s *Server) Recheck() {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, p := range s.places {
		if s.closed || p.socket == nil || p.listener == nil || p.socket.Here() {
			continue
		}
		old := p.listener
		if err := s.open(p); err != nil {
			if !p.strayed {
				p.strayed = true
				s.cfg.Log.Error("a socket of the plain door is gone and cannot be made anew", "socket", p.Addr, "err", err)
			}
			continue
		}
		p.strayed = false
		if s.serving {
			s.serveLocked(p, p.listener)
		}
		_ = old.Close()
		s.cfg.Log.Warn("a socket of the plain door was gone and has been made anew", "socket", p.Addr)
	}
}

// Addrs returns where it listens, in the order of the addresses.
func (s *Server) Addrs() []net.Addr {
	s.mu.Lock()
	defer s.mu.Unlock()
	addrs := make([]net.Addr, 0, len(s.places))
	for _, p := range s.places {
		if p.Network == "unix" {
			addrs = append(addrs, &net.UnixAddr{Name: p.Addr, Net: "unix"})
		} else if p.listener != nil {
			addrs = append(addrs, p.listener.Addr())
		}
	}
	return addrs
}

// begin admits one call, or says why not.
func (s *Server) begin(service string) *lift.Error {
	s.calls.Lock()
	defer s.calls.Unlock()
	if s.draining {
		return &lift.Error{Code: lift.Draining, Service: service, Err: errors.New("the sidecar is shutting down and takes no new calls")}
	}
	if !s.cfg.Bounds.take() {
		return &lift.Error{Code: lift.Busy, Service: service, Err: fmt.Errorf(
			"the plain door has its limit of %d calls open; send fewer at once, or raise limits.calls", s.cfg.Limits.MaxCalls)}
	}
	s.running++
	s.begun++
	return nil
}

// finish is the end of what begin admitted.
func (s *Server) finish() {
	s.calls.Lock()
	defer s.calls.Unlock()
	s.cfg.Bounds.give()
	s.running--
	s.checkIdleLocked()
}

func (s *Server) checkIdleLocked() {
	if !s.draining || s.running > 0 {
		return
	}
	select {
	case <-s.idle:
	default:
		close(s.idle)
	}
}

// isLeaving reports whether health checks are told that the door is about to go.
func (s *Server) isLeaving() bool {
	s.calls.Lock()
	defer s.calls.Unlock()
	return s.leaving
}

// Announce has /healthz say that the door is about to go. Everything else goes on:
// peers come in, and their calls are taken, until [Server.Drain].
func (s *Server) Announce() {
	s.calls.Lock()
	defer s.calls.Unlock()
	s.leaving = true
}

// Traffic returns what goes on at this moment.
func (s *Server) Traffic() socket.Traffic {
	s.calls.Lock()
	defer s.calls.Unlock()
	return socket.Traffic{Peers: s.gate.Peers(), Running: s.running, Begun: s.begun, Cut: s.cut}
}

// Drain takes no new peers and no new calls (they get [lift.Draining]), waits
// until the running calls have ended or ctx has, and closes the server. It
// returns ctx's error if calls were cut.
func (s *Server) Drain(ctx context.Context) error {
	s.shut()
	s.calls.Lock()
	s.leaving, s.draining = true, true
	s.checkIdleLocked()
	s.calls.Unlock()
	// Peers of HTTP/2 are told at once; what they send from then on is not looked
	// at, and they know it.
	gone := make(chan struct{})
	waiting, leave := context.WithCancel(context.WithoutCancel(ctx))
	go func() {
		defer close(gone)
		_ = s.http2.Shutdown(waiting) // until all have hung up
	}()
	var err error
	select {
	case <-s.idle:
	case <-ctx.Done():
		err = ctx.Err()
		s.calls.Lock()
		s.cut = uint64(s.running) //nolint:gosec // never negative
		s.calls.Unlock()
		s.cancel(&lift.Error{Code: lift.Draining, Err: errors.New("the sidecar is shutting down, and the time for running calls is up")})
	}
	// Answers leave; peers that are silent are hung up on.
	flush, stop := context.WithTimeout(context.WithoutCancel(ctx), cutFor)
	defer stop()
	_ = s.http.Shutdown(flush)
	select {
	case <-gone:
	case <-flush.Done():
	}
	s.Close()
	leave()
	<-gone
	return err
}

// shut closes the ways in.
func (s *Server) shut() {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, p := range s.places {
		if p.listener == nil {
			continue
		}
		l := p.listener
		p.listener = nil
		if p.socket != nil {
			p.socket.Remove()
		}
		_ = l.Close()
	}
}

// Close removes the sockets, cancels the running calls and closes all
// connections. Closing twice does nothing.
func (s *Server) Close() {
	s.shut()
	s.mu.Lock()
	if s.closed {
		s.mu.Unlock()
		<-s.done
		return
	}
	s.closed = true
	s.mu.Unlock()
	s.cancel(&lift.Error{Code: lift.Draining, Err: errors.New("the sidecar is shutting down")})
	_ = s.http.Close()
	_ = s.http2.Close()
	_ = s.toHTTP2.Close()
	_ = s.tunnels.Close()
	s.listeners.Wait()
	close(s.done)
}
