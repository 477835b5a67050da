package session_test

import (
	"context"
	"errors"
	"math"
	"net"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/keepalive"
	"google.golang.org/grpc/test/bufconn"
	"google.golang.org/protobuf/proto"

	"github.com/liftmesh/lift"
	"github.com/liftmesh/lift/internal/session"
	liftv1 "github.com/liftmesh/lift/proto/lift/v1"
)

// fake is a sidecar that answers as it is told to.
type fake struct {
	liftv1.UnimplementedLiftServer
	session func(liftv1.Lift_SessionServer) error
	fetch   func(liftv1.Lift_FetchServer) error
}

func (f *fake) Session(s liftv1.Lift_SessionServer) error {
	if _, err := s.Recv(); err != nil {
		return err
	}
	err := s.Send(&liftv1.ServerFrames{Frames: []*liftv1.ServerFrame{{Kind: &liftv1.ServerFrame_Hello{Hello: &liftv1.Hello{Window: 40_000}}}}})
	if err != nil {
		return err
	}
	return f.session(s)
}

func (f *fake) Fetch(_ *liftv1.FetchRequest, s liftv1.Lift_FetchServer) error { return f.fetch(s) }

func (f *fake) client(t testing.TB, opts session.Options) *session.Client {
	t.Helper()
	l := bufconn.Listen(64 << 10)
	srv := grpc.NewServer(grpc.KeepaliveParams(keepalive.ServerParameters{Time: math.MaxInt64}))
	liftv1.RegisterLiftServer(srv, f)
	go func() { _ = srv.Serve(l) }()
	t.Cleanup(srv.Stop)
	opts.Dial = func(ctx context.Context) (net.Conn, error) { return l.DialContext(ctx) }
	return dial(t, "memory", opts)
}

// answers reads frames from bytes: three bytes a frame, or as they go on the wire.
func answers(in []byte) []*liftv1.ServerFrame {
	if len(in) > 0 && in[0] == 0xff {
		var m liftv1.ServerFrames
		_ = proto.Unmarshal(in[1:], &m)
		return m.GetFrames()
	}
	var frames []*liftv1.ServerFrame
	for ; len(in) >= 3 && len(frames) < 100; in = in[3:] {
		id, n, end := uint64(in[1]%8), int(in[2]>>1)*200, in[2]&1 == 1
		f := &liftv1.ServerFrame{}
		switch in[0] % 8 {
		case 0, 1:
			f.Kind = &liftv1.ServerFrame_Answer{Answer: &liftv1.Answer{Id: id, Status: 200, Body: make([]byte, n), BodySize: -1, End: end}}
			if in[2] == 2 {
				f.GetAnswer().Ticket = "t"
			}
		case 2:
			f.Kind = &liftv1.ServerFrame_Answer{Answer: &liftv1.Answer{Id: id, Error: &liftv1.Error{Code: []string{"busy", "draining"}[n/200%2]}}}
		case 3:
			f.Kind = &liftv1.ServerFrame_Data{Data: &liftv1.Data{Id: id, Body: make([]byte, n)}}
		case 4:
			f.Kind = &liftv1.ServerFrame_End{End: &liftv1.End{Id: id}}
			if end {
				f.GetEnd().Error = &liftv1.Error{Code: "unavailable"}
			}
		case 5:
			f.Kind = &liftv1.ServerFrame_Credit{Credit: &liftv1.Credit{Id: id, Bytes: uint32(in[2]) << (in[2] % 26)}}
		case 6:
			f.Kind = &liftv1.ServerFrame_Move{Move: &liftv1.Move{Id: id, Ticket: "t"}}
		case 7:
			f.Kind = &liftv1.ServerFrame_GoAway{GoAway: &liftv1.GoAway{}}
		}
		frames = append(frames, f)
	}
	return frames
}

// FuzzClient has a sidecar answer anything. Every call ends, in time, and nothing
// panics or leaks (the bubble would not end).
func FuzzClient(f *testing.F) {
	f.Add([]byte{0, 1, 1, 0, 2, 20, 3, 2, 20, 4, 2, 0, 2, 3, 0, 2, 4, 2, 5, 5, 255}, true)
	f.Add([]byte{0, 1, 2, 0, 2, 4, 6, 2, 0, 0, 3, 4, 4, 3, 1, 5, 5, 255, 5, 5, 255}, false)
	f.Add([]byte{0, 1, 20, 3, 1, 254, 3, 1, 254, 3, 1, 254, 3, 1, 254, 3, 1, 254, 7, 0, 0}, true)
	f.Add(append([]byte{0xff}, 10, 4, 18, 2, 8, 1), true)
	f.Fuzz(func(t *testing.T, in []byte, hangUp bool) {
		synctest.Test(t, func(t *testing.T) {
			side := &fake{}
			side.session = func(s liftv1.Lift_SessionServer) error {
				time.Sleep(10 * time.Millisecond) // the calls have come by now
				for _, fr := range answers(in) {
					if err := s.Send(&liftv1.ServerFrames{Frames: []*liftv1.ServerFrame{fr}}); err != nil {
						return err
					}
				}
				if hangUp {
					return errors.New("hung up")
				}
				<-s.Context().Done()
				return nil
			}
			side.fetch = func(s liftv1.Lift_FetchServer) error {
				for i := 0; i+1 < len(in); i += 2 {
					m := &liftv1.FetchResponse{Body: make([]byte, int(in[i])*10)}
					if in[i+1]%4 == 0 {
						m.End = &liftv1.End{}
					}
					if err := s.Send(m); err != nil {
						return err
					}
				}
				return nil
			}
			cl := side.client(t, session.Options{})
			var all sync.WaitGroup
			for i := range 5 {
				all.Go(func() {
					began := time.Now()
					c := &lift.Call{Service: "orders", Method: "POST", Deadline: time.Now().Add(time.Second)}
					if i >= 3 {
						c.Body = lift.BytesBody(make([]byte, 100_000))
					}
					resp, _, err := ask(cl, c)
					if (resp == nil) == (err == nil) && err == nil {
						t.Error("neither an answer nor an error")
					}
					if d := time.Since(began); d > 1100*time.Millisecond {
						t.Errorf("a call took %v", d)
					}
				})
			}
			all.Wait()
			_ = cl.Close()
		})
	})
}
