package sidecar

import (
	"context"
	"errors"
	"fmt"
	"math"
	"net"
	"sync"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/health"
	"google.golang.org/grpc/health/grpc_health_v1"
	"google.golang.org/grpc/keepalive"

	"github.com/liftmesh/lift"
	liftv1 "github.com/liftmesh/lift/proto/lift/v1"
	"github.com/liftmesh/lift/sidecar/socket"
)

// Flow control of HTTP/2 below the sessions, in bytes. Both are fixed, since the
// sessions have credit of their own. The stream's is what one stalled peer can
// make us hold beyond that.
const (
	streamWindow = 128 << 10
	connWindow   = 1 << 20
)

// Server is the door of the Lift API. Safe for concurrent use.
type Server struct {
	cfg    Config
	socket *socket.Socket
	gate   *socket.Gate
	grpc   *grpc.Server
	health *health.Server
	door   *door

	mu        sync.Mutex
	listener  net.Listener // where new peers come in
	serving   bool
	closed    bool
	strayed   bool // Recheck has said that the socket is lost
	listeners sync.WaitGroup
	failed    chan error
	done      chan struct{}
}

// Listen opens the socket. Peers can connect from then on; they are answered once
// [Server.Serve] runs. It fails, in words that say what to do, if the path is too
// long or no socket, if another process that lives has it, or if its folder is
// missing and cannot be made, read-only or full.
func Listen(cfg Config) (*Server, error) {
	if err := cfg.fill(); err != nil {
		return nil, err
	}
	sock, err := socket.New("socket", cfg.Socket, cfg.Mode, cfg.Group)
	if err != nil {
		return nil, err
	}
	l, err := sock.Listen()
	if err != nil {
		return nil, err
	}
	s := newServer(cfg)
	s.socket = sock
	s.listener = s.gate.Wrap(l)
	return s, nil
}

// On is Listen on a listener that is open already, of whatever kind; Config's
// Socket, Mode and Group do not matter then. For tests in memory, and for sockets
// that a supervisor hands over.
func On(l net.Listener, cfg Config) (*Server, error) {
	if err := cfg.fill(); err != nil {
		return nil, err
	}
	s := newServer(cfg)
	s.listener = s.gate.Wrap(l)
	return s, nil
}

// newServer makes a server of a filled config, without a listener.
func newServer(cfg Config) *Server {
	s := &Server{cfg: cfg, failed: make(chan error, 1), done: make(chan struct{})}
	var once sync.Once
	s.gate = socket.NewGate(cfg.Limits.MaxPeers, func(int) {
		once.Do(func() {
			cfg.Log.Warn("more peers than the limit: further ones are refused", "limit", cfg.Limits.MaxPeers, "socket", cfg.Socket)
		})
	})
	s.door = newDoor(&s.cfg)
	s.health = health.NewServer()
	s.health.SetServingStatus(liftv1.Lift_ServiceDesc.ServiceName, grpc_health_v1.HealthCheckResponse_SERVING)
	s.grpc = grpc.NewServer(
		grpc.UnaryInterceptor(s.door.admitUnary),
		grpc.StreamInterceptor(s.door.admitStream),
		grpc.MaxConcurrentStreams(uint32(min(cfg.Limits.MaxCallsPerPeer, math.MaxInt32))), //nolint:gosec // bounded
		grpc.MaxRecvMsgSize(cfg.Limits.MaxBody+cfg.Limits.MaxHeader+(64<<10)),
		grpc.MaxHeaderListSize(64<<10),
		grpc.InitialWindowSize(streamWindow),
		grpc.InitialConnWindowSize(connWindow),
		grpc.ConnectionTimeout(cfg.Limits.HelloWithin),
		// No pings of our own: after a freeze they would close a connection whose
		// both ends were frozen together.
		grpc.KeepaliveParams(keepalive.ServerParameters{Time: math.MaxInt64, Timeout: math.MaxInt64}),
	)
	liftv1.RegisterLiftServer(s.grpc, s.door)
	grpc_health_v1.RegisterHealthServer(s.grpc, s.health)
	return s
}

// Serve answers until ctx ends or [Server.Close] is called, and returns nil then.
// It is called once. When it returns the server is closed.
func (s *Server) Serve(ctx context.Context) error {
	s.mu.Lock()
	if s.closed || s.serving {
		s.mu.Unlock()
		return errors.New("sidecar: Serve was called twice, or after Close")
	}
	s.serving = true
	if s.listener != nil { // else a drain has begun already
		s.serveLocked(s.listener)
	}
	s.mu.Unlock()

	return socket.Until(ctx, s.cfg.RecheckEvery, func() { _ = s.Recheck() }, s.Close, s.done, s.failed) // Recheck has logged
}

