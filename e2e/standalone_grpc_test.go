//go:build e2e && linux

package e2e_test

import (
	"context"
	"errors"
	"io"
	"net"
	"syscall"
	"testing"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/interop/grpc_testing"
	"google.golang.org/grpc/status"

	"github.com/liftmesh/lift"
	"github.com/liftmesh/lift/sdk"
)

// talker is a gRPC service that says everything back.
type talker struct {
	grpc_testing.UnimplementedTestServiceServer
}

func (talker) UnaryCall(_ context.Context, in *grpc_testing.SimpleRequest) (*grpc_testing.SimpleResponse, error) {
	return &grpc_testing.SimpleResponse{Payload: in.GetPayload()}, nil
}

func (talker) FullDuplexCall(stream grpc_testing.TestService_FullDuplexCallServer) error {
	for {
		in, err := stream.Recv()
		if errors.Is(err, io.EOF) {
			return status.Error(codes.OutOfRange, "that was all")
		}
		if err != nil {
			return err
		}
		if err := stream.Send(&grpc_testing.StreamingOutputCallResponse{Payload: in.GetPayload()}); err != nil {
			return err
		}
	}
}

func startTalker(t *testing.T) (addr string, stop func()) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	srv := grpc.NewServer()
	grpc_testing.RegisterTestServiceServer(srv, talker{})
	go func() { _ = srv.Serve(l) }()
	t.Cleanup(srv.Stop)
	return l.Addr().String(), srv.Stop
}

// Generated stubs over a real sidecar, while one of two instances dies.
func TestStubsOverTheSidecar(t *testing.T) {
	t.Parallel()
	a, kill := startTalker(t)
	b, _ := startTalker(t)
	s := startSidecar(t, "services: {orders: {from: static, protocol: grpc, timeout: 20s, endpoints: "+endpoints(a, b)+"}}\n")
	client := s.dial(t)
	stub := grpc_testing.NewTestServiceClient(client.Conn("orders"))
	ctx := within(t, patience)
	unary := func(n int) {
		t.Helper()
		for range n {
			in := &grpc_testing.SimpleRequest{Payload: &grpc_testing.Payload{Body: make([]byte, 100_000)}}
			got, err := stub.UnaryCall(sdk.With(ctx, sdk.Idempotent()), in)
			if err != nil || len(got.GetPayload().GetBody()) != 100_000 {
				t.Fatalf("got %v", err)
			}
		}
	}
	unary(20)
	stream, err := stub.FullDuplexCall(ctx)
	if err != nil {
		t.Fatal(err)
	}
	for _, n := range []int{0, 10, 1 << 20, 10, 1 << 20} {
		if err := stream.Send(&grpc_testing.StreamingOutputCallRequest{Payload: &grpc_testing.Payload{Body: make([]byte, n)}}); err != nil {
			t.Fatal(err)
		}
		if got, err := stream.Recv(); err != nil || len(got.GetPayload().GetBody()) != n {
			t.Fatalf("%d bytes: %v", n, err)
		}
	}
	_ = stream.CloseSend()
	if _, err := stream.Recv(); status.Code(err) != codes.OutOfRange || status.Convert(err).Message() != "that was all" {
		t.Errorf("at the end: %v", err)
	}

	kill()
	unary(40)
	known, err := client.Services(ctx, "orders")
	if err != nil || len(known) != 1 || len(known[0].Endpoints) != 2 || known[0].From != "static" {
		t.Fatalf("got %+v, %v", known, err)
	}
	for _, e := range known[0].Endpoints {
		if out := e.State != "closed"; out != (e.Addr == a) || out && e.Why == "" {
			t.Errorf("%+v", e)
		}
	}
	_, err = grpc_testing.NewTestServiceClient(client.Conn("ordres")).UnaryCall(ctx, &grpc_testing.SimpleRequest{})
	if status.Code(err) != codes.NotFound || lift.CodeOf(err) != lift.UnknownService {
		t.Errorf("got %v", err)
	}
}

// A call that nothing limits does not wait for ever for a sidecar that is stopped.
func TestStoppedSidecar(t *testing.T) {
	t.Parallel()
	a, _ := startTalker(t)
	s := startSidecar(t, "services: {orders: {from: static, protocol: grpc, timeout: 10m, endpoints: "+endpoints(a)+"}}\n")
	stub := grpc_testing.NewTestServiceClient(s.dial(t).Conn("orders"))
	stream, err := stub.FullDuplexCall(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if err := stream.Send(&grpc_testing.StreamingOutputCallRequest{}); err != nil {
		t.Fatal(err)
	}
	if _, err := stream.Recv(); err != nil {
		t.Fatal(err)
	}
	s.signal(t, syscall.SIGSTOP)
	defer s.signal(t, syscall.SIGCONT)
	began := time.Now()
	_, err = stream.Recv()
	if took := time.Since(began); lift.CodeOf(err) != lift.SessionLost || took > 30*time.Second {
		t.Errorf("got %v after %s", err, took)
	}
}
