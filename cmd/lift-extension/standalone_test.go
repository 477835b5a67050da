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

	"github.com/liftmesh/lift/config"
	"github.com/liftmesh/lift/sdk"
)

// The signal to end closes the way in and cuts nothing that runs.
func TestStandaloneEndsAfterItsCalls(t *testing.T) {
	arrived, release := make(chan struct{}), make(chan struct{})
	upstream := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {
		close(arrived)
		<-release
	}))
	defer upstream.Close()
	socket := filepath.Join(t.TempDir(), "lift.sock")
	text := fmt.Sprintf("socket: %q\nservices: {orders: {from: static, endpoints: [%q], timeout: 1m, attempt_timeout: 1m}}\n", socket, upstream.Listener.Addr())
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
		_, err := sdk.Post[struct{}](t.Context(), client, "orders", "/", nil)
		call <- err
	}()
	<-arrived
	signal()
	for err := error(nil); !os.IsNotExist(err); {
		_, err = os.Lstat(socket) // removed as the drain begins
	}
	close(release)
	if err := <-call; err != nil {
		t.Errorf("the call that ran: %v", err)
	}
	if got := <-code; got != 0 {
		t.Errorf("exit code %d", got)
	}
}
