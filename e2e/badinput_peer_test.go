//go:build e2e && linux

package e2e_test

import (
	"bytes"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"net"
	"strings"
	"sync"
	"testing"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/liftmesh/lift"
	"github.com/liftmesh/lift/mesh"
	liftv1 "github.com/liftmesh/lift/proto/lift/v1"
	"github.com/liftmesh/lift/registry/static"
	"github.com/liftmesh/lift/sdk"
)

// What a sidecar may keep of what was done to it: idle connections to upstreams
// and what the allocator holds, but nothing that grows with the number of wrongs.
const (
	descriptorsLeft = 10
	memoryLeft      = 96 << 20
)

// unharmed does something to the sidecar and sees to it that healthy calls go on
// in the session that was open, and in a new one, and that nothing has leaked.
func (s *sidecarProcess) unharmed(t *testing.T, client *sdk.Client, wrong func()) {
	t.Helper()
	mustCall(t, client)
	descriptors, memory := s.descriptors(t), s.resident(t)
	wrong()
	mustCall(t, client)
	fresh, err := sdk.Dial(s.socket)
	if err != nil {
		t.Fatal(err)
	}
	mustCall(t, fresh)
	_ = fresh.Close()
	waitFor(t, "the sidecar has closed what it opened", func() bool { return s.descriptors(t) <= descriptors+descriptorsLeft })
	if grown := s.resident(t) - memory; grown > memoryLeft {
		t.Errorf("the sidecar has grown by %d MiB", grown>>20)
	}
	t.Logf("descriptors %d -> %d, resident %.1f -> %.1f MiB", descriptors, s.descriptors(t), float64(memory)/(1<<20), float64(s.resident(t))/(1<<20))
	if s.out.has("panic") {
		t.Error("something panicked")
	}
}

// wrongs is how often each wrong is done: more than may be left of it.
const wrongs = 5 * descriptorsLeft

func TestBadPeers(t *testing.T) {
	t.Parallel()
	room := startWaitingRoom(t)
	flood := startFlood(t)
	s := startShipped(t, fmt.Sprintf(`
defaults: {timeout: 20s, attempt_timeout: 20s, connections: {max_idle_count: 2}}
services:
  orders: {from: static, endpoints: %s}
  flood: {from: static, endpoints: %s}
`, endpoints(room.addr()), endpoints(flood.addr())))
	client := s.dial(t)
	for _, tt := range []struct {
		name string
		do   func(t *testing.T, s *sidecarProcess, client *sdk.Client)
	}{
		{"unknown service", unknownService},
		{"header over the limit", largeHeader},
		{"unary body over the limit", largeUnaryBody},
		{"random bytes", func(t *testing.T, s *sidecarProcess, _ *sdk.Client) { s.hangsUpOn(t, randomBytes(t)) }},
		{"HTTP/1.1", func(t *testing.T, s *sidecarProcess, _ *sdk.Client) {
			s.hangsUpOn(t, []byte("GET /orders HTTP/1.1\r\nHost: orders\r\n\r\n"))
		}},
		{"random HTTP/2 frames", func(t *testing.T, s *sidecarProcess, _ *sdk.Client) {
			s.hangsUpOn(t, append([]byte("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\x00\x00\x00\x04\x00\x00\x00\x00\x00"), randomBytes(t)...))
		}},
		{"silence", func(t *testing.T, s *sidecarProcess, _ *sdk.Client) { s.hangsUpOn(t, nil) }},
		{"a session without Hello", sessionWithoutHello},
		{"frames out of order", framesOutOfOrder},
		{"not protobuf", notProtobuf},
		{"an answer that is not read", func(t *testing.T, s *sidecarProcess, client *sdk.Client) { unreadAnswer(t, client, flood) }},
		{"a peer that does not read", deafPeer},
		{"a peer that vanishes", vanishingPeer},
		{"1,000 peers", thousandPeers},
	} {
		t.Run(tt.name, func(t *testing.T) {
			s.unharmed(t, client, func() { tt.do(t, s, client) })
		})
	}
	waitFor(t, "all answers that nobody reads are given up", func() bool { return flood.running.Load() == 0 })
}

