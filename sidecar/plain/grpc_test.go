package plain_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/encoding"
	_ "google.golang.org/grpc/encoding/gzip" // so that the client can compress
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"

	"github.com/liftmesh/lift"
	liftv1 "github.com/liftmesh/lift/proto/lift/v1"
	"github.com/liftmesh/lift/sidecar/plain"
)

// plainBytes is a codec whose messages are what they are.
type plainBytes struct{}

var _ encoding.Codec = plainBytes{}

func (plainBytes) Marshal(v any) ([]byte, error) { return []byte(*v.(*string)), nil }
func (plainBytes) Unmarshal(b []byte, v any) error {
	*v.(*string) = string(b)
	return nil
}
func (plainBytes) Name() string { return "bytes" }

// stub is an unmodified gRPC client of a service.
func stub(t *testing.T, addr, service string) *grpc.ClientConn {
	t.Helper()
	cc, err := grpc.NewClient("passthrough:///"+addr, grpc.WithTransportCredentials(insecure.NewCredentials()), grpc.WithAuthority(service),
		grpc.WithDefaultCallOptions(grpc.ForceCodec(plainBytes{})))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = cc.Close() })
	return cc
}

// echoed answers a call of gRPC by the messages that it sends, each as it comes,
// and by its metadata.
func echoed(c *lift.Call) (*lift.Response, error) {
	r, err := c.Body.Reader()
	if err != nil {
		return nil, err
	}
	head := []lift.Field{{Name: "Content-Type", Value: "application/grpc"}, {Name: "Told", Value: fmt.Sprintf("%s %s %s %v", c.Service, c.Method, c.Path, c.Timeout)}}
	for _, f := range c.Header {
		if strings.HasPrefix(f.Name, "X-") || f.Name == "Grpc-Encoding" {
			head = append(head, f)
		}
	}
	body := lift.StreamBody(r, -1, 0)
	body.SetTrailer([]lift.Field{{Name: "Grpc-Status", Value: "0"}, {Name: "X-End-Bin", Value: "AAEC"}, {Name: "Lift-Error", Value: "forged"}})
	return &lift.Response{Status: 200, Header: head, Body: body}, nil
}

func TestGRPCOfAllKinds(t *testing.T) {
	addr, _ := serve(t, plain.Config{Caller: lift.CallerFunc(echoed)})
	cc := stub(t, addr, "orders")
	ctx := metadata.AppendToOutgoingContext(t.Context(), "x-a", "1", "x-a", "2", "x-raw-bin", "\x00\xff", "lift-tenant", "acme")

	t.Run("unary", func(t *testing.T) {
		var head, end metadata.MD
		var got string
		if err := cc.Invoke(ctx, "/shop.Orders/Get", new("seventeen"), &got, grpc.Header(&head), grpc.Trailer(&end)); err != nil || got != "seventeen" {
			t.Fatalf("%q, %v", got, err)
		}
		if fmt.Sprint(head["told"], head["x-a"], head["x-raw-bin"]) != "[orders POST /shop.Orders/Get 0s] [1 2] [\x00\xff]" ||
			fmt.Sprint(end["x-end-bin"], end["lift-error"]) != "[\x00\x01\x02] []" {
			t.Errorf("header %q, trailers %q", head, end)
		}
	})
	t.Run("authority in another case", func(t *testing.T) {
		var head metadata.MD
		var got string
		if err := stub(t, addr, "Orders").Invoke(ctx, "/shop.Orders/Get", new("a"), &got, grpc.Header(&head)); err != nil || fmt.Sprint(head["told"]) != "[orders POST /shop.Orders/Get 0s]" {
			t.Errorf("%q, %v", head["told"], err)
		}
	})
	t.Run("compressed", func(t *testing.T) {
		var head metadata.MD
		var got string
		text := strings.Repeat("a", 100_000)
		if err := cc.Invoke(ctx, "/shop.Orders/Get", &text, &got, grpc.UseCompressor("gzip"), grpc.Header(&head)); err != nil || got != text {
			t.Fatalf("%d bytes, %v", len(got), err)
		}
	})
	t.Run("streams", func(t *testing.T) {
		s, err := cc.NewStream(ctx, &grpc.StreamDesc{ClientStreams: true, ServerStreams: true}, "/shop.Orders/Chat")
		if err != nil {
			t.Fatal(err)
		}
		var got string
		for i := range 3 { // each goes and comes before the next
			if err := s.SendMsg(new(fmt.Sprint(i))); err != nil {
				t.Fatal(err)
			}
			if err := s.RecvMsg(&got); err != nil || got != fmt.Sprint(i) {
				t.Fatalf("%q, %v", got, err)
			}
		}
		_ = s.CloseSend()
		if err := s.RecvMsg(&got); !errors.Is(err, io.EOF) {
			t.Error(err)
		}
	})
}

