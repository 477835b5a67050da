package session

import (
	"context"
	"errors"
	"fmt"
	"math"
	"net"
	"sync"
	"sync/atomic"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/status"

	"github.com/liftmesh/lift"
	"github.com/liftmesh/lift/internal/wire"
	liftv1 "github.com/liftmesh/lift/proto/lift/v1"
)

// Flow control of HTTP/2 below the session, in bytes. The session's reader never
// stops, so these only have to be large enough.
const (
	streamWindow = 256 << 10
	connWindow   = 4 << 20
)

// session is one open session. It lives until it breaks or, once the sidecar has
// said GoAway, until its last call has ended.
type session struct {
	sl     *slot
	conn   *grpc.ClientConn
	api    liftv1.LiftClient
	stream liftv1.Lift_SessionClient
	ctx    context.Context
	cancel context.CancelFunc
	w      *wire.Writer[liftv1.ClientFrame]
	window int // of the sidecar
	header int // its limit, 0 if it told none

	checking atomic.Bool // whether the sidecar lives

	mu    sync.Mutex
	calls map[uint64]*call
	last  uint64
	away  bool
	gone  error
}

// open opens a session. again reports whether trying once more soon makes sense.
func open(ctx context.Context, sl *slot) (s *session, again bool, e *lift.Error) {
	cl := sl.cl
	raw, err := cl.opts.Dial(ctx)
	if err != nil {
		e, again = cl.noSidecar(err)
		return nil, again, e
	}
	once := make(chan net.Conn, 1)
	once <- raw
	conn, err := grpc.NewClient("passthrough:///lift",
		grpc.WithTransportCredentials(insecure.NewCredentials()),
		grpc.WithContextDialer(func(context.Context, string) (net.Conn, error) {
			select {
			case c := <-once:
				return c, nil
			default:
				return nil, errors.New("the session's connection broke")
			}
		}),
		grpc.WithAuthority("lift"),
		grpc.WithDisableServiceConfig(),
		grpc.WithDisableRetry(),
		grpc.WithNoProxy(),
		grpc.WithIdleTimeout(0),
		grpc.WithInitialWindowSize(streamWindow),
		grpc.WithInitialConnWindowSize(connWindow),
		grpc.WithDefaultCallOptions(grpc.MaxCallRecvMsgSize(math.MaxInt32)),
		// No keepalive: both ends freeze together, and a ping that a freeze cut in
		// half would close a connection that is well.
	)
	if err != nil {
		_ = raw.Close()
		return nil, false, &lift.Error{Code: lift.Internal, Err: err}
	}
	s = &session{sl: sl, conn: conn, api: liftv1.NewLiftClient(conn), calls: map[uint64]*call{}}
	s.ctx, s.cancel = context.WithCancel(cl.ctx)
	stop := context.AfterFunc(ctx, s.cancel)
	e, again = s.greet(ctx)
	if e == nil && !stop() {
		e, again = cl.noSidecar(ctx.Err())
	}
	if e == nil && !cl.start(s.serve) {
		e = &lift.Error{Code: lift.SessionLost, Err: errClosed}
	}
	if e != nil {
		stop()
		s.cancel()
		_ = conn.Close()
		_ = raw.Close()
		return nil, again, e
	}
	return s, false, nil
}

// greet says Hello and takes the sidecar's.
func (s *session) greet(ctx context.Context) (e *lift.Error, again bool) {
	cl := s.sl.cl
	mine := cl.opts.Versions
	stream, err := s.api.Session(s.ctx)
	if err != nil {
		return s.refused(ctx, err)
	}
	s.stream = stream
	// An error here is a refusal, and Recv says which.
	_ = s.stream.Send(&liftv1.ClientFrames{Frames: []*liftv1.ClientFrame{{Kind: &liftv1.ClientFrame_Hello{Hello: &liftv1.Hello{
		MinMinor: mine.Min, MaxMinor: mine.Max, Software: cl.opts.Software, Window: wire.Window, MaxData: wire.MaxData,
	}}}}})
	msg, err := s.stream.Recv()
	if err != nil {
		return s.refused(ctx, err)
	}
	frames := msg.GetFrames()
	if len(frames) == 0 || frames[0].GetHello() == nil {
		return cl.noSidecarLift(errors.New("it did not begin with Hello")), false
	}
	hello := frames[0].GetHello()
	theirs := wire.Versions{Min: hello.GetMinMinor(), Max: hello.GetMaxMinor()}
	if _, ok := wire.Agree(mine, theirs); !ok {
		return wire.Incompatible(mine, theirs, cl.opts.Software, hello.GetSoftware()), false
	}
	s.window, s.header = wire.Window, int(hello.GetMaxHeader())
	if w := hello.GetWindow(); w > 0 {
		s.window = int(min(w, 16<<20))
	}
	var batch liftv1.ClientFrames
	s.w = wire.NewWriter(func(frames []*liftv1.ClientFrame) error {
		batch.Frames = frames
		return s.stream.Send(&batch)
	})
	for _, f := range frames[1:] {
		s.frame(f)
	}
	return nil, false
}

