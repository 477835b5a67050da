package sidecar_test

import (
	"context"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"github.com/liftmesh/lift"
	lifts "github.com/liftmesh/lift/internal/session"
	liftv1 "github.com/liftmesh/lift/proto/lift/v1"
	"github.com/liftmesh/lift/sidecar"
)

// serve starts a server that ends with the test.
func serve(t *testing.T, cfg sidecar.Config) *sidecar.Server {
	t.Helper()
	s, err := sidecar.Listen(cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.Close)
	go func() { _ = s.Serve(context.Background()) }()
	return s
}

// A peer tells its software; the kernel its process.
func TestPeers(t *testing.T) {
	socket := filepath.Join(t.TempDir(), "lift.sock")
	s := serve(t, config(socket))
	names := []string{"first v1", strings.Repeat("ü", 200)}
	for i, name := range names {
		client, err := lifts.Dial(socket, lifts.Options{Software: name})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = client.Close() })
		call := &lift.Call{Service: "orders", Path: "/"}
		resp, err := client.Call(call)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := resp.Body.ReadAll(0); err != nil {
			t.Fatal(err)
		}
		call.End()
		if got := len(s.Peers()); got != i+1 {
			t.Fatalf("%d peers, want %d", got, i+1)
		}
	}
	for i, p := range s.Peers() {
		if got := p.GetSoftware(); got == "" || len(got) > 100 || !strings.HasPrefix(names[i], got) {
			t.Errorf("peer %d: %q", i, got)
		}
		if p.GetSinceUnixNanos() == 0 || p.GetCalls() != 0 || p.GetAddress() != socket {
			t.Errorf("%v", p)
		}
		if runtime.GOOS == "linux" && p.GetPid() != int64(os.Getpid()) {
			t.Errorf("pid %d, want %d", p.GetPid(), os.Getpid())
		}
	}
}

func TestAskStatus(t *testing.T) {
	dir := t.TempDir()
	socket := func(name string) string { return filepath.Join(dir, name) }
	cfg := config(socket("told"))
	cfg.Status = func() *liftv1.StatusResponse { return &liftv1.StatusResponse{Version: "v1.2.3"} }
	draining := serve(t, cfg)
	draining.Announce()
	if st, err := sidecar.AskStatus(t.Context(), cfg.Socket); err != nil || st.GetVersion() != "v1.2.3" {
		t.Errorf("%v, %v", st, err)
	}

	serve(t, config(socket("plain")))
	if st, err := sidecar.AskStatus(t.Context(), socket("plain")); err != nil || st.GetPid() != int64(os.Getpid()) || st.GetAtUnixNanos() == 0 {
		t.Errorf("a server that nobody gave a status: %v, %v", st, err)
	}

	cfg = config(socket("panics"))
	cfg.Status = func() *liftv1.StatusResponse { panic("a bug") }
	serve(t, cfg)
	if _, err := sidecar.AskStatus(t.Context(), cfg.Socket); lift.CodeOf(err) != lift.Internal {
		t.Errorf("a panic: %v", err)
	}
	if serving, err := sidecar.Ask(t.Context(), cfg.Socket); err != nil || !serving {
		t.Errorf("after a panic: %v, %v", serving, err)
	}

	if _, err := sidecar.AskStatus(t.Context(), socket("none")); err == nil || !strings.Contains(err.Error(), "no sidecar answers at "+socket("none")) {
		t.Errorf("nobody: %v", err)
	}
}