// What is Lift's own word is a status with all that Lift knows, in one frame.
func TestGRPCStatusOfEachCode(t *testing.T) {
	for _, tt := range []struct {
		code    lift.Code
		reached lift.Reached
		again   bool // it may be sent twice
		want    codes.Code
	}{
		{lift.UnknownService, lift.NotReached, false, codes.NotFound},
		{lift.Misconfigured, lift.NotReached, false, codes.FailedPrecondition},
		{lift.InvalidCall, lift.NotReached, false, codes.InvalidArgument},
		{lift.TooLarge, lift.NotReached, false, codes.ResourceExhausted},
		{lift.Busy, lift.NotReached, false, codes.ResourceExhausted},
		{lift.NoSet, lift.NotReached, false, codes.Unavailable},
		{lift.AllOpen, lift.NotReached, false, codes.Unavailable},
		{lift.AllOpen, lift.MayHaveActed, false, codes.Unknown},
		{lift.Unavailable, lift.NotReached, false, codes.Unavailable},
		{lift.Unavailable, lift.MayHaveActed, false, codes.Unknown},
		{lift.Unavailable, lift.MayHaveActed, true, codes.Unavailable},
		{lift.Draining, lift.NotReached, false, codes.Unavailable},
		{lift.BadResponse, lift.Answered, false, codes.Unknown},
		{lift.AttemptTimeout, lift.MayHaveActed, false, codes.DeadlineExceeded},
		{lift.DeadlineExceeded, lift.MayHaveActed, false, codes.DeadlineExceeded},
		{lift.CallCanceled, lift.NotReached, false, codes.Canceled},
		{lift.Internal, lift.MayHaveActed, false, codes.Internal},
	} {
		t.Run(fmt.Sprint(tt.code, tt.reached, tt.again), func(t *testing.T) {
			addr, _ := serve(t, plain.Config{Caller: fail(tt.code, tt.reached)})
			ctx := t.Context()
			if tt.again {
				ctx = metadata.AppendToOutgoingContext(ctx, "lift-idempotent", "true")
			}
			var got string
			var end metadata.MD
			err := stub(t, addr, "orders").Invoke(ctx, "/shop.Orders/Get", new("x"), &got, grpc.Trailer(&end))
			s := status.Convert(err)
			if s.Code() != tt.want || !strings.Contains(s.Message(), "because") || fmt.Sprint(end["lift-error"]) != fmt.Sprintf("[%s]", tt.code) {
				t.Fatalf("%v, %v", err, end)
			}
			if d := s.Details(); len(d) != 1 {
				t.Errorf("details: %v", d)
			} else if e, ok := d[0].(*liftv1.Error); !ok || e.GetCode() != string(tt.code) || e.GetEndpoint() != "10.0.0.1:80" || (e.GetReached() == liftv1.Reached_REACHED_MAY_HAVE_ACTED) != (tt.reached == lift.MayHaveActed) {
				t.Errorf("detail: %v", d[0])
			}
		})
	}
}

func TestGRPCRefusals(t *testing.T) {
	addr, _ := serve(t, plain.Config{Caller: lift.CallerFunc(tell), Limits: plain.Limits{MaxHeader: 4096}})
	for _, tt := range []struct {
		name   string
		fields []string
		status string
		says   string
	}{
		{"Lift itself", []string{":authority", "localhost"}, "12", "names no service"},
		{"no authority", []string{":authority", ""}, "12", "names no service"},
		{"an unknown wish", []string{":authority", "orders", "lift-timout", "1s"}, "3", "none that Lift knows"},
		{"a timeout that is none", []string{":authority", "orders", "grpc-timeout", "1s"}, "3", "up to eight digits"},
		{"two timeouts", []string{":authority", "orders", "grpc-timeout", "1S", "grpc-timeout", "2S"}, "3", "2 times"},
		{"much metadata", []string{":authority", "orders", "x-a", strings.Repeat("a", 5000)}, "8", "the limit is 4096"},
		{"no name in ASCII", []string{":authority", "orders", "lift-tenant", "a", "lift-x", "100%\u00e9"}, "3", "none that Lift knows"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			f := frames(t, addr)
			f.ask(1, false, append([]string{":method", "POST", ":scheme", "http", ":path", "/a.B/C"},
				append(tt.fields, "content-type", "application/grpc", "te", "trailers")...)...)
			r := f.replyTo(1)
			h := r.header
			if r.status != "200" || h.Get("Grpc-Status") != tt.status || !strings.Contains(h.Get("Grpc-Message"), tt.says) || h.Get("Content-Type") != "application/grpc" {
				t.Fatalf("%v", r)
			}
			if h.Get("Content-Length") != "" || h.Get("Date") != "" || r.trailer != nil || r.body != "" {
				t.Errorf("not one frame alone: %v", r)
			}
		})
	}
	// What only looks alike is no gRPC.
	f := frames(t, addr)
	f.ask(1, true, asks("POST", "/", "content-type", "application/grpc-web", "lift-x", "1")...)
	if r := f.replyTo(1); r.status != "400" || r.header.Get("Content-Type") != "application/json" {
		t.Errorf("gRPC-Web: %v", r)
	}
}

