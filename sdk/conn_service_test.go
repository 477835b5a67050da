package sdk_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	_ "google.golang.org/grpc/encoding/gzip"
	"google.golang.org/grpc/interop/grpc_testing"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/types/known/durationpb"

	"github.com/liftmesh/lift/sdk"
)

// testService is grpc-go's own, with a word of ours to each method.
type testService struct {
	grpc_testing.UnimplementedTestServiceServer
	canceled chan error // what ended a stream that was to hang
}

func (s *testService) UnaryCall(ctx context.Context, in *grpc_testing.SimpleRequest) (*grpc_testing.SimpleResponse, error) {
	md, _ := metadata.FromIncomingContext(ctx)
	_ = grpc.SetHeader(ctx, metadata.MD{"x-head": md["x-ask"], "x-head-bin": md["x-ask-bin"]})
	_ = grpc.SetTrailer(ctx, metadata.MD{"x-tail": md["x-ask"], "x-tail-bin": md["x-ask-bin"]})
	if st := in.GetResponseStatus(); st != nil {
		fail, _ := status.New(codes.Code(st.GetCode()), st.GetMessage()).WithDetails(durationpb.New(time.Minute))
		return nil, fail.Err()
	}
	if n := in.GetResponseSize(); n > 0 {
		return &grpc_testing.SimpleResponse{Payload: &grpc_testing.Payload{Body: make([]byte, n)}}, nil
	}
	return &grpc_testing.SimpleResponse{Payload: in.GetPayload(), Username: strings.Join(md["content-type"], ",")}, nil
}

func (s *testService) StreamingOutputCall(in *grpc_testing.StreamingOutputCallRequest, stream grpc_testing.TestService_StreamingOutputCallServer) error {
	_ = stream.SetHeader(metadata.Pairs("x-head", "h"))
	stream.SetTrailer(metadata.Pairs("x-tail", "t"))
	for _, p := range in.GetResponseParameters() {
		if err := stream.Send(&grpc_testing.StreamingOutputCallResponse{Payload: &grpc_testing.Payload{Body: make([]byte, p.GetSize())}}); err != nil {
			return err
		}
	}
	if st := in.GetResponseStatus(); st != nil {
		return status.Error(codes.Code(st.GetCode()), st.GetMessage())
	}
	return nil
}

func (s *testService) StreamingInputCall(stream grpc_testing.TestService_StreamingInputCallServer) error {
	total := 0
	for {
		in, err := stream.Recv()
		if errors.Is(err, io.EOF) {
			return stream.SendAndClose(&grpc_testing.StreamingInputCallResponse{AggregatedPayloadSize: int32(total)})
		}
		if err != nil {
			return err
		}
		if total += len(in.GetPayload().GetBody()); total > 1<<20 {
			return status.Error(codes.ResourceExhausted, "enough")
		}
	}
}

func (s *testService) FullDuplexCall(stream grpc_testing.TestService_FullDuplexCallServer) error {
	for {
		in, err := stream.Recv()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
		switch st := in.GetResponseStatus(); {
		case st.GetMessage() == "hang":
			_ = stream.SendHeader(nil)
			<-stream.Context().Done()
			s.canceled <- stream.Context().Err()
			return stream.Context().Err()
		case st != nil:
			return status.Error(codes.Code(st.GetCode()), st.GetMessage())
		}
		out := &grpc_testing.StreamingOutputCallResponse{Payload: in.GetPayload()}
		if err := stream.Send(out); err != nil {
			return err
		}
	}
}

// overServer runs f in bubbles, over grpc-go's own server: with the mesh in
// process, and with a sidecar between.
func overServer(t *testing.T, f func(t *testing.T, svc *testService, client *sdk.Client, eng *engine)) {
	t.Helper()
	for _, way := range []string{"in process", "over a session"} {
		t.Run(way, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				srv := grpc.NewServer()
				svc := &testService{canceled: make(chan error, 1)}
				grpc_testing.RegisterTestServiceServer(srv, svc)
				eng := newEngine(t, served(t, srv).Call)
				if way == "in process" {
					f(t, svc, sdk.New(eng), eng)
				} else {
					f(t, svc, sdk.New(overSession(t, eng)), eng)
				}
				synctest.Wait()
			})
		})
	}
}

func testStub(c *sdk.Client) grpc_testing.TestServiceClient {
	return grpc_testing.NewTestServiceClient(c.Conn("orders"))
}

func payload(n int) *grpc_testing.Payload {
	return &grpc_testing.Payload{Body: bytes.Repeat([]byte{'x'}, n)}
}
