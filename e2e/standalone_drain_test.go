//go:build e2e && linux

package e2e_test

import (
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"strings"
	"syscall"
	"testing"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/health"
	"google.golang.org/grpc/health/grpc_health_v1"

	"github.com/liftmesh/lift"
	"github.com/liftmesh/lift/sdk"
)

// healthy asks the sidecar's own health service.
func healthy(t *testing.T, socket string) grpc_health_v1.HealthCheckResponse_ServingStatus {
	t.Helper()
	conn, err := grpc.NewClient("unix:"+socket, grpc.WithTransportCredentials(insecure.NewCredentials()))
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	resp, err := grpc_health_v1.NewHealthClient(conn).Check(within(t, patience), &grpc_health_v1.HealthCheckRequest{})
	if err != nil {
		return grpc_health_v1.HealthCheckResponse_UNKNOWN
	}
	return resp.GetStatus()
}

// An application that ends together with its sidecar still calls: none of its
// last calls fails, and the sidecar ends soon after the last one.
func TestLastCallsOfAnApplication(t *testing.T) {
	t.Parallel()
	room := startWaitingRoom(t)
	l, err := net.Listen("tcp", ownAddr(t))
	if err != nil {
		t.Fatal(err)
	}
	server := grpc.NewServer()
	grpc_health_v1.RegisterHealthServer(server, health.NewServer())
	go func() { _ = server.Serve(l) }()
	t.Cleanup(server.Stop)
	config := fmt.Sprintf("services: {orders: {from: static, endpoints: %s}, checks: {from: static, protocol: grpc, endpoints: %s}}\n",
		endpoints(room.addr()), endpoints(l.Addr().String()))
	plainly := func(p *plainSidecar, keep bool) func() error {
		client := &http.Client{Transport: p.client.Transport.(*http.Transport).Clone()}
		client.Transport.(*http.Transport).DisableKeepAlives = !keep
		t.Cleanup(client.CloseIdleConnections)
		return func() error {
			resp, err := client.Post("http://orders/", "application/json", strings.NewReader("{}"))
			if err != nil {
				return err
			}
			defer resp.Body.Close()
			if body, err := io.ReadAll(resp.Body); err != nil || resp.StatusCode != http.StatusOK {
				return fmt.Errorf("%d %s: %w", resp.StatusCode, body, err)
			}
			return nil
		}
	}
	for name, application := range map[string]func(p *plainSidecar) (call func() error, done func()){
		"SDK": func(p *plainSidecar) (func() error, func()) {
			client := p.dial(t)
			return func() error {
				_, err := sdk.Post[answer](within(t, patience), client, "orders", "/", answer{})
				return err
			}, func() { _ = client.Close() }
		},
		"gRPC": func(p *plainSidecar) (func() error, func()) {
			conn, err := grpc.NewClient("unix:"+p.socket, grpc.WithAuthority("checks"), grpc.WithTransportCredentials(insecure.NewCredentials()))
			if err != nil {
				t.Fatal(err)
			}
			return func() error {
				_, err := grpc_health_v1.NewHealthClient(conn).Check(within(t, patience), &grpc_health_v1.HealthCheckRequest{})
				return err
			}, func() { _ = conn.Close() }
		},
		"plain HTTP over one connection":  func(p *plainSidecar) (func() error, func()) { return plainly(p, true), func() {} },
		"plain HTTP, a connection a call": func(p *plainSidecar) (func() error, func()) { return plainly(p, false), func() {} },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p := startPlain(t, config)
			call, done := application(p)
			if err := call(); err != nil {
				t.Fatal(err)
			}
			p.signal(t, syscall.SIGTERM)
			waitFor(t, "it says that it is not ready", func() bool { return p.out.has(`"msg":"draining"`) })
			for i := range 20 {
				if err := call(); err != nil {
					t.Errorf("call %d of 20: %v", i+1, err)
				}
				time.Sleep(20 * time.Millisecond)
			}
			done()
			last := time.Now()
			if code := p.exited(t); code != 0 {
				t.Errorf("exit code %d", code)
			}
			if took := time.Since(last); took > 8*time.Second {
				t.Errorf("it ended %s after the last call", took)
			} else {
				t.Logf("it ended %s after the last call", took.Round(time.Millisecond))
			}
		})
	}
}

