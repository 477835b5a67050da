package sdk_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials"
	_ "google.golang.org/grpc/encoding/gzip"
	"google.golang.org/grpc/interop/grpc_testing"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/peer"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/types/known/durationpb"

	"github.com/liftmesh/lift"
	liftv1 "github.com/liftmesh/lift/proto/lift/v1"
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

func TestConnUnary(t *testing.T) {
	overServer(t, func(t *testing.T, _ *testService, client *sdk.Client, eng *engine) {
		stub := testStub(client)
		ctx := metadata.AppendToOutgoingContext(t.Context(), "X-Ask", "one", "x-ask", "two", "x-ask-bin", "\x00\xff")
		for _, size := range []int{0, 1, 100, 100_000, 3 << 20} {
			var header, trailer metadata.MD
			var from peer.Peer
			var finished []error
			got, err := stub.UnaryCall(ctx, &grpc_testing.SimpleRequest{Payload: payload(size)},
				grpc.Header(&header), grpc.Trailer(&trailer), grpc.Peer(&from), grpc.WaitForReady(true),
				grpc.OnFinish(func(err error) { finished = append(finished, err) }))
			if err != nil || len(got.GetPayload().GetBody()) != size {
				t.Fatalf("%d bytes: got %d, %v", size, len(got.GetPayload().GetBody()), err)
			}
			if strings.Join(header["x-head"], "+") != "one+two" || strings.Join(header["x-head-bin"], "") != "\x00\xff" || header["content-type"][0] != "application/grpc" {
				t.Errorf("header %v", header)
			}
			if strings.Join(trailer["x-tail"], "+") != "one+two" || strings.Join(trailer["x-tail-bin"], "") != "\x00\xff" || len(trailer["grpc-status"]) > 0 {
				t.Errorf("trailer %v", trailer)
			}
			if from.Addr.String() != "10.0.0.1:80" || len(finished) != 1 || finished[0] != nil {
				t.Errorf("peer %v, finished %v", from.Addr, finished)
			}
		}
		c := eng.last()
		if c.Method != "POST" || c.Path != "/grpc.testing.TestService/UnaryCall" || c.Service != "orders" || lift.Get(c.Header, "te") != "trailers" {
			t.Errorf("the call was %s %s of %s, %v", c.Method, c.Path, c.Service, c.Header)
		}
		if c.IsIdempotent() {
			t.Error("a method of which nothing is known counts as idempotent")
		}
		_, err := stub.UnaryCall(sdk.With(ctx, sdk.Idempotent(), sdk.Tenant("acme")), &grpc_testing.SimpleRequest{})
		if c := eng.last(); err != nil || !c.IsIdempotent() || c.Tenant != "acme" || !c.Replayable() {
			t.Errorf("options of the context: %v", err)
		}
	})
}

func TestConnStatus(t *testing.T) {
	overServer(t, func(t *testing.T, _ *testService, client *sdk.Client, _ *engine) {
		const says = "\t\ntest with whitespace\r\nand Unicode BMP ☺ and non-BMP 😈 100%\t\n"
		var trailer metadata.MD
		_, err := testStub(client).UnaryCall(metadata.AppendToOutgoingContext(t.Context(), "x-ask", "why"),
			&grpc_testing.SimpleRequest{ResponseStatus: &grpc_testing.EchoStatus{Code: 9, Message: says}}, grpc.Trailer(&trailer))
		st, ok := status.FromError(err)
		if !ok || st.Code() != codes.FailedPrecondition || st.Message() != says || len(st.Details()) != 1 || trailer.Get("x-tail")[0] != "why" {
			t.Fatalf("got %v, trailer %v", err, trailer)
		}
		if d, ok := st.Details()[0].(*durationpb.Duration); !ok || d.GetSeconds() != 60 {
			t.Errorf("details %v", st.Details())
		}
		if lift.CodeOf(err) != "" {
			t.Error("what the service said is no error of Lift's")
		}
		_, err = grpc_testing.NewUnimplementedServiceClient(client.Conn("orders")).UnimplementedCall(t.Context(), &grpc_testing.Empty{})
		if status.Code(err) != codes.Unimplemented {
			t.Errorf("got %v", err)
		}
	})
}

