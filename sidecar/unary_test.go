package sidecar_test

import (
	"context"
	"errors"
	"io"
	"strings"
	"testing"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/health/grpc_health_v1"
	"google.golang.org/grpc/status"

	"github.com/liftmesh/lift"
	"github.com/liftmesh/lift/internal/wire"
	liftv1 "github.com/liftmesh/lift/proto/lift/v1"
	"github.com/liftmesh/lift/sidecar"
)

func TestUnaryCall(t *testing.T) {
	_, socket := start(t, lift.CallerFunc(echo), sidecar.Config{})
	api := liftv1.NewLiftClient(connect(t, socket))
	resp, err := api.Call(t.Context(), &liftv1.CallRequest{Service: "orders", Path: "/a", Body: []byte("hi")})
	if err != nil {
		t.Fatal(err)
	}
	if resp.GetStatus() != 200 || string(resp.GetBody()) != "hi" || string(resp.GetHeader()[0].GetValue()) != "/a" || resp.GetTrailer()[0].GetName() != "After" {
		t.Errorf("%v", resp)
	}
}

func TestUnaryErrors(t *testing.T) {
	srv, socket := start(t, lift.CallerFunc(func(c *lift.Call) (*lift.Response, error) {
		switch code := lift.Code(c.Service); code {
		case "panics":
			panic("boom")
		case "large":
			return &lift.Response{Status: 200, Body: lift.StreamBody(io.NopCloser(io.LimitReader(zeros{}, 2000)), -1, 0)}, nil
		case "breaks":
			return &lift.Response{Status: 200, Body: lift.StreamBody(io.NopCloser(breaks{}), -1, 0)}, nil
		case "waits":
			<-c.Done()
			return nil, lift.Errorf(c, lift.DeadlineExceeded, "%w", c.Err())
		default:
			c.NewAttempt(lift.AttemptRecord{Endpoint: lift.Endpoint{Addr: "10.0.0.1:80"}})
			return nil, lift.Errorf(c, code, "as asked")
		}
	}), sidecar.Config{Limits: sidecar.Limits{MaxBody: 1000, MaxHeader: 1000}})
	api := liftv1.NewLiftClient(connect(t, socket))
	for _, tt := range []struct {
		service string
		req     *liftv1.CallRequest
		status  codes.Code
		code    lift.Code
	}{
		{service: string(lift.UnknownService), status: codes.NotFound},
		{service: string(lift.NoEndpoints), status: codes.Unavailable},
		{service: string(lift.AllOpen), status: codes.Unavailable},
		{service: string(lift.AttemptTimeout), status: codes.DeadlineExceeded},
		{service: string(lift.Misconfigured), status: codes.FailedPrecondition},
		{service: "panics", status: codes.Internal, code: lift.Internal},
		{service: "large", status: codes.ResourceExhausted, code: lift.TooLarge},
		{service: "breaks", status: codes.Unavailable, code: lift.Unavailable},
		{service: "body", req: &liftv1.CallRequest{Body: make([]byte, 1001)}, status: codes.ResourceExhausted, code: lift.TooLarge},
		{service: "header", req: &liftv1.CallRequest{Path: strings.Repeat("x", 1001)}, status: codes.ResourceExhausted, code: lift.TooLarge},
	} {
		req := tt.req
		if req == nil {
			req = &liftv1.CallRequest{}
		}
		req.Service = tt.service
		if tt.code == "" {
			tt.code = lift.Code(tt.service)
		}
		_, err := api.Call(t.Context(), req)
		e := wire.FromStatus(err, lift.Now())
		if status.Code(err) != tt.status || e == nil || e.Code != tt.code {
			t.Errorf("%s: %v, detail %v", tt.service, err, e)
		}
	}
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	if _, err := api.Call(ctx, &liftv1.CallRequest{Service: "waits"}); status.Code(err) != codes.DeadlineExceeded {
		t.Errorf("a deadline: %v", err)
	}
	_ = srv
}

type breaks struct{}

func (breaks) Read([]byte) (int, error) { return 0, errors.New("reset") }

func TestHealth(t *testing.T) {
	release := make(chan struct{})
	running := make(chan struct{})
	srv, socket := start(t, lift.CallerFunc(func(c *lift.Call) (*lift.Response, error) {
		close(running)
		<-release
		return echo(c)
	}), sidecar.Config{})
	conn := connect(t, socket)
	api := grpc_health_v1.NewHealthClient(conn)
	check := func(want grpc_health_v1.HealthCheckResponse_ServingStatus) {
		t.Helper()
		for _, service := range []string{"", "lift.v1.Lift"} {
			r, err := api.Check(t.Context(), &grpc_health_v1.HealthCheckRequest{Service: service})
			if err != nil || r.GetStatus() != want {
				t.Errorf("%q: %v, %v; want %v", service, r, err, want)
			}
		}
	}
	check(grpc_health_v1.HealthCheckResponse_SERVING)
	if _, err := api.Check(t.Context(), &grpc_health_v1.HealthCheckRequest{Service: "other"}); status.Code(err) != codes.NotFound {
		t.Errorf("another service: %v", err)
	}
	answered := make(chan error, 1)
	go func() {
		_, err := liftv1.NewLiftClient(conn).Call(context.Background(), &liftv1.CallRequest{Service: "orders"})
		answered <- err
	}()
	<-running
	watch, err := api.Watch(t.Context(), &grpc_health_v1.HealthCheckRequest{})
	if err != nil {
		t.Fatal(err)
	}
	if r, err := watch.Recv(); err != nil || r.GetStatus() != grpc_health_v1.HealthCheckResponse_SERVING {
		t.Fatalf("%v, %v", r, err)
	}
	drained := make(chan error, 1)
	go func() { drained <- srv.Drain(context.Background()) }()
	if r, err := watch.Recv(); err != nil || r.GetStatus() != grpc_health_v1.HealthCheckResponse_NOT_SERVING {
		t.Fatalf("%v, %v", r, err)
	}
	check(grpc_health_v1.HealthCheckResponse_NOT_SERVING)
	close(release)
	if err := <-answered; err != nil {
		t.Errorf("the running call: %v", err)
	}
	if err := <-drained; err != nil {
		t.Errorf("Drain: %v", err)
	}
}

func TestDrainCutsWhatDoesNotEnd(t *testing.T) {
	running := make(chan struct{})
	srv, socket := start(t, lift.CallerFunc(func(c *lift.Call) (*lift.Response, error) {
		close(running)
		<-c.Done()
		return nil, lift.Errorf(c, lift.CallCanceled, "%w", c.Err())
	}), sidecar.Config{})
	r := greeted(t, connect(t, socket))
	r.send(call(&liftv1.Call{Id: 1, End: true}))
	<-running
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	if err := srv.Drain(ctx); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("Drain: %v", err)
	}
	if f, err := r.next(); err != nil || f.GetGoAway() == nil {
		t.Errorf("%v, %v; want GoAway", f, err)
	}
}
