package sdk_test

import (
	"context"
	"errors"
	"fmt"
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
	"google.golang.org/grpc/peer"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/types/known/durationpb"

	"github.com/liftmesh/lift"
	liftv1 "github.com/liftmesh/lift/proto/lift/v1"
	"github.com/liftmesh/lift/sdk"
)

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