// refused is the error of a session that did not open.
func (s *session) refused(ctx context.Context, err error) (*lift.Error, bool) {
	cl := s.sl.cl
	if e := wire.FromStatus(err, cl.opts.Now()); e != nil {
		return e, false
	}
	if ctx.Err() != nil && s.sl.cl.ctx.Err() == nil {
		return cl.noSidecar(ctx.Err())
	}
	if status.Code(err) == codes.Unavailable {
		// It broke off: most likely a sidecar that is going, and another may come.
		e := cl.noSidecarLift(err)
		return e, true
	}
	return cl.noSidecarLift(err), false
}

func (cl *Client) noSidecarLift(err error) *lift.Error {
	return &lift.Error{Code: lift.NoSidecar, Err: fmt.Errorf(
		"what listens at %s does not answer as a Lift sidecar: %w; check that lift-extension has this socket", cl.socket, err)}
}

// serve runs reader and writer until the session ends.
func (s *session) serve() {
	var both sync.WaitGroup
	both.Go(func() { s.end(s.contain(s.w.Run)) })
	s.end(s.contain(s.read))
	both.Wait()
	_ = s.conn.Close()
}

func (s *session) contain(run func() error) (err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("the session panicked; this is a bug in Lift: %v", p)
		}
	}()
	return run()
}

func (s *session) read() error {
	for {
		msg, err := s.stream.Recv()
		if err != nil {
			return err
		}
		for _, f := range msg.GetFrames() {
			s.frame(f)
		}
	}
}

// frame does what one frame says. It never blocks: one call that nobody reads
// must not hold up the others.
func (s *session) frame(f *liftv1.ServerFrame) {
	switch f := f.GetKind().(type) {
	case *liftv1.ServerFrame_Answer:
		if k := s.find(f.Answer.GetId()); k != nil {
			k.onAnswer(f.Answer)
		}
	case *liftv1.ServerFrame_Data:
		if k := s.find(f.Data.GetId()); k != nil {
			k.onData(f.Data)
		}
	case *liftv1.ServerFrame_End:
		if k := s.find(f.End.GetId()); k != nil {
			k.onEnd(f.End)
		}
	case *liftv1.ServerFrame_Move:
		if k := s.find(f.Move.GetId()); k != nil {
			k.onMove(f.Move.GetTicket())
		}
	case *liftv1.ServerFrame_Credit:
		if k := s.find(f.Credit.GetId()); k != nil {
			if err := k.out.Grant(f.Credit.GetBytes()); err != nil {
				k.broken(err)
			}
		}
	case *liftv1.ServerFrame_GoAway:
		s.goAway()
	}
}

func (s *session) find(id uint64) *call {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.calls[id]
}

func (s *session) usable() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.gone == nil && !s.away
}

// submit gives k an id and queues its head. The error is errNotSent if the session
// takes no calls any more, or why k is over.
func (s *session) submit(k *call, head *liftv1.ClientFrame, size int) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.gone != nil || s.away {
		return errNotSent
	}
	s.last++
	if !k.place(s, s.last, head) {
		return k.failure()
	}
	// Queued under the lock, since ids must leave in their order.
	if !s.w.Control(head, size, k) {
		k.unplace(s)
		return errNotSent
	}
	s.calls[s.last] = k
	return nil
}

// forget ends a call's place in the session; the last one of a session that goes
// away ends the session.
func (s *session) forget(id uint64) {
	s.mu.Lock()
	delete(s.calls, id)
	over := s.away && len(s.calls) == 0
	s.mu.Unlock()
	if over {
		s.end(errors.New("the sidecar has shut down"))
	}
}

func (s *session) goAway() {
	s.mu.Lock()
	s.away = true
	over := len(s.calls) == 0
	s.mu.Unlock()
	s.sl.lost(s)
	if over {
		s.end(errors.New("the sidecar has shut down"))
	}
}

// end ends the session once: every call that is still open hears of it.
func (s *session) end(err error) {
	s.mu.Lock()
	if s.gone != nil {
		s.mu.Unlock()
		return
	}
	s.gone = err
	all := make([]*call, 0, len(s.calls))
	for _, k := range s.calls {
		all = append(all, k)
	}
	s.mu.Unlock()
	s.sl.lost(s)
	s.w.Close()
	s.cancel()
	for _, k := range all {
		k.onLost(s, err)
	}
}