// serveLocked answers on l in the background.
func (s *Server) serveLocked(l net.Listener) {
	s.listeners.Go(func() {
		err := s.grpc.Serve(l)
		s.mu.Lock()
		current := s.listener == l && !s.closed
		s.mu.Unlock()
		if err != nil && current && !errors.Is(err, grpc.ErrServerStopped) {
			select {
			case s.failed <- fmt.Errorf("the socket %s: %w", s.cfg.Socket, err):
			default:
			}
		}
	})
}

// Recheck looks whether the socket is still there, which costs one stat, and
// makes it anew if it was removed, or replaced by what a dead process left.
// Sessions that are open go on. If another living process has taken the path it
// is left alone and the error names it. Changes of state are logged.
func (s *Server) Recheck() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed || s.socket == nil || s.listener == nil || s.socket.Here() {
		return nil
	}
	l, err := s.socket.Listen()
	if err != nil {
		if !s.strayed {
			s.strayed = true
			s.cfg.Log.Error("the socket is gone and cannot be made anew: new peers cannot come in", "socket", s.cfg.Socket, "err", err)
		}
		return err
	}
	s.strayed = false
	old := s.listener
	s.listener = s.gate.Wrap(l)
	if s.serving {
		s.serveLocked(s.listener)
	}
	_ = old.Close()
	s.cfg.Log.Warn("the socket was gone and has been made anew", "socket", s.cfg.Socket)
	return nil
}

// Announce tells health checks that the server is about to go, and begins to take
// back what applications have registered. Everything else goes on: peers come in,
// and their calls are taken, until [Server.Drain].
func (s *Server) Announce() {
	s.health.Shutdown()
	s.door.held.leave()
}

// Traffic returns what goes on at this moment.
func (s *Server) Traffic() socket.Traffic {
	return s.door.traffic().And(socket.Traffic{Peers: s.gate.Peers()})
}

// Drain takes no new peers and no new calls (they get [lift.Draining]), tells
// health checks and sessions so, waits until the running calls have ended or ctx
// has, and closes the server. It returns ctx's error if calls were cut.
func (s *Server) Drain(ctx context.Context) error {
	s.Announce()
	s.shut()
	err := s.door.drain(ctx)
	s.door.held.left(ctx)
	if err != nil {
		late, cancel := context.WithTimeout(context.WithoutCancel(ctx), cutFor)
		defer cancel()
		ctx = late
		s.door.stop(ctx, &lift.Error{
			Code: lift.Draining, Reached: lift.MayHaveActed,
			Err: errors.New("the sidecar is shutting down, and the time for running calls is up"),
		})
	}
	s.flush(ctx)
	s.Close()
	return err
}

const (
	// flushFor is how long the last frames may take to leave the process.
	flushFor = 250 * time.Millisecond
	// cutFor is how long the word that calls were cut may take. It fits into what
	// Lambda's SHUTDOWN leaves after the drain.
	cutFor = 100 * time.Millisecond
)

// flush gives what the sessions have sent the time to leave.
func (s *Server) flush(ctx context.Context) {
	out := make(chan struct{})
	go func() {
		defer close(out)
		s.grpc.GracefulStop()
	}()
	late := time.NewTimer(flushFor)
	defer late.Stop()
	select {
	case <-out:
	case <-ctx.Done():
	case <-late.C:
	}
}

// Shut closes the way in, for good. Sessions that are open go on, until
// [Server.Drain] or [Server.Close].
func (s *Server) Shut() { s.shut() }

func (s *Server) shut() {
	s.mu.Lock()
	defer s.mu.Unlock()
	l := s.listener
	s.listener = nil
	if l == nil {
		return
	}
	if s.socket != nil {
		s.socket.Remove()
	}
	_ = l.Close()
}

// Close removes the socket, cancels the running calls and closes all sessions. It
// returns when everything that the server started has ended, except calls that
// do not heed their cancellation. Closing twice does nothing.
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
	s.health.Shutdown()
	s.door.cut(&lift.Error{Code: lift.Draining, Err: errors.New("the sidecar is shutting down")})
	s.grpc.Stop()
	s.door.held.close()
	s.listeners.Wait()
	close(s.done)
}

// Addr returns the path of the socket.
func (s *Server) Addr() string { return s.cfg.Socket }