// From the signal on the sidecar is not ready; it takes calls all the same, cuts
// none that runs, and ends after it.
func TestStandaloneDrains(t *testing.T) {
	t.Parallel()
	room := startWaitingRoom(t)
	p := startPlain(t, room.config())
	client := p.dial(t)
	slow := room.slow(t, client, http.MethodPost)
	api := p.sidecarProcess.socket
	if status := healthy(t, api); status != grpc_health_v1.HealthCheckResponse_SERVING {
		t.Fatalf("it is %s", status)
	}

	p.signal(t, syscall.SIGTERM)
	waitFor(t, "health says NOT_SERVING", func() bool { return healthy(t, api) == grpc_health_v1.HealthCheckResponse_NOT_SERVING })
	if status, body, _ := p.ask(t, http.MethodGet, "http://lift/healthz", nil); status != http.StatusServiceUnavailable || !strings.Contains(body, "draining") {
		t.Errorf("/healthz: %d %s", status, body)
	}
	mustCall(t, client)    // by the session that is open
	mustCall(t, p.dial(t)) // and by a new one
	if status, body, _ := p.ask(t, http.MethodPost, "http://orders/", strings.NewReader("{}")); status != http.StatusOK {
		t.Errorf("a plain call: %d %s", status, body)
	}
	select {
	case err := <-slow:
		t.Fatalf("the running call was cut: %v", err)
	case <-p.done:
		t.Fatal("the sidecar ended before the running call did")
	default:
	}
	room.release()
	if err := <-slow; err != nil {
		t.Errorf("the running call: %v", err)
	}
	if code := p.exited(t); code != 0 {
		t.Errorf("exit code %d", code)
	}
	if _, err := os.Lstat(api); !os.IsNotExist(err) {
		t.Errorf("the socket stays: %v", err)
	}
}

// A call that hangs holds the end up to drain.max, and is told that it was cut.
func TestDrainEndsAtItsMax(t *testing.T) {
	t.Parallel()
	hung := startUpstream(t, "hung")
	s := startSidecar(t, fmt.Sprintf("drain: {max: 1s}\nservices: {orders: {from: static, endpoints: %s, timeout: 1h, attempt_timeout: 1h}}\n", endpoints(hung.Addr)))
	client := s.dial(t)
	mustCall(t, client)
	hung.Hang()
	cut := make(chan error, 1)
	ctx := within(t, 2*patience)
	go func() {
		_, err := sdk.Post[answer](ctx, client, "orders", "/", answer{})
		cut <- err
	}()
	began := time.Now()
	s.signal(t, syscall.SIGTERM)
	if code := s.exited(t); code != 0 {
		t.Errorf("exit code %d", code)
	}
	if took := time.Since(began); took < time.Second {
		t.Errorf("it ended after %s", took)
	}
	if err := <-cut; !errors.Is(err, lift.Draining) {
		t.Errorf("the call that hung: %v", err)
	}
	s.says(t, `"msg":"drained"`, `"finished":0,"cut":1`)
}

// A second signal cuts the running calls, unless it comes with the first: a
// supervisor may signal the process and its group.
func TestSecondSignalEndsAtOnce(t *testing.T) {
	t.Parallel()
	room := startWaitingRoom(t)
	s := startSidecar(t, "drain: {max: 10m}\n"+room.config())
	slow := room.slow(t, s.dial(t), http.MethodPost)
	s.signal(t, syscall.SIGTERM)
	s.signal(t, syscall.SIGTERM)
	s.out.find(`"msg":"draining"`)
	time.Sleep(500 * time.Millisecond)
	select {
	case err := <-slow:
		t.Errorf("two signals at once cut the running call: %v", err)
	default:
	}
	s.signal(t, syscall.SIGTERM)
	if code := s.exited(t); code != 0 {
		t.Errorf("exit code %d", code)
	}
	if err := <-slow; !errors.Is(err, lift.Draining) {
		t.Errorf("the call that was cut: %v", err)
	}
	s.says(t, "a second signal", `"finished":0,"cut":1`)
}
