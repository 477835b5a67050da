package main

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/liftmesh/lift/config"
)

func freePort(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().String()
}

func parse(t *testing.T, text string, args ...any) *config.Config {
	t.Helper()
	cfg, problems := config.Parse("lift.yaml", fmt.Appendf(nil, text, args...), func(string) (string, bool) { return "", false })
	if err := problems.Err(); err != nil {
		t.Fatal(err)
	}
	return cfg
}

// The plain door is open as long as the process serves: to all services, and to
// one by an address of its own; a drain lets its calls end.
func TestPlainDoorStandalone(t *testing.T) {
	arrived, release := make(chan struct{}), make(chan struct{})
	upstream := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/slow" {
			close(arrived)
			<-release
		}
		_, _ = io.WriteString(w, "orders")
	}))
	defer upstream.Close()
	dir, own := t.TempDir(), freePort(t)
	socket := filepath.Join(dir, "plain.sock")
	cfg := parse(t, "socket: %q\nplain: [%q]\ndrain: {quiet: 100ms}\nservices: {orders: {from: static, endpoints: [%q], listen: %q, timeout: 1m, attempt_timeout: 1m}}\n",
		filepath.Join(dir, "lift.sock"), "unix:"+socket, upstream.Listener.Addr(), own)
	ctx, signal := context.WithCancel(t.Context())
	code := make(chan int, 1)
	go func() { code <- build(cfg, slog.New(slog.DiscardHandler)).standalone(ctx, nil) }()

	bySocket := &http.Client{Transport: &http.Transport{DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
		var d net.Dialer
		return d.DialContext(ctx, "unix", socket)
	}}}
	get := func(c *http.Client, url string) error {
		req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, url, nil)
		if err != nil {
			return err
		}
		resp, err := c.Do(req)
		if err != nil {
			return err
		}
		defer resp.Body.Close()
		body, err := io.ReadAll(resp.Body)
		if strings.HasSuffix(url, "/healthz") && resp.StatusCode == http.StatusOK {
			return err
		}
		if err != nil || string(body) != "orders" {
			return fmt.Errorf("%d %q, %w", resp.StatusCode, body, err)
		}
		return nil
	}
	ready := func() bool { // both are open once the last one is
		c, err := net.Dial("tcp", own)
		if err == nil {
			_ = c.Close()
		}
		return err == nil
	}
	for !ready() {
		select {
		case c := <-code:
			t.Fatalf("it ended with %d", c)
		default:
		}
	}
	if err := get(bySocket, "http://orders/"); err != nil {
		t.Error(err)
	}
	slow := make(chan error, 1)
	go func() { slow <- get(http.DefaultClient, "http://"+own+"/slow") }()
	<-arrived
	signal()
	for get(bySocket, "http://lift/healthz") == nil { // "draining" and 503 once the drain has begun
	}
	if err := get(bySocket, "http://orders/"); err != nil {
		t.Errorf("a new call: %v", err)
	}
	close(release)
	if err := <-slow; err != nil {
		t.Errorf("the call that ran: %v", err)
	}
	if got := <-code; got != 0 {
		t.Errorf("exit code %d", got)
	}
	http.DefaultClient.CloseIdleConnections()
}

// Standalone, an address that cannot be had ends the start; inside Lambda it is
// said once and tried again.
func TestPlainDoorThatCannotOpen(t *testing.T) {
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer taken.Close()
	socket := filepath.Join(t.TempDir(), "lift.sock")
	cfg := parse(t, "socket: %q\nplain: [%q]\n", socket, taken.Addr())
	var said bytes.Buffer
	if code := build(cfg, slog.New(slog.NewTextHandler(&said, nil))).standalone(t.Context(), nil); code != 1 || !strings.Contains(said.String(), "choose another port") {
		t.Errorf("exit code %d: %s", code, said.String())
	}
	if _, err := os.Lstat(socket); !os.IsNotExist(err) {
		t.Errorf("the socket stays: %v", err)
	}

	said.Reset()
	p := build(cfg, slog.New(slog.NewTextHandler(&said, nil)))
	defer p.mesh.Close()
	door := p.plain(cfg.Plain[0], 0)
	door.recheck(t.Context())
	door.recheck(t.Context())
	if n := strings.Count(said.String(), "cannot listen; trying again"); n != 1 {
		t.Errorf("said %d times", n)
	}
	_ = taken.Close()
	door.recheck(t.Context())
	if !strings.Contains(said.String(), "listening now") {
		t.Error(said.String())
	}
	door.drain(t.Context())
	<-door.failed
}