// What fails in Lift is a status with a detail, and a *lift.Error.
func TestConnErrorsOfLift(t *testing.T) {
	client := sdk.New(newEngine(t, func(c *lift.Call) (*lift.Response, error) {
		return nil, lift.Errorf(c, lift.AllOpen, "next probe in 3s")
	}))
	check := func(err error) {
		t.Helper()
		e := wantCode(t, err, lift.AllOpen)
		st, ok := status.FromError(err)
		if !ok || st.Code() != codes.Unavailable || !strings.Contains(st.Message(), "next probe in 3s") || e.Service != "orders" {
			t.Fatalf("got %v, %v", st, err)
		}
		if d, ok := st.Details()[0].(*liftv1.Error); !ok || d.GetCode() != "all_open" || d.GetMessage() != "next probe in 3s" {
			t.Errorf("details %v", st.Details())
		}
		// A wrapped one keeps its code, as interceptors expect.
		if status.Code(fmt.Errorf("orders: %w", err)) != codes.Unavailable {
			t.Error("wrapped, it has another code")
		}
	}
	_, err := testStub(client).UnaryCall(t.Context(), &grpc_testing.SimpleRequest{})
	check(err)
	stream, err := testStub(client).FullDuplexCall(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	_, err = stream.Recv()
	check(err)
	if err := stream.Send(&grpc_testing.StreamingOutputCallRequest{}); !errors.Is(err, io.EOF) {
		t.Errorf("sending after that: %v", err)
	}
	if md, err := stream.Header(); md != nil || err != nil {
		t.Errorf("header %v, %v", md, err)
	}
	_, err = stream.Recv()
	check(err)
	output, err := testStub(client).StreamingOutputCall(t.Context(), &grpc_testing.StreamingOutputCallRequest{})
	if err != nil {
		t.Fatal(err)
	}
	_, err = output.Recv()
	check(err)
}

// The way past a sidecar that is gone speaks HTTP/1.1, which is none for gRPC.
func TestConnStays(t *testing.T) {
	client := sdk.New(newEngine(t, func(c *lift.Call) (*lift.Response, error) {
		return nil, lift.Errorf(c, lift.NoSidecar, "nobody answers")
	}), sdk.Direct(map[string]string{"orders": "http://127.0.0.1:1"}))
	var rec sdk.Record
	_, err := testStub(client).UnaryCall(sdk.With(t.Context(), sdk.RecordIn(&rec)), &grpc_testing.SimpleRequest{})
	if wantCode(t, err, lift.NoSidecar); rec.Direct() {
		t.Error("the call went direct")
	}
}

func TestConnServerStream(t *testing.T) {
	overServer(t, func(t *testing.T, _ *testService, client *sdk.Client, eng *engine) {
		in := &grpc_testing.StreamingOutputCallRequest{ResponseStatus: &grpc_testing.EchoStatus{Code: 10, Message: "at the end"}}
		sizes := []int32{31415, 9, 2653, 0, 1 << 20}
		for _, n := range sizes {
			in.ResponseParameters = append(in.ResponseParameters, &grpc_testing.ResponseParameters{Size: n})
		}
		var atEnd []error
		stream, err := testStub(client).StreamingOutputCall(t.Context(), in, grpc.OnFinish(func(err error) { atEnd = append(atEnd, err) }))
		if err != nil {
			t.Fatal(err)
		}
		if md, err := stream.Header(); err != nil || md.Get("x-head")[0] != "h" {
			t.Errorf("header %v, %v", md, err)
		}
		for i, n := range sizes {
			if got, err := stream.Recv(); err != nil || len(got.GetPayload().GetBody()) != int(n) {
				t.Fatalf("message %d: %v", i, err)
			}
		}
		for range 2 {
			if _, err := stream.Recv(); status.Code(err) != codes.Aborted || status.Convert(err).Message() != "at the end" {
				t.Errorf("got %v", err)
			}
		}
		if stream.Trailer().Get("x-tail")[0] != "t" || len(atEnd) != 1 || status.Code(atEnd[0]) != codes.Aborted {
			t.Errorf("trailer %v, finished with %v", stream.Trailer(), atEnd)
		}
		if !eng.last().Replayable() {
			t.Error("the only message of the request cannot be sent again")
		}
	})
}

func TestConnClientStream(t *testing.T) {
	overServer(t, func(t *testing.T, _ *testService, client *sdk.Client, _ *engine) {
		stream, err := testStub(client).StreamingInputCall(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		for range 20 {
			if err := stream.Send(&grpc_testing.StreamingInputCallRequest{Payload: payload(50_000)}); err != nil {
				t.Fatal(err)
			}
		}
		if got, err := stream.CloseAndRecv(); err != nil || got.GetAggregatedPayloadSize() != 1_000_000 {
			t.Fatalf("got %v, %v", got, err)
		}
		if err := stream.RecvMsg(&grpc_testing.StreamingInputCallResponse{}); !errors.Is(err, io.EOF) {
			t.Errorf("after the end: %v", err)
		}

		// The service has enough before the client has sent all: who only sends hears of it.
		stream, err = testStub(client).StreamingInputCall(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		sent := 0
		for err == nil {
			err = stream.Send(&grpc_testing.StreamingInputCallRequest{Payload: payload(50_000)})
			if sent++; sent > 1000 {
				t.Fatal("sending goes on though the call is over")
			}
		}
		if !errors.Is(err, io.EOF) {
			t.Errorf("sending ended with %v", err)
		}
		if _, err := stream.CloseAndRecv(); status.Code(err) != codes.ResourceExhausted {
			t.Errorf("got %v", err)
		}
	})
}

func TestConnBothWays(t *testing.T) {
	overServer(t, func(t *testing.T, _ *testService, client *sdk.Client, _ *engine) {
		stream, err := testStub(client).FullDuplexCall(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		for _, n := range []int{1, 30_000, 0, 400_000} {
			if err := stream.Send(&grpc_testing.StreamingOutputCallRequest{Payload: payload(n)}); err != nil {
				t.Fatal(err)
			}
			if got, err := stream.Recv(); err != nil || len(got.GetPayload().GetBody()) != n {
				t.Fatalf("%d: %v", n, err)
			}
		}
		_ = stream.CloseSend()
		if _, err := stream.Recv(); !errors.Is(err, io.EOF) {
			t.Errorf("at the end: %v", err)
		}

		// The service ends a stream whose client only sends.
		if stream, err = testStub(client).FullDuplexCall(t.Context()); err != nil {
			t.Fatal(err)
		}
		_ = stream.Send(&grpc_testing.StreamingOutputCallRequest{Payload: payload(10)})
		_ = stream.Send(&grpc_testing.StreamingOutputCallRequest{ResponseStatus: &grpc_testing.EchoStatus{Code: 8, Message: "enough"}})
		synctest.Wait()
		for i := 0; ; i++ {
			if err := stream.Send(&grpc_testing.StreamingOutputCallRequest{Payload: payload(10_000)}); errors.Is(err, io.EOF) {
				break
			}
			if i > 20 {
				t.Fatal("sending goes on though the call is over")
			}
		}
		if got, err := stream.Recv(); err != nil || len(got.GetPayload().GetBody()) != 10 {
			t.Errorf("what came before the end: %v", err)
		}
		if _, err := stream.Recv(); status.Code(err) != codes.ResourceExhausted {
			t.Errorf("got %v", err)
		}
	})
}

// Nobody reads: the sender waits, with little in between, and hears of the end.
func TestConnHoldsLittle(t *testing.T) {
	overServer(t, func(t *testing.T, _ *testService, client *sdk.Client, _ *engine) {
		ctx, cancel := context.WithCancel(t.Context())
		stream, err := testStub(client).FullDuplexCall(ctx)
		if err != nil {
			t.Fatal(err)
		}
		sent, done := 0, make(chan error)
		go func() {
			var err error
			for err == nil {
				if err = stream.Send(&grpc_testing.StreamingOutputCallRequest{Payload: payload(10_000)}); err == nil {
					sent++
				}
			}
			done <- err
		}()
		synctest.Wait()
		if sent*10_000 > 1<<20 { // the windows of both directions and hops
			t.Errorf("%d bytes are on their way and nobody reads", sent*10_000)
		}
		cancel()
		if err := <-done; !errors.Is(err, io.EOF) {
			t.Errorf("sending ended with %v", err)
		}
	})
}

func TestConnCancel(t *testing.T) {
	for _, tt := range []struct {
		name string
		ctx  func(ctx context.Context) (context.Context, context.CancelFunc)
		code codes.Code
		lift lift.Code
	}{
		{"canceled", context.WithCancel, codes.Canceled, lift.CallCanceled},
		{"too late", func(ctx context.Context) (context.Context, context.CancelFunc) {
			return context.WithTimeout(ctx, time.Second)
		}, codes.DeadlineExceeded, lift.DeadlineExceeded},
	} {
		hang := &grpc_testing.StreamingOutputCallRequest{ResponseStatus: &grpc_testing.EchoStatus{Message: "hang"}}
		t.Run(tt.name, func(t *testing.T) {
			overServer(t, func(t *testing.T, svc *testService, client *sdk.Client, _ *engine) {
				ctx, cancel := tt.ctx(t.Context())
				defer cancel()
				finished := make(chan error, 1)
				stream, err := testStub(client).FullDuplexCall(ctx, grpc.OnFinish(func(err error) { finished <- err }))
				if err != nil {
					t.Fatal(err)
				}
				_ = stream.Send(hang)
				if tt.code == codes.Canceled {
					time.AfterFunc(time.Second, cancel)
				}
				began := time.Now()
				_, err = stream.Recv()
				// The service knows the deadline too, and may be the first to say so.
				own := lift.CodeOf(err) == tt.lift || tt.code == codes.DeadlineExceeded && lift.CodeOf(err) == ""
				if status.Code(err) != tt.code || !own || time.Since(began) > 1100*time.Millisecond {
					t.Errorf("got %v after %s", err, time.Since(began))
				}
				if err := <-finished; status.Code(err) != tt.code {
					t.Errorf("finished with %v", err)
				}
				<-svc.canceled
				synctest.Wait()
			})
		})
		t.Run(tt.name+", nobody looks", func(t *testing.T) {
			overServer(t, func(t *testing.T, svc *testService, client *sdk.Client, eng *engine) {
				ctx, cancel := tt.ctx(t.Context())
				defer cancel()
				finished := make(chan error, 1)
				stream, err := testStub(client).FullDuplexCall(ctx, grpc.OnFinish(func(err error) { finished <- err }))
				if err != nil {
					t.Fatal(err)
				}
				_ = stream.Send(hang)
				if tt.code == codes.Canceled {
					synctest.Wait()
					cancel()
				}
				<-svc.canceled
				if err := <-finished; status.Code(err) != tt.code {
					t.Errorf("finished with %v", err)
				}
				synctest.Wait()
				if calls, ended := eng.count(); calls != ended {
					t.Error("the call still holds what it has")
				}
				if _, err := stream.Recv(); status.Code(err) != tt.code {
					t.Errorf("got %v", err)
				}
			})
		})
		t.Run(tt.name+", before it began", func(t *testing.T) {
			overServer(t, func(t *testing.T, _ *testService, client *sdk.Client, eng *engine) {
				ctx, cancel := tt.ctx(t.Context())
				defer cancel()
				stream, err := client.Conn("orders").NewStream(ctx, &grpc.StreamDesc{ServerStreams: true}, "/a/b")
				if err != nil {
					t.Fatal(err)
				}
				if tt.code == codes.Canceled {
					time.AfterFunc(time.Second, cancel)
				}
				if err := stream.RecvMsg(&grpc_testing.Empty{}); status.Code(err) != tt.code {
					t.Errorf("got %v", err)
				}
				if err := stream.SendMsg(&grpc_testing.Empty{}); !errors.Is(err, io.EOF) {
					t.Errorf("sending: %v", err)
				}
				if calls, _ := eng.count(); calls != 0 {
					t.Error("the call was made")
				}
			})
		})
	}
}

func TestConnCompression(t *testing.T) {
	overServer(t, func(t *testing.T, _ *testService, client *sdk.Client, eng *engine) {
		got, err := testStub(client).UnaryCall(t.Context(), &grpc_testing.SimpleRequest{Payload: payload(100_000)}, grpc.UseCompressor("gzip"))
		if err != nil || len(got.GetPayload().GetBody()) != 100_000 {
			t.Fatalf("got %v", err)
		}
		if c := eng.last(); c.Body.Size() > 1000 || lift.Get(c.Header, "grpc-encoding") != "gzip" {
			t.Errorf("%d bytes were sent as %q", c.Body.Size(), lift.Get(c.Header, "grpc-encoding"))
		}
		_, err = testStub(client).UnaryCall(t.Context(), &grpc_testing.SimpleRequest{Payload: payload(100_000)}, grpc.UseCompressor("gzip"), grpc.MaxCallRecvMsgSize(99_999))
		if status.Code(err) != codes.ResourceExhausted {
			t.Errorf("a message that is too long once it is decompressed: %v", err)
		}
	})
}

func TestConnRefuses(t *testing.T) {
	overServer(t, func(t *testing.T, _ *testService, client *sdk.Client, eng *engine) {
		big := &grpc_testing.SimpleRequest{Payload: payload(1000)}
		for _, tt := range []struct {
			name, service string
			opts          []grpc.CallOption
			md            []string
			code          codes.Code
			says          string
		}{
			{"service", "or/ders", nil, nil, codes.InvalidArgument, "is not the name of a service"},
			{"authority", "orders", []grpc.CallOption{grpc.CallAuthority("x")}, nil, codes.InvalidArgument, "lift.yaml"},
			{"compressor", "orders", []grpc.CallOption{grpc.UseCompressor("zip")}, nil, codes.Internal, `"zip" is not known`},
			{"subtype", "orders", []grpc.CallOption{grpc.CallContentSubtype("cbor")}, nil, codes.Internal, `"cbor"`},
			{"size", "orders", []grpc.CallOption{grpc.MaxCallSendMsgSize(999)}, nil, codes.ResourceExhausted, "the limit is 999"},
			{"credentials", "orders", []grpc.CallOption{grpc.PerRPCCredentials(token{secure: true})}, nil, codes.Unauthenticated, "lift.yaml"},
			{"key", "orders", nil, []string{"x y", "1"}, codes.Internal, `"x y"`},
			{"value", "orders", nil, []string{"x", "\x01"}, codes.Internal, "-bin"},
		} {
			var finished []error
			_, err := grpc_testing.NewTestServiceClient(client.Conn(tt.service)).UnaryCall(metadata.AppendToOutgoingContext(t.Context(), tt.md...), big,
				append(tt.opts, grpc.OnFinish(func(err error) { finished = append(finished, err) }))...)
			if status.Code(err) != tt.code || !strings.Contains(err.Error(), tt.says) {
				t.Errorf("%s: got %v, want %s", tt.name, err, tt.code)
			}
			if len(finished) != 1 {
				t.Errorf("%s: finished with %v", tt.name, finished)
			}
		}
		if calls, _ := eng.count(); calls > 0 {
			t.Errorf("%d calls were made", calls)
		}
		var header metadata.MD
		_, err := testStub(client).UnaryCall(t.Context(), big, grpc.PerRPCCredentials(token{}), grpc.Header(&header))
		if err != nil || header.Get("x-head")[0] != "secret" {
			t.Errorf("credentials: %v, %v", header, err)
		}
		if _, err := testStub(client).UnaryCall(t.Context(), &grpc_testing.SimpleRequest{ResponseSize: 5 << 20}); status.Code(err) != codes.ResourceExhausted {
			t.Errorf("5 MiB came, the limit is 4: %v", err)
		}
	})
}

type token struct{ secure bool }

func (token) GetRequestMetadata(_ context.Context, uri ...string) (map[string]string, error) {
	if uri[0] != "http://orders/grpc.testing.TestService" {
		return nil, errors.New(uri[0])
	}
	return map[string]string{"x-ask": "secret"}, nil
}
func (t token) RequireTransportSecurity() bool { return t.secure }

var _ credentials.PerRPCCredentials = token{}

// Answers that no gRPC service gives.
func TestConnStrangeAnswers(t *testing.T) {
	grpcType := lift.Field{Name: "Content-Type", Value: "application/grpc"}
	okStatus := []lift.Field{{Name: "grpc-status", Value: "0"}}
	message := "\x00\x00\x00\x00\x00"
	for _, tt := range []struct {
		name    string
		resp    *lift.Response
		trailer []lift.Field
		code    codes.Code
		says    string
	}{
		{"HTML", status200("<html>", lift.Field{Name: "content-type", Value: "text/html"}), nil, codes.Unknown, "text/html"},
		{"502", statusOf(502, "x"), nil, codes.Unavailable, "502"},
		{"404", statusOf(404, "x"), nil, codes.Unimplemented, "404"},
		{"no status", status200(message, grpcType), nil, codes.Internal, "without a status"},
		{"trailers only", status200("", grpcType, lift.Field{Name: "Grpc-Status", Value: "7"}, lift.Field{Name: "Grpc-Message", Value: "a%20b"}), nil, codes.PermissionDenied, "a b"},
		{"odd status", status200(message, grpcType), []lift.Field{{Name: "grpc-status", Value: "x"}}, codes.Unknown, `"x"`},
		{"no message", status200("", grpcType), okStatus, codes.Internal, "no message"},
		{"two messages", status200(message+message, grpcType), okStatus, codes.Internal, "second message"},
		{"half a prefix", status200("\x00\x00", grpcType), okStatus, codes.Internal, "middle of a message"},
		{"half a message", status200("\x00\x00\x00\x00\x05ab", grpcType), okStatus, codes.Internal, "middle of a message"},
		{"a lying length", status200("\x00\x00\x3f\xff\xffab", grpcType), okStatus, codes.Internal, "middle of a message"},
		{"a flag", status200("\x07\x00\x00\x00\x00", grpcType), okStatus, codes.Internal, "flag 7"},
		{"compressed, unsaid", status200("\x01\x00\x00\x00\x00", grpcType), okStatus, codes.Internal, "compressed"},
		{"compressed, unknown", status200("\x01\x00\x00\x00\x00", grpcType, lift.Field{Name: "grpc-encoding", Value: "br"}), okStatus, codes.Unimplemented, `"br"`},
		{"compressed, garbage", status200("\x01\x00\x00\x00\x03abc", grpcType, lift.Field{Name: "grpc-encoding", Value: "gzip"}), okStatus, codes.Internal, "decompressed"},
		{"garbage", status200("\x00\x00\x00\x00\x02\xff\xff", grpcType), okStatus, codes.Internal, "decoded"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			tt.resp.Body.SetTrailer(tt.trailer)
			client := sdk.New(newEngine(t, func(*lift.Call) (*lift.Response, error) { return tt.resp, nil }))
			_, err := testStub(client).UnaryCall(t.Context(), &grpc_testing.SimpleRequest{})
			if status.Code(err) != tt.code || !strings.Contains(err.Error(), tt.says) {
				t.Errorf("unary: %v, want %s", err, tt.code)
			}
			stream, err := testStub(client).StreamingInputCall(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			if _, err := stream.CloseAndRecv(); status.Code(err) != tt.code || !strings.Contains(err.Error(), tt.says) {
				t.Errorf("stream: %v, want %s", err, tt.code)
			}
		})
	}
	for _, cause := range []error{io.ErrUnexpectedEOF, fmt.Errorf("the session broke: %w", io.EOF), &lift.Error{Code: lift.SessionLost, Err: io.EOF}} {
		for _, said := range []string{"", "\x00\x00\x00", "\x00\x00\x00\x00\x05ab", message} {
			client := sdk.New(newEngine(t, func(c *lift.Call) (*lift.Response, error) {
				out := stream(c)
				go func() {
					_, _ = io.WriteString(out, said)
					_ = out.CloseWithError(cause)
				}()
				return &lift.Response{Status: 200, Header: []lift.Field{grpcType}, Body: out.body}, nil
			}))
			_, err := testStub(client).UnaryCall(t.Context(), &grpc_testing.SimpleRequest{})
			if status.Code(err) != codes.Unavailable || lift.CodeOf(err) == "" {
				t.Errorf("%q, then %v: got %v", said, cause, err)
			}
			output, err := testStub(client).StreamingOutputCall(t.Context(), &grpc_testing.StreamingOutputCallRequest{})
			for err == nil {
				_, err = output.Recv()
			}
			if status.Code(err) != codes.Unavailable || lift.CodeOf(err) == "" {
				t.Errorf("%q, then %v: the stream ended with %v", said, cause, err)
			}
		}
	}
}

func status200(body string, header ...lift.Field) *lift.Response {
	return statusOf(http.StatusOK, body, header...)
}