func unknownService(t *testing.T, _ *sidecarProcess, client *sdk.Client) {
	_, err := sdk.Get[answer](within(t, patience), client, "ordres", "/")
	if !errors.Is(err, lift.UnknownService) || !strings.Contains(err.Error(), "orders") || !strings.Contains(err.Error(), "flood") {
		t.Errorf("got %v", err)
	}
}

func largeHeader(t *testing.T, s *sidecarProcess, client *sdk.Client) {
	for range wrongs {
		_, err := sdk.Get[answer](within(t, patience), client, "orders", "/", sdk.Header("X-Large", strings.Repeat("l", 80<<10)))
		if e, ok := errors.AsType[*lift.Error](err); !ok || e.Code != lift.TooLarge || e.Reached != lift.NotReached || !strings.Contains(err.Error(), "65536") {
			t.Fatalf("got %v", err)
		}
	}
	// A peer that does not keep to what Hello said.
	_, err := liftv1.NewLiftClient(s.plainClient(t)).Call(within(t, patience), &liftv1.CallRequest{
		Service: "orders", Header: []*liftv1.Field{{Name: "X-Large", Value: bytes.Repeat([]byte("l"), 80<<10)}},
	})
	if e := detail(t, err); e.GetCode() != string(lift.TooLarge) || !strings.Contains(e.GetMessage(), "65536") {
		t.Errorf("got %v", err)
	}
}

func largeUnaryBody(t *testing.T, s *sidecarProcess, _ *sdk.Client) {
	conn := s.plainClient(t)
	defer conn.Close()
	api := liftv1.NewLiftClient(conn)
	_, err := api.Call(within(t, patience), &liftv1.CallRequest{Service: "orders", Method: "POST", Body: make([]byte, 4<<20+1)})
	if e := detail(t, err); e.GetCode() != string(lift.TooLarge) || e.GetReached() != liftv1.Reached_REACHED_UNSPECIFIED || !strings.Contains(e.GetMessage(), "4194304") {
		t.Errorf("a body one byte over the limit: %v", err)
	}
	_, err = api.Call(within(t, patience), &liftv1.CallRequest{Service: "orders", Method: "POST", Body: make([]byte, 16<<20)})
	if status.Code(err) != codes.ResourceExhausted {
		t.Errorf("a body far over the limit: %v", err)
	}
	_, err = api.Call(within(t, patience), &liftv1.CallRequest{Service: "flood", Path: "/8"})
	if e := detail(t, err); e.GetCode() != string(lift.TooLarge) || e.GetReached() != liftv1.Reached_REACHED_ANSWERED {
		t.Errorf("an answer over the limit: %v", err)
	}
}

func randomBytes(t *testing.T) []byte {
	t.Helper()
	b := make([]byte, 64<<10)
	_, _ = rand.Read(b)
	return b
}

// hangsUpOn connects again and again, says that, and waits until the sidecar has
// hung up on all of them.
func (s *sidecarProcess) hangsUpOn(t *testing.T, says []byte) {
	t.Helper()
	var work sync.WaitGroup
	for range wrongs {
		conn, err := net.Dial("unix", s.socket)
		if err != nil {
			t.Fatal(err)
		}
		work.Go(func() {
			defer conn.Close()
			_ = conn.SetDeadline(time.Now().Add(patience))
			_, _ = conn.Write(says) // it may have hung up by now
			if _, err := io.Copy(io.Discard, conn); err != nil {
				if ne, ok := errors.AsType[net.Error](err); ok && ne.Timeout() {
					t.Errorf("the sidecar does not hang up: %v", err)
				}
			}
		})
	}
	work.Wait()
}

func sessionWithoutHello(t *testing.T, s *sidecarProcess, _ *sdk.Client) {
	var work sync.WaitGroup
	for range wrongs {
		conn := s.plainClient(t)
		work.Go(func() {
			defer conn.Close()
			stream, err := liftv1.NewLiftClient(conn).Session(within(t, patience))
			if err == nil {
				_, err = stream.Recv()
			}
			if code := status.Code(err); code != codes.Unavailable {
				t.Errorf("got %v", err)
			}
		})
	}
	work.Wait()
}

