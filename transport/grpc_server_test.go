package transport_test

import (
	"context"
	"encoding/binary"
	"io"
	"net"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/health/grpc_health_v1"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"
	"google.golang.org/grpc/test/bufconn"
	"google.golang.org/protobuf/proto"

	"github.com/liftmesh/lift"
	"github.com/liftmesh/lift/transport"
)

// healthServer is a server of grpc-go's, as most of Go's are.
type healthServer struct {
	grpc_health_v1.UnimplementedHealthServer
	mu     sync.Mutex
	ends   []error // how calls ended on the server's side
	budget []time.Duration
}

func (s *healthServer) Check(ctx context.Context, r *grpc_health_v1.HealthCheckRequest) (*grpc_health_v1.HealthCheckResponse, error) {
	until, _ := ctx.Deadline()
	s.mu.Lock()
	s.budget = append(s.budget, time.Until(until))
	s.mu.Unlock()
	switch r.GetService() {
	case "hang":
		<-ctx.Done()
		s.mu.Lock()
		s.ends = append(s.ends, ctx.Err())
		s.mu.Unlock()
		return nil, ctx.Err()
	case "":
		_ = grpc.SetTrailer(ctx, metadata.Pairs("key-bin", "\x00\xff"))
		return &grpc_health_v1.HealthCheckResponse{Status: grpc_health_v1.HealthCheckResponse_SERVING}, nil
	default:
		return nil, status.Error(codes.NotFound, "nobody of that name")
	}
}

func (s *healthServer) Watch(_ *grpc_health_v1.HealthCheckRequest, w grpc_health_v1.Health_WatchServer) error {
	for range 3 {
		if err := w.Send(&grpc_health_v1.HealthCheckResponse{Status: grpc_health_v1.HealthCheckResponse_SERVING}); err != nil {
			return err
		}
		time.Sleep(time.Second)
	}
	return nil
}

// grpcBench is a mux to a server of grpc-go's.
type grpcBench struct {
	*transport.Mux
	server *healthServer
	grpc   *grpc.Server
	clock  *clock

	mu    sync.Mutex
	dials int
}

func newGRPCBench(t *testing.T, opts ...grpc.ServerOption) *grpcBench {
	t.Helper()
	ln := bufconn.Listen(1 << 20)
	b := &grpcBench{server: &healthServer{}, grpc: grpc.NewServer(opts...), clock: newClock()}
	grpc_health_v1.RegisterHealthServer(b.grpc, b.server)
	go func() { _ = b.grpc.Serve(ln) }()
	b.Mux = transport.NewMux("orders.test:80", transport.Options{Now: b.clock.now, Config: transport.Config{Protocol: transport.GRPC}, Dial: func(ctx context.Context, _, _ string) (net.Conn, error) {
		b.mu.Lock()
		b.dials++
		b.mu.Unlock()
		return ln.DialContext(ctx)
	}})
	t.Cleanup(func() {
		b.Close()
		b.grpc.Stop()
		synctest.Wait()
	})
	return b
}

func (b *grpcBench) call(t *testing.T, method, service string) *lift.Attempt {
	t.Helper()
	m, err := proto.Marshal(&grpc_health_v1.HealthCheckRequest{Service: service})
	if err != nil {
		t.Fatal(err)
	}
	frame := binary.BigEndian.AppendUint32([]byte{0}, uint32(len(m))) //nolint:gosec // it is short
	c := aCall(b.clock, "POST", lift.BytesBody(append(frame, m...)))
	c.Path = "/grpc.health.v1.Health/" + method
	c.Header = []lift.Field{{Name: "content-type", Value: "application/grpc"}}
	return c
}

// A server of grpc-go's and its rules: what it answers, what it is told of time, and
// that it hears of a call that was cut.
func TestGRPCServer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newGRPCBench(t)
		resp, err := b.RoundTrip(b.call(t, "Check", ""))
		if err != nil {
			t.Fatal(err)
		}
		got, whole := resp.Body.Complete()
		if !whole || string(got) != "\x00\x00\x00\x00\x02\x08\x01" || lift.Get(resp.Body.Trailer(), "grpc-status") != "0" || lift.Get(resp.Body.Trailer(), "key-bin") != "AP8" {
			t.Errorf("got %q, %v, %v", got, whole, resp.Body.Trailer())
		}
		if resp, err = b.RoundTrip(b.call(t, "Check", "nobody")); err != nil || lift.Get(resp.Header, "grpc-status") != "5" {
			t.Errorf("%+v, %v", resp, err)
		}
		hang := b.call(t, "Check", "hang")
		_, err = b.RoundTrip(hang)
		wantError(t, err, lift.AttemptTimeout)
		synctest.Wait()
		b.server.mu.Lock()
		defer b.server.mu.Unlock()
		if len(b.server.ends) != 1 || b.server.ends[0] != context.Canceled { //nolint:errorlint // it is that one
			t.Errorf("the server heard %v", b.server.ends)
		}
		for _, left := range b.server.budget {
			if left != 10*time.Second {
				t.Errorf("the server was told of %s", left)
			}
		}
	})
}

func TestGRPCServerStreams(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newGRPCBench(t)
		began := time.Now()
		resp, err := b.RoundTrip(b.call(t, "Watch", ""))
		if err != nil || time.Since(began) != 5*time.Millisecond {
			t.Fatalf("after %s: %v", time.Since(began), err)
		}
		r, _ := resp.Body.Reader()
		first := make([]byte, 7)
		if _, err := io.ReadFull(r, first); err != nil || time.Since(began) != 5*time.Millisecond {
			t.Errorf("the first message after %s: %v", time.Since(began), err)
		}
		rest, err := io.ReadAll(r)
		if err != nil || len(rest) != 14 || lift.Get(resp.Body.Trailer(), "grpc-status") != "0" {
			t.Errorf("%d bytes, %v, %v", len(rest), resp.Body.Trailer(), err)
		}
	})
}

// grpc-go hangs up on who pings too often (ENHANCE_YOUR_CALM). A ping before a call
// after each thaw is not too often: the answer in between makes up for it.
func TestGRPCServerBearsOurPings(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newGRPCBench(t)
		old := 0
		for range 30 {
			c := b.call(t, "Check", "")
			resp, err := b.RoundTrip(c)
			if err != nil || lift.Get(resp.Body.Trailer(), "grpc-status") != "0" {
				t.Fatal(err)
			}
			if !c.Fresh {
				old++
			}
			synctest.Wait()
			if s := b.Stats(); s.Open != 1 {
				t.Errorf("%+v", s)
			}
			b.clock.jump(10*time.Second, 0)
		}
		t.Logf("%d of 30 calls went over the connection that was there", old)
	})
}

// A server that drains (GracefulStop) loses no call.
func TestGRPCServerDrains(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newGRPCBench(t)
		stream, err := b.RoundTrip(b.call(t, "Watch", ""))
		if err != nil {
			t.Fatal(err)
		}
		go b.grpc.GracefulStop()
		synctest.Wait()
		c := b.call(t, "Check", "")
		_, err = b.RoundTrip(c)
		if lift.CodeOf(err) != lift.Unavailable || c.Reached != lift.NotReached {
			t.Errorf("%v, %+v", err, c)
		}
		if got, err := stream.Body.ReadAll(0); err != nil || len(got) != 21 {
			t.Errorf("%d bytes, %v", len(got), err)
		}
	})
}
