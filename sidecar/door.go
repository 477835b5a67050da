package sidecar

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"runtime/debug"
	"slices"
	"sync"

	"google.golang.org/grpc"
	"google.golang.org/grpc/peer"

	"github.com/liftmesh/lift"
	"github.com/liftmesh/lift/internal/wire"
	liftv1 "github.com/liftmesh/lift/proto/lift/v1"
	"github.com/liftmesh/lift/sidecar/socket"
)

// ErrCallerVanished is the cause with which a call is canceled when the program
// that made it went away without a word: its session broke.
var ErrCallerVanished = errors.New("the caller vanished: its session to the sidecar broke")

// door is the lift.v1 service.
type door struct {
	liftv1.UnimplementedLiftServer
	cfg      *Config
	buffered budget // bytes of request bodies that nobody has read
	buffers  buffers
	held     *registrations

	mu       sync.Mutex
	running  int
	begun    uint64
	lost     uint64 // calls that ran when the time of a drain was up
	draining bool
	idle     chan struct{} // closed once draining and nothing runs
	sessions map[*session]struct{}
	tickets  map[string]*call
}

func newDoor(cfg *Config) *door {
	return &door{
		cfg:      cfg,
		buffered: budget{limit: int64(cfg.Limits.MaxBuffered)},
		held:     newRegistrations(cfg),
		idle:     make(chan struct{}),
		sessions: map[*session]struct{}{},
		tickets:  map[string]*call{},
	}
}

// begin admits one call, or says why not.
func (d *door) begin(service string) *lift.Error {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.draining {
		return &lift.Error{Code: lift.Draining, Service: service, Err: errors.New("the sidecar is shutting down and takes no new calls")}
	}
	if d.running >= d.cfg.Limits.MaxCalls {
		return &lift.Error{Code: lift.Busy, Service: service, Err: fmt.Errorf(
			"the sidecar has its limit of %d calls open; send fewer at once, or raise the limit", d.cfg.Limits.MaxCalls)}
	}
	d.running++
	d.begun++
	return nil
}

// finish is the end of what begin admitted.
func (d *door) finish() {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.running--
	d.checkIdleLocked()
}

// traffic is what runs, less the peers.
func (d *door) traffic() socket.Traffic {
	d.mu.Lock()
	defer d.mu.Unlock()
	return socket.Traffic{Running: d.running, Begun: d.begun, Cut: d.lost}
}

func (d *door) checkIdleLocked() {
	if !d.draining || d.running > 0 {
		return
	}
	select {
	case <-d.idle:
	default:
		close(d.idle)
	}
}

// drain refuses new calls, and waits for the running ones and for their answers
// to have left.
func (d *door) drain(ctx context.Context) error {
	all := d.refuse()
	for _, s := range all {
		s.goAway()
	}
	select {
	case <-d.idle:
	case <-ctx.Done():
		d.mu.Lock()
		d.lost = uint64(d.running) //nolint:gosec // never negative
		d.mu.Unlock()
		return ctx.Err()
	}
	for _, s := range all {
		s.w.Flush()
	}
	for _, s := range all {
		select {
		case <-s.ended:
		case <-ctx.Done():
			return nil // nothing was running
		}
	}
	return nil
}

// stop ends what runs in sessions, and lets each call say why until ctx ends.
func (d *door) stop(ctx context.Context, cause *lift.Error) {
	for _, s := range d.refuse() {
		s.stopAll(cause)
	}
	select {
	case <-d.idle:
	case <-ctx.Done():
	}
}

// refuse takes no new calls from now on, and returns the sessions that there are.
func (d *door) refuse() []*session {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.draining = true
	d.checkIdleLocked()
	return slices.Collect(maps.Keys(d.sessions))
}

// cut cancels what runs in sessions. Unary calls end with their connections.
func (d *door) cut(cause *lift.Error) {
	for _, s := range d.refuse() {
		s.cancelAll(cause)
	}
}

// contained calls the Caller and turns a panic, and answers that break its
// contract, into an error of this one call.
func (d *door) contained(c *lift.Call) (resp *lift.Response, err error) {
	defer func() {
		if p := recover(); p != nil {
			resp, err = nil, d.panicked(c, p)
		}
	}()
	resp, err = d.cfg.Caller.Call(c)
	if err == nil && resp == nil {
		err = lift.Errorf(c, lift.Internal, "neither an answer nor an error came back; this is a bug in Lift")
	}
	return resp, err
}

// panicked logs a panic and returns the error that the call ends with.
func (d *door) panicked(c *lift.Call, p any) *lift.Error {
	d.cfg.Log.Error("a call panicked; it alone fails", "service", c.Service, "panic", fmt.Sprint(p), "stack", string(debug.Stack()))
	return &lift.Error{
		Code: lift.Internal, Service: c.Service, Reached: lift.MayHaveActed,
		Err: fmt.Errorf("the call panicked inside the sidecar, which lives on; this is a bug in Lift: %v", p),
	}
}

// admitUnary refuses what comes by a connection beyond the limit.
func (d *door) admitUnary(ctx context.Context, req any, _ *grpc.UnaryServerInfo, next grpc.UnaryHandler) (any, error) {
	if refusal := d.admit(ctx); refusal != nil {
		service := ""
		if call, ok := req.(*liftv1.CallRequest); ok {
			service = call.GetService()
			refusal.Service = service
			var c lift.Call
			wire.Fill(&c, call, d.cfg.Now())
			d.refused(&c, refusal)
		}
		return nil, wire.Status(refusal, service, d.cfg.Now())
	}
	return next(ctx, req)
}

// admitStream is admitUnary for streams.
func (d *door) admitStream(srv any, stream grpc.ServerStream, _ *grpc.StreamServerInfo, next grpc.StreamHandler) error {
	if refusal := d.admit(stream.Context()); refusal != nil {
		return wire.Status(refusal, "", d.cfg.Now())
	}
	return next(srv, stream)
}

func (d *door) admit(ctx context.Context) *lift.Error {
	conn := connOf(ctx)
	if conn == nil || !conn.Refused() {
		return nil
	}
	return &lift.Error{Code: lift.Busy, Err: fmt.Errorf(
		"the sidecar serves its limit of %d connections; close some, share one client in a program, or raise the limit", d.cfg.Limits.MaxPeers)}
}

// refused ends a call that is not made, so that it is observed as others are.
func (d *door) refused(c *lift.Call, err *lift.Error) {
	lift.Observe(d.cfg.Caller, c)
	c.Fail(err)
	c.End()
}

// connOf returns the connection that an RPC came by, nil where it is not one of
// the gate's.
func connOf(ctx context.Context) *socket.Peer {
	p, ok := peer.FromContext(ctx)
	if !ok {
		return nil
	}
	conn, _ := p.Addr.(*socket.Peer)
	return conn
}