func clientFrames(frames ...*liftv1.ClientFrame) *liftv1.ClientFrames {
	return &liftv1.ClientFrames{Frames: frames}
}

func callFrame(id uint64, service, path string) *liftv1.ClientFrame {
	return &liftv1.ClientFrame{Kind: &liftv1.ClientFrame_Call{Call: &liftv1.Call{Id: id, Service: service, Path: path, End: true}}}
}

func framesOutOfOrder(t *testing.T, s *sidecarProcess, _ *sdk.Client) {
	conn := s.plainClient(t)
	defer conn.Close()
	data := func(id uint64) *liftv1.ClientFrame {
		return &liftv1.ClientFrame{Kind: &liftv1.ClientFrame_Data{Data: &liftv1.Data{Id: id, Body: []byte("x")}}}
	}
	for _, tt := range []struct {
		name   string
		frames []*liftv1.ClientFrames
		says   string
	}{
		{"no Hello", []*liftv1.ClientFrames{clientFrames(callFrame(1, "orders", "/"))}, "begins with Hello"},
		{"nothing", []*liftv1.ClientFrames{clientFrames()}, "begins with Hello"},
		{"Hello twice", []*liftv1.ClientFrames{hello(0, 0), hello(0, 0)}, "Hello came twice"},
		{"call 0", []*liftv1.ClientFrames{hello(0, 0), clientFrames(callFrame(0, "orders", "/"))}, "ids grow"},
		{"ids that shrink", []*liftv1.ClientFrames{hello(0, 0), clientFrames(callFrame(2, "orders", "/"), callFrame(1, "orders", "/"))}, "ids grow"},
		{"Data of no call", []*liftv1.ClientFrames{hello(0, 0), clientFrames(data(7))}, "never began"},
	} {
		for range wrongs / 5 {
			stream, err := liftv1.NewLiftClient(conn).Session(within(t, patience))
			if err != nil {
				t.Fatal(err)
			}
			for _, f := range tt.frames {
				_ = stream.Send(f) // a refusal shows at Recv
			}
			for err == nil {
				_, err = stream.Recv()
			}
			if status.Code(err) != codes.InvalidArgument || !strings.Contains(err.Error(), tt.says) {
				t.Errorf("%s: got %v", tt.name, err)
			}
		}
	}
}

// rawCodec sends bytes as they are.
type rawCodec struct{}

func (rawCodec) Marshal(v any) ([]byte, error)   { return v.([]byte), nil }
func (rawCodec) Unmarshal(b []byte, v any) error { *v.(*[]byte) = b; return nil }
func (rawCodec) Name() string                    { return "proto" }

func notProtobuf(t *testing.T, s *sidecarProcess, _ *sdk.Client) {
	conn := s.plainClient(t)
	defer conn.Close()
	for range wrongs {
		stream, err := conn.NewStream(within(t, patience), &grpc.StreamDesc{ClientStreams: true, ServerStreams: true},
			liftv1.Lift_Session_FullMethodName, grpc.ForceCodec(rawCodec{}))
		if err != nil {
			t.Fatal(err)
		}
		_ = stream.SendMsg(bytes.Repeat([]byte{0xff}, 4000)) // a refusal shows at RecvMsg
		var got []byte
		for err == nil {
			err = stream.RecvMsg(&got)
		}
		if code := status.Code(err); code != codes.Internal && code != codes.InvalidArgument {
			t.Fatalf("got %v", err)
		}
	}
}

// A service that nobody serves: its calls say so at once. A static list is never
// empty in lift.yaml, so this is seen in process.
func TestNoEndpoints(t *testing.T) {
	t.Parallel()
	m := mesh.New(mesh.Options{Services: []mesh.ServiceConfig{{Name: "orders", Registry: static.New(nil)}}})
	defer m.Close()
	_, err := sdk.Get[answer](within(t, patience), sdk.New(m), "orders", "/")
	if e, ok := errors.AsType[*lift.Error](err); !ok || e.Code != lift.NoEndpoints || e.Reached != lift.NotReached || e.Service != "orders" {
		t.Errorf("got %v", err)
	}
}
