package sidecar

import (
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"runtime/debug"
	"slices"
	"sync"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/liftmesh/lift"
	"github.com/liftmesh/lift/internal/wire"
	liftv1 "github.com/liftmesh/lift/proto/lift/v1"
)

// session is one SDK's stream of calls. A reader and a writer of its own serve
// it; the writer is never waited for while holding a lock, and the reader stops
// for it only when a peer sends calls without reading answers. The client's
// reader never stops, so the two cannot wait for each other.
type session struct {
	door   *door
	stream liftv1.Lift_SessionServer
	w      *wire.Writer[liftv1.ServerFrame]
	peer   *liftv1.Peer  // but for what changes
	window int           // of the peer
	ended  chan struct{} // closed when the session is over

	mu    sync.Mutex
	calls map[uint64]*call
	last  uint64 // the greatest id so far
	gone  bool   // no call can begin any more
}

// errProtocol is what a peer did that no peer may do. It ends the session.
func errProtocol(format string, args ...any) error {
	return status.Error(codes.InvalidArgument, fmt.Sprintf(format, args...))
}

// Session implements the session of lift.v1.
func (d *door) Session(stream liftv1.Lift_SessionServer) error {
	s := &session{door: d, stream: stream, calls: map[uint64]*call{}, ended: make(chan struct{})}
	defer close(s.ended)
	var batch liftv1.ServerFrames
	s.w = wire.NewWriter(func(frames []*liftv1.ServerFrame) error {
		batch.Frames = frames
		return stream.Send(&batch)
	})
	rest, err := s.greet()
	if err != nil {
		return err
	}
	d.mu.Lock()
	d.sessions[s] = struct{}{}
	draining := d.draining
	d.mu.Unlock()
	defer func() {
		d.mu.Lock()
		delete(d.sessions, s)
		d.mu.Unlock()
	}()
	if draining {
		s.goAway()
	}
	// The handler's return is what frees a reader or writer that is stuck.
	over := make(chan error, 2)
	go func() { over <- s.contain(func() error { return s.read(rest) }) }()
	go func() { over <- s.contain(s.w.Run) }()
	err = <-over
	s.w.Close()
	s.cancelAll(ErrCallerVanished)
	if errors.Is(err, io.EOF) || errors.Is(err, wire.ErrWriterClosed) {
		return nil // the peer has closed, or we have drained
	}
	return err
}

func (s *session) contain(run func() error) (err error) {
	defer func() {
		if p := recover(); p != nil {
			s.door.cfg.Log.Error("a session panicked; it alone ends", "panic", fmt.Sprint(p), "stack", string(debug.Stack()))
			err = status.Error(codes.Internal, "the session panicked inside the sidecar; this is a bug in Lift")
		}
	}()
	return run()
}

// greet takes the peer's Hello and says ours. It returns the frames that came
// with it.
func (s *session) greet() ([]*liftv1.ClientFrame, error) {
	cfg := s.door.cfg
	if conn := connOf(s.stream.Context()); conn != nil {
		// A peer that says nothing must not hold a place.
		t := time.AfterFunc(cfg.Limits.HelloWithin, func() { _ = conn.Close() })
		defer t.Stop()
	}
	msg, err := s.stream.Recv()
	if err != nil {
		return nil, err
	}
	frames := msg.GetFrames()
	if len(frames) == 0 || frames[0].GetHello() == nil {
		return nil, errProtocol("a session begins with Hello")
	}
	hello := frames[0].GetHello()
	s.peer = s.door.newPeer(connOf(s.stream.Context()), hello.GetSoftware())
	s.window = wire.Window
	if w := hello.GetWindow(); w > 0 {
		s.window = int(min(w, 16<<20))
	}
	err = s.stream.Send(&liftv1.ServerFrames{Frames: []*liftv1.ServerFrame{{Kind: &liftv1.ServerFrame_Hello{Hello: &liftv1.Hello{
		MinMinor: cfg.versions.Min, MaxMinor: cfg.versions.Max, Software: cfg.Software,
		Window: wire.Window, MaxData: wire.MaxData,
		MaxHeader: uint32(cfg.Limits.MaxHeader), MaxCalls: uint32(cfg.Limits.MaxCallsPerPeer), //nolint:gosec // small
	}}}}})
	if err != nil {
		return nil, err
	}
	theirs := wire.Versions{Min: hello.GetMinMinor(), Max: hello.GetMaxMinor()}
	if _, ok := wire.Agree(cfg.versions, theirs); !ok {
		e := wire.Incompatible(theirs, cfg.versions, hello.GetSoftware(), cfg.Software)
		return nil, wire.Status(e, "", cfg.Now())
	}
	return frames[1:], nil
}

// read takes frames until the stream ends.
func (s *session) read(frames []*liftv1.ClientFrame) error {
	limit := s.door.cfg.Limits.MaxCallsPerPeer + 64
	for {
		for _, f := range frames {
			if err := s.frame(f); err != nil {
				return err
			}
			s.w.Room(limit)
		}
		msg, err := s.stream.Recv()
		if err != nil {
			return err
		}
		frames = msg.GetFrames()
	}
}

