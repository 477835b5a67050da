package bench

import (
	"context"
	"fmt"
	"net"
	"testing"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/interop/grpc_testing"

	"github.com/liftmesh/lift"
	"github.com/liftmesh/lift/mesh"
	"github.com/liftmesh/lift/registry/static"
	"github.com/liftmesh/lift/sdk"
	"github.com/liftmesh/lift/transport"
)

// echoService answers with the message that it got.
type echoService struct {
	grpc_testing.UnimplementedTestServiceServer
}

func (echoService) UnaryCall(_ context.Context, in *grpc_testing.SimpleRequest) (*grpc_testing.SimpleResponse, error) {
	return &grpc_testing.SimpleResponse{Payload: in.GetPayload()}, nil
}

func (echoService) FullDuplexCall(stream grpc_testing.TestService_FullDuplexCallServer) error {
	for {
		in, err := stream.Recv()
		if err != nil {
			return nil //nolint:nilerr // the client has ended
		}
		if err := stream.Send(&grpc_testing.StreamingOutputCallResponse{Payload: in.GetPayload()}); err != nil {
			return err
		}
	}
}

// BenchmarkGRPC measures a unary call, and a message there and back in a stream, of 100
// bytes each: over grpc-go's own connection, with the engine in process, and over a
// session to a sidecar.
func BenchmarkGRPC(b *testing.B) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		b.Fatal(err)
	}
	srv := grpc.NewServer()
	grpc_testing.RegisterTestServiceServer(srv, echoService{})
	go func() { _ = srv.Serve(l) }()
	b.Cleanup(srv.Stop)
	direct, err := grpc.NewClient(l.Addr().String(), grpc.WithTransportCredentials(insecure.NewCredentials()))
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { _ = direct.Close() })
	m := mesh.New(mesh.Options{Services: []mesh.ServiceConfig{{
		Name: "orders", Registry: static.New([]lift.Endpoint{{Addr: l.Addr().String()}}), Timeout: time.Hour,
		Transport: transport.Config{Protocol: transport.GRPC},
	}}})
	b.Cleanup(m.Close)
	body := &grpc_testing.Payload{Body: make([]byte, 100)}
	for _, way := range []struct {
		name string
		conn grpc.ClientConnInterface
	}{
		{"direct", direct},
		{"inprocess", sdk.New(m).Conn("orders")},
		{"session", session(b, m).Conn("orders")},
	} {
		stub := grpc_testing.NewTestServiceClient(way.conn)
		for _, callers := range []int{1, 64} {
			b.Run(fmt.Sprintf("unary/%s/%d", way.name, callers), func(b *testing.B) {
				b.ReportAllocs()
				load(b, callers, func(ctx context.Context) error {
					_, err := stub.UnaryCall(ctx, &grpc_testing.SimpleRequest{Payload: body})
					return err
				})
			})
		}
		b.Run("stream/"+way.name, func(b *testing.B) {
			ctx, cancel := context.WithCancel(b.Context())
			defer cancel()
			stream, err := stub.FullDuplexCall(ctx)
			if err != nil {
				b.Fatal(err)
			}
			b.ReportAllocs()
			for b.Loop() {
				if err := stream.Send(&grpc_testing.StreamingOutputCallRequest{Payload: body}); err != nil {
					b.Fatal(err)
				}
				if _, err := stream.Recv(); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
