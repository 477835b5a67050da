//go:build e2e && linux

package e2e_test

import (
	"net/http"
	"strings"
	"syscall"
	"testing"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/health/grpc_health_v1"
	"google.golang.org/grpc/status"

	"github.com/liftmesh/lift"
	"github.com/liftmesh/lift/internal/session"
	"github.com/liftmesh/lift/internal/wire"
	liftv1 "github.com/liftmesh/lift/proto/lift/v1"
)

// plainClient is what a program has that knows the proto files and nothing else.
func (s *sidecarProcess) plainClient(t *testing.T) *grpc.ClientConn {
	t.Helper()
	conn, err := grpc.NewClient("unix://"+s.socket, grpc.WithTransportCredentials(insecure.NewCredentials()))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close() })
	return conn
}

// detail is the lift.v1.Error that a status carries.
func detail(t *testing.T, err error) *liftv1.Error {
	t.Helper()
	for _, d := range status.Convert(err).Details() {
		if e, ok := d.(*liftv1.Error); ok {
			return e
		}
	}
	t.Fatalf("no lift.v1.Error comes with %v", err)
	return nil
}

func TestUnaryCallFromAPlainClient(t *testing.T) {
	t.Parallel()
	room := startWaitingRoom(t)
	s := startSidecar(t, room.config())
	api := liftv1.NewLiftClient(s.plainClient(t))

	got, err := api.Call(within(t, patience), &liftv1.CallRequest{Service: "orders", Method: http.MethodPost, Path: "/x?y=1", Body: []byte("hello")})
	if err != nil || got.GetStatus() != http.StatusOK || string(got.GetBody()) != `{"instance":"room"}` {
		t.Fatalf("got %v, %v", got, err)
	}
	if a := got.GetAttempts(); len(a) != 1 || a[0].GetEndpointAddr() != room.addr() || a[0].GetOutcome() != liftv1.Outcome_OUTCOME_OK || !a[0].GetFresh() {
		t.Errorf("the record is %v", a)
	}
	_, err = api.Call(within(t, patience), &liftv1.CallRequest{Service: "ordres"})
	if e := detail(t, err); e.GetCode() != string(lift.UnknownService) || !strings.Contains(e.GetMessage(), "orders") {
		t.Errorf("an unknown service: %v", err)
	}
	// The RPC's own deadline is the call's.
	began := time.Now()
	_, err = api.Call(within(t, 300*time.Millisecond), &liftv1.CallRequest{Service: "orders", Path: "/slow"})
	if took := time.Since(began); status.Code(err) != codes.DeadlineExceeded || took > 5*time.Second {
		t.Errorf("a deadline of 300 ms: %v after %s", err, took)
	}
}

func TestHealth(t *testing.T) {
	t.Parallel()
	room := startWaitingRoom(t)
	s := startSidecar(t, room.config())
	health := grpc_health_v1.NewHealthClient(s.plainClient(t))
	for _, name := range []string{"", liftv1.Lift_ServiceDesc.ServiceName} {
		got, err := health.Check(within(t, patience), &grpc_health_v1.HealthCheckRequest{Service: name})
		if err != nil || got.GetStatus() != grpc_health_v1.HealthCheckResponse_SERVING {
			t.Errorf("health of %q: %v, %v", name, got, err)
		}
	}
	watch, err := health.Watch(within(t, patience), &grpc_health_v1.HealthCheckRequest{})
	if err != nil {
		t.Fatal(err)
	}
	if first, err := watch.Recv(); err != nil || first.GetStatus() != grpc_health_v1.HealthCheckResponse_SERVING {
		t.Fatalf("got %v, %v", first, err)
	}
	slow := room.slow(t, s.dial(t), http.MethodGet) // so that the drain takes its time
	s.signal(t, syscall.SIGTERM)
	if next, err := watch.Recv(); err != nil || next.GetStatus() != grpc_health_v1.HealthCheckResponse_NOT_SERVING {
		t.Errorf("while it drains: %v, %v", next, err)
	}
	room.release()
	if err := <-slow; err != nil {
		t.Error(err)
	}
	if code := s.exited(t); code != 0 {
		t.Errorf("exit code %d", code)
	}
}

// An SDK and a sidecar that share no version part in words.
func TestIncompatibleVersions(t *testing.T) {
	t.Parallel()
	s := startSidecar(t, startWaitingRoom(t).config())
	client, err := session.Dial(s.socket, session.Options{Software: "lift-from-the-future", Versions: wire.Versions{Min: 41, Max: 43}})
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	call := &lift.Call{Service: "orders"}
	defer call.End()
	_, err = client.Call(call)
	if lift.CodeOf(err) != lift.Incompatible {
		t.Fatalf("got %v", err)
	}
	for _, says := range []string{"1.41 to 1.43", wire.Current().String(), "lift-from-the-future", "update"} {
		if !strings.Contains(err.Error(), says) {
			t.Errorf("the error does not name %q: %v", says, err)
		}
	}

	// Without Lift's SDK: Hello says what the sidecar speaks, then it hangs up.
	stream, err := liftv1.NewLiftClient(s.plainClient(t)).Session(within(t, patience))
	if err != nil {
		t.Fatal(err)
	}
	if err := stream.Send(hello(41, 43)); err != nil {
		t.Fatal(err)
	}
	if got, err := stream.Recv(); err != nil || got.GetFrames()[0].GetHello().GetMaxMinor() != wire.Current().Max {
		t.Errorf("got %v, %v", got, err)
	}
	_, err = stream.Recv()
	if e := detail(t, err); e.GetCode() != string(lift.Incompatible) {
		t.Errorf("got %v", e)
	}
}

func hello(minMinor, maxMinor uint32) *liftv1.ClientFrames {
	return &liftv1.ClientFrames{Frames: []*liftv1.ClientFrame{{Kind: &liftv1.ClientFrame_Hello{
		Hello: &liftv1.Hello{MinMinor: minMinor, MaxMinor: maxMinor, Software: "test"},
	}}}}
}
