package sidecar

import (
	"bytes"
	"context"
	"errors"
	"io"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/protobuf/proto"

	"github.com/liftmesh/lift"
	liftv1 "github.com/liftmesh/lift/proto/lift/v1"
)

// script is a peer that sends what was written down and then hangs up.
type script struct {
	grpc.ServerStream
	ctx    context.Context
	frames []*liftv1.ClientFrame
}

func (s *script) Context() context.Context { return s.ctx }

func (s *script) Recv() (*liftv1.ClientFrames, error) {
	time.Sleep(time.Millisecond) // the others go first
	if len(s.frames) == 0 {
		return nil, io.EOF
	}
	f := s.frames[0]
	s.frames = s.frames[1:]
	return &liftv1.ClientFrames{Frames: []*liftv1.ClientFrame{f}}, nil
}

func (s *script) Send(m *liftv1.ServerFrames) error {
	_, err := proto.Marshal(m)
	return err
}

// scripted reads frames from bytes: three bytes a frame, or as they go on the wire.
func scripted(in []byte) []*liftv1.ClientFrame {
	if len(in) > 0 && in[0] == 0xff {
		var m liftv1.ClientFrames
		_ = proto.Unmarshal(in[1:], &m)
		return m.GetFrames()
	}
	frames := []*liftv1.ClientFrame{{Kind: &liftv1.ClientFrame_Hello{Hello: &liftv1.Hello{Window: 20_000}}}}
	for ; len(in) >= 3 && len(frames) < 100; in = in[3:] {
		id, n, end := uint64(in[1]%8), int(in[2]>>1)*200, in[2]&1 == 1
		f := &liftv1.ClientFrame{}
		switch in[0] % 8 {
		case 0, 1, 2:
			services := []string{"echo", "early", "large", "waits", "panics", "slow"}
			f.Kind = &liftv1.ClientFrame_Call{Call: &liftv1.Call{
				Id: uint64(len(frames)), Service: services[int(in[1])%len(services)], Body: make([]byte, n), BodySize: -1, End: end,
				DeadlineUnixNanos: time.Now().Add(time.Duration(in[2]) * time.Millisecond).UnixNano(),
			}}
		case 3, 4:
			f.Kind = &liftv1.ClientFrame_Data{Data: &liftv1.Data{Id: id, Body: make([]byte, n), End: end}}
		case 5:
			f.Kind = &liftv1.ClientFrame_Cancel{Cancel: &liftv1.Cancel{Id: id}}
		case 6:
			f.Kind = &liftv1.ClientFrame_Credit{Credit: &liftv1.Credit{Id: id, Bytes: uint32(in[2]) << (in[2] % 26)}}
		case 7:
			f.Kind = &liftv1.ClientFrame_InvocationStart{InvocationStart: &liftv1.InvocationStart{RequestId: "r"}}
		}
		frames = append(frames, f)
	}
	return frames
}

// FuzzSession has peers send anything. Whatever they send, nothing panics, hangs
// or leaks (the bubble would not end), every call that began is ended once, and
// what was held is given back.
func FuzzSession(f *testing.F) {
	f.Add([]byte{0, 0, 1, 0, 1, 3, 0, 2, 1, 6, 3, 255})
	f.Add([]byte{0, 0, 20, 3, 1, 100, 3, 1, 101, 5, 1, 0})
	f.Add([]byte{0, 2, 1, 6, 1, 200, 6, 1, 200, 6, 1, 200, 0, 3, 8, 0, 4, 9, 0, 5, 9})
	f.Add([]byte{0, 3, 0, 3, 1, 254, 3, 1, 254, 3, 1, 254, 3, 1, 254, 3, 1, 254})
	f.Add(append([]byte{0xff}, 10, 4, 10, 2, 8, 1))
	f.Fuzz(func(t *testing.T, in []byte) {
		synctest.Test(t, func(t *testing.T) {
			var begun, ended atomic.Int32
			cfg := Config{Caller: lift.CallerFunc(func(c *lift.Call) (*lift.Response, error) {
				begun.Add(1)
				c.Hold(func() { ended.Add(1) })
				return fuzzed(c)
			}), Limits: Limits{MaxBuffered: 100_000, MaxCallsPerPeer: 5}}
			if err := cfg.fill(); err != nil {
				t.Fatal(err)
			}
			d := newDoor(&cfg)
			ctx, cancel := context.WithCancel(t.Context())
			_ = d.Session(&sessionStream{&script{ctx: ctx, frames: scripted(in)}})
			cancel()
			synctest.Wait()
			time.Sleep(time.Minute) // whatever has a deadline
			if begun.Load() != ended.Load() || d.running != 0 || d.buffered.used.Load() != 0 || len(d.tickets) != 0 || len(d.sessions) != 0 {
				t.Errorf("%d begun, %d ended, %d running, %d bytes held, %d tickets", begun.Load(), ended.Load(), d.running, d.buffered.used.Load(), len(d.tickets))
			}
		})
	})
}

// sessionStream makes the script a stream of the generated type.
type sessionStream struct{ *script }

func (s *sessionStream) Send(m *liftv1.ServerFrames) error { return s.script.Send(m) }

func fuzzed(c *lift.Call) (*lift.Response, error) {
	switch c.Service {
	case "echo":
		content, err := c.Body.ReadAll(0)
		if err != nil {
			return nil, lift.Errorf(c, lift.CallCanceled, "%w", err)
		}
		return &lift.Response{Status: 200, Body: lift.BytesBody(content)}, nil
	case "early":
		return &lift.Response{Status: 413, Body: lift.BytesBody(nil)}, nil
	case "large":
		return &lift.Response{Status: 200, Body: lift.StreamBody(io.NopCloser(bytes.NewReader(make([]byte, 400_000))), -1, 0)}, nil
	case "panics":
		panic(errors.New("boom"))
	case "slow":
		r, w := io.Pipe()
		c.OnCancel(func() { _ = w.CloseWithError(c.Err()) })
		go func() { _, _ = w.Write(make([]byte, 100_000)) }()
		return &lift.Response{Status: 200, Body: lift.StreamBody(r, -1, 0)}, nil
	default:
		<-c.Done()
		return nil, lift.Errorf(c, lift.CallCanceled, "%w", c.Err())
	}
}