// frame does what one frame says. An error ends the session.
func (s *session) frame(f *liftv1.ClientFrame) error {
	switch f := f.GetKind().(type) {
	case *liftv1.ClientFrame_Call:
		return s.open(f.Call)
	case *liftv1.ClientFrame_Data:
		k, err := s.find(f.Data.GetId(), "Data")
		if k != nil {
			k.data(f.Data)
		}
		return err
	case *liftv1.ClientFrame_Cancel:
		k, err := s.find(f.Cancel.GetId(), "Cancel")
		if k != nil {
			k.cancel(canceled(f.Cancel.GetCause()))
		}
		return err
	case *liftv1.ClientFrame_Credit:
		k, err := s.find(f.Credit.GetId(), "Credit")
		if k != nil {
			if gerr := k.out.Grant(f.Credit.GetBytes()); gerr != nil {
				k.refuse(gerr)
			}
		}
		return err
	case *liftv1.ClientFrame_InvocationStart:
		if hook := s.door.cfg.InvocationStart; hook != nil {
			in := f.InvocationStart
			hook(Invocation{in.GetRequestId(), wire.Time(in.GetDeadlineUnixNanos()), in.GetTrace(), in.GetTenant()})
		}
	case *liftv1.ClientFrame_InvocationDone:
		if hook := s.door.cfg.InvocationDone; hook != nil {
			hook(f.InvocationDone.GetRequestId())
		}
	case *liftv1.ClientFrame_Hello:
		return errProtocol("Hello came twice")
	}
	return nil // GoAway: it has no more calls, we begin none; what is unknown is ignored
}

// canceled is the cause of a call that the caller gave up.
func canceled(why string) error {
	if why == "" {
		return context.Canceled
	}
	return fmt.Errorf("%w: %s", context.Canceled, why)
}

// find returns the open call of a frame, nil if the call has ended. A frame of a
// call that never began breaks the protocol.
func (s *session) find(id uint64, frame string) (*call, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if id == 0 || id > s.last {
		return nil, errProtocol("%s came for call %d, which never began", frame, id)
	}
	return s.calls[id], nil
}

// open begins a call, or answers why not.
func (s *session) open(f *liftv1.Call) error {
	id, limits := f.GetId(), &s.door.cfg.Limits
	s.mu.Lock()
	if id <= s.last {
		s.mu.Unlock()
		return errProtocol("call id %d came after %d; ids grow", id, s.last)
	}
	s.last = id
	open, gone := len(s.calls), s.gone
	s.mu.Unlock()
	if gone {
		s.refused(f, vanished(f.GetService()))
		return nil
	}
	if open >= limits.MaxCallsPerPeer {
		s.reject(f, &lift.Error{Code: lift.Busy, Service: lift.ServiceName(f.GetService()), Err: fmt.Errorf(
			"this session has its limit of %d calls open; send fewer at once, or raise the limit", limits.MaxCallsPerPeer)})
		return nil
	}
	if n := wire.FieldsSize(f.GetHeader()) + wire.FieldsSize(f.GetTrailer()) + len(f.GetPath()); n > limits.MaxHeader {
		s.reject(f, &lift.Error{Code: lift.TooLarge, Service: lift.ServiceName(f.GetService()), Err: fmt.Errorf(
			"path and header have %d bytes, 32 for each field included; the limit is %d: send less, or raise limits.header in lift.yaml", n, limits.MaxHeader)})
		return nil
	}
	if n := len(f.GetBody()); n > wire.MaxData {
		s.reject(f, &lift.Error{Code: lift.InvalidCall, Service: lift.ServiceName(f.GetService()), Err: fmt.Errorf(
			"a frame with %d bytes of body came, the limit is %d", n, wire.MaxData)})
		return nil
	}
	if refusal := s.door.begin(f.GetService()); refusal != nil {
		s.reject(f, refusal)
		return nil
	}
	k := newCall(s, f)
	s.mu.Lock()
	gone = s.gone
	if !gone {
		s.calls[id] = k
	}
	s.mu.Unlock()
	if gone {
		k.lc.Fail(vanished(k.service))
		k.lc.End()
		s.door.finish()
		return nil
	}
	k.begin(f)
	return nil
}

// reject answers a call that has not begun.
func (s *session) reject(f *liftv1.Call, err *lift.Error) {
	s.refused(f, err)
	s.w.Control(answerFrame(&liftv1.Answer{Id: f.GetId(), Error: wire.Error(err, err.Service, s.door.cfg.Now())}), 256, nil)
}

// refused ends a call that has not begun.
func (s *session) refused(f *liftv1.Call, err *lift.Error) {
	var c lift.Call
	wire.Fill(&c, f, s.door.cfg.Now())
	s.door.refused(&c, err)
}

// vanished is what a call dies of that came with the end of its session.
func vanished(service string) *lift.Error {
	return &lift.Error{Code: lift.CallCanceled, Service: service, Err: ErrCallerVanished}
}

// forget ends k's place in the session.
func (s *session) forget(k *call) {
	s.mu.Lock()
	_, open := s.calls[k.id]
	delete(s.calls, k.id)
	s.mu.Unlock()
	if open {
		s.door.finish()
	}
}

// cancelAll cancels every call, and lets none begin.
func (s *session) cancelAll(cause error) {
	s.mu.Lock()
	s.gone = true
	all := make([]*call, 0, len(s.calls))
	for _, k := range s.calls {
		all = append(all, k)
	}
	s.mu.Unlock()
	for _, k := range all {
		k.cancel(cause)
	}
}

// stopAll ends every call; each still says why.
func (s *session) stopAll(cause error) {
	s.mu.Lock()
	all := slices.Collect(maps.Values(s.calls))
	s.mu.Unlock()
	for _, k := range all {
		k.stop(cause)
	}
}

// goAway tells the peer to take its new calls elsewhere.
func (s *session) goAway() {
	s.w.Control(&liftv1.ServerFrame{Kind: &liftv1.ServerFrame_GoAway{
		GoAway: &liftv1.GoAway{Reason: "the sidecar is shutting down"},
	}}, 64, nil)
}

func answerFrame(a *liftv1.Answer) *liftv1.ServerFrame {
	return &liftv1.ServerFrame{Kind: &liftv1.ServerFrame_Answer{Answer: a}}
}