// A status without messages passes as one frame.
func TestGRPCTrailersOnlyPasses(t *testing.T) {
	addr, _ := serve(t, plain.Config{Caller: lift.CallerFunc(func(*lift.Call) (*lift.Response, error) {
		return &lift.Response{Status: 200, Header: []lift.Field{
			{Name: "Content-Type", Value: "application/grpc+proto"}, {Name: "Grpc-Status", Value: "5"}, {Name: "Grpc-Message", Value: "none%20here"},
		}}, nil
	})})
	f := frames(t, addr)
	f.ask(1, true, asks("POST", "/a.B/C", "content-type", "application/grpc+proto")...)
	if r := f.replyTo(1); r.String() != `200 map[Content-Type:[application/grpc+proto] Grpc-Message:[none%20here] Grpc-Status:[5]] "" map[]` {
		t.Error(r)
	}
}

// An answer that breaks off ends in a status, not as if it were whole; what has
// come is not taken back.
func TestGRPCAnswerThatBreaksOff(t *testing.T) {
	addr, _ := serve(t, plain.Config{Caller: lift.CallerFunc(func(c *lift.Call) (*lift.Response, error) {
		r, w := io.Pipe()
		go func() {
			_, _ = w.Write([]byte("\x00\x00\x00\x00\x05first"))
			_ = w.CloseWithError(&lift.Error{Code: lift.Unavailable, Service: c.Service, Endpoint: "10.0.0.1:80", Err: errors.New("it was killed")})
		}()
		return &lift.Response{Status: 200, Header: []lift.Field{{Name: "Content-Type", Value: "application/grpc"}}, Body: lift.StreamBody(r, -1, 0)}, nil
	})})
	s, err := stub(t, addr, "orders").NewStream(t.Context(), &grpc.StreamDesc{ServerStreams: true}, "/shop.Orders/List")
	if err != nil {
		t.Fatal(err)
	}
	var got string
	if err := errors.Join(s.SendMsg(new("x")), s.CloseSend(), s.RecvMsg(&got)); err != nil || got != "first" {
		t.Fatalf("%q, %v", got, err)
	}
	if err := s.RecvMsg(&got); status.Code(err) != codes.Unknown || !strings.Contains(err.Error(), "it was killed") {
		t.Errorf("the end: %v", err)
	}
	if fmt.Sprint(s.Trailer()["lift-error"]) != "[unavailable]" {
		t.Errorf("trailers: %v", s.Trailer())
	}
}

// A client's own deadline is the call's.
func TestGRPCDeadline(t *testing.T) {
	told := make(chan time.Duration, 1)
	gone := make(chan error, 1)
	addr, _ := serve(t, plain.Config{Caller: lift.CallerFunc(func(c *lift.Call) (*lift.Response, error) {
		told <- c.Timeout
		<-c.Done()
		gone <- c.Err()
		return nil, lift.Errorf(c, lift.CallCanceled, "%w", c.Err())
	})})
	cc := stub(t, addr, "orders")
	ctx, cancel := context.WithTimeout(t.Context(), time.Hour)
	go func() {
		if d := <-told; d <= 59*time.Minute || d > time.Hour {
			t.Errorf("the call has %v", d)
		}
		cancel()
	}()
	var got string
	if err := cc.Invoke(ctx, "/shop.Orders/Get", new("x"), &got); status.Code(err) != codes.Canceled {
		t.Error(err)
	}
	if err := <-gone; !errors.Is(err, plain.ErrCallerVanished) {
		t.Error(err)
	}
}

// The earlier of what gRPC and the caller say of time holds.
func TestGRPCTimeoutAndLiftTimeout(t *testing.T) {
	addr, _ := serve(t, plain.Config{Caller: lift.CallerFunc(echoed)})
	f := frames(t, addr)
	id := uint32(1)
	for want, fields := range map[string][]string{
		"2s":         {"grpc-timeout", "2S"},
		"1.5s":       {"grpc-timeout", "1500m", "lift-timeout", "2s"},
		"250ms":      {"grpc-timeout", "2S", "lift-timeout", "250ms"},
		"1ns":        {"grpc-timeout", "0n"},
		"87600h0m0s": {"grpc-timeout", "99999999H"},
	} {
		f.ask(id, false, append(asks("POST", "/", "content-type", "application/grpc"), fields...)...)
		f.must(f.WriteData(id, true, nil))
		if r := f.replyTo(id); r.header.Get("Told") != "orders POST / "+want {
			t.Errorf("%v: %v, want %s", fields, r, want)
		}
		id += 2
	}
}

// A peer over the limit is told so in its words, and on which connection.
func TestGRPCPeersBeyondTheLimit(t *testing.T) {
	addr, _ := serve(t, plain.Config{Caller: lift.CallerFunc(echoed), Limits: plain.Limits{MaxPeers: 1}})
	first := frames(t, addr)
	second := frames(t, addr)
	second.ask(1, true, asks("POST", "/", "content-type", "application/grpc")...)
	r := second.replyTo(1)
	if r.header.Get("Grpc-Status") != "8" || !strings.Contains(r.header.Get("Grpc-Message"), "limit of 1 connections") {
		t.Errorf("%v", r)
	}
	if !r.leaving {
		t.Error("no GOAWAY")
	}
	first.works(1)
}
