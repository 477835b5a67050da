package sdk_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials"
	_ "google.golang.org/grpc/encoding/gzip"
	"google.golang.org/grpc/interop/grpc_testing"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"

	"github.com/liftmesh/lift"
	"github.com/liftmesh/lift/sdk"
)

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
