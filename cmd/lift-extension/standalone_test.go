package main

import (
	"context"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"testing"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/health/grpc_health_v1"

	"github.com/liftmesh/lift/config"
	"github.com/liftmesh/lift/sdk"
)

// The signal to end cuts nothing that runs, and refuses nothing that is new while
// there are clients.
func TestStandaloneEndsAfterItsCalls(t *testing.T) {
	arrived, release := make(chan struct{}), make(chan struct{})
	upstream := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/slow" {
			close(arrived)
			<-release
		}
	}))
	defer upstream.Close()
	socket := filepath.Join(t.TempDir(), "lift.sock")
	text := fmt.Sprintf("socket: %q\ndrain: {quiet: 100ms}\nservices: {orders: {from: static, endpoints: [%q], timeout: 1m, attempt_timeout: 1m}}\n", socket, upstream.Listener.Addr())
	cfg, problems := config.Parse("lift.yaml", []byte(text), func(string) (string, bool) { return "", false })
	client, err := sdk.Dial(socket)
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()

	ctx, signal := context.WithCancel(t.Context())
	code, call := make(chan int, 1), make(chan error, 1)
	go func() { code <- build(cfg, slog.New(slog.DiscardHandler)).standalone(ctx, problems) }()
	go func() {
		_, err := sdk.Post[struct{}](t.Context(), client, "orders", "/slow", nil)
		call <- err
	}()
	<-arrived
	signal()
	conn, err := grpc.NewClient("unix:"+socket, grpc.WithTransportCredentials(insecure.NewCredentials()))
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	for ready := true; ready; {
		resp, err := grpc_health_v1.NewHealthClient(conn).Check(t.Context(), &grpc_health_v1.HealthCheckRequest{})
		if err != nil {
			t.Fatal(err)
		}
		ready = resp.GetStatus() == grpc_health_v1.HealthCheckResponse_SERVING
	}
	if _, err := sdk.Post[struct{}](t.Context(), client, "orders", "/", nil); err != nil {
		t.Errorf("a new call: %v", err)
	}
	close(release)
	if err := <-call; err != nil {
		t.Errorf("the call that ran: %v", err)
	}
	if got := <-code; got != 0 {
		t.Errorf("exit code %d", got)
	}
	if _, err := os.Lstat(socket); !os.IsNotExist(err) {
		t.Errorf("the socket stays: %v", err)
	}
}
