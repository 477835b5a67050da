//go:build e2e && linux

package e2e_test

import (
	"context"
	"crypto/sha256"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/coder/websocket"
)

// plainSidecar is a sidecar with a plain door: a unix socket for all services,
// and an address of its own for orders.
type plainSidecar struct {
	*sidecarProcess
	socket, own string
	client      *http.Client // by the socket
}

func startPlain(t *testing.T, config string) *plainSidecar {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	own := l.Addr().String()
	_ = l.Close()
	p := &plainSidecar{socket: filepath.Join(t.TempDir(), "plain.sock"), own: own}
	config = strings.Replace(config, "{from: static,", fmt.Sprintf("{from: static, listen: %q,", own), 1)
	p.sidecarProcess = startSidecar(t, fmt.Sprintf("plain: [%q]\n", "unix:"+p.socket)+config)
	transport := &http.Transport{DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
		var d net.Dialer
		return d.DialContext(ctx, "unix", p.socket)
	}}
	t.Cleanup(transport.CloseIdleConnections)
	p.client = &http.Client{Transport: transport}
	return p
}

func (p *plainSidecar) ask(t *testing.T, method, url string, body io.Reader) (status int, text string, header http.Header) {
	t.Helper()
	req, err := http.NewRequestWithContext(within(t, patience), method, url, body)
	if err != nil {
		t.Fatal(err)
	}
	resp, err := p.client.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	all, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return resp.StatusCode, string(all), resp.Header
}

// A client that knows nothing of Lift calls by name; what Lift has to say itself
// is told apart from what the service says.
func TestPlainCalls(t *testing.T) {
	t.Parallel()
	room := startWaitingRoom(t)
	p := startPlain(t, room.config())
	if status, text, header := p.ask(t, http.MethodGet, "http://orders/", nil); status != 200 || !strings.Contains(text, "room") || header.Get("Lift-Error") != "" {
		t.Errorf("%d %s %v", status, text, header)
	}
	if status, text, _ := p.ask(t, http.MethodGet, "http://lift/", nil); status != 200 || !strings.Contains(text, `"services":["orders"]`) {
		t.Errorf("%d %s", status, text)
	}
	if status, text, header := p.ask(t, http.MethodGet, "http://example.com/", nil); status != 404 || header.Get("Lift-Error") != "unknown_service" {
		t.Errorf("%d %s %v", status, text, header)
	}
	room.Close()
	if status, text, header := p.ask(t, http.MethodPost, "http://orders/", nil); status != 503 || header.Get("Lift-Error") != "unavailable" || !strings.Contains(text, `"may_have_acted":false`) {
		t.Errorf("%d %s %v", status, text, header)
	}
}

// A WebSocket through the door: a talk, and an end that both hear when the instance
// is gone.
func TestPlainWebSocket(t *testing.T) {
	t.Parallel()
	instance := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		c, err := websocket.Accept(w, r, nil)
		if err != nil {
			return
		}
		defer func() { _ = c.CloseNow() }()
		for {
			kind, text, err := c.Read(r.Context())
			if err != nil || string(text) == "go" {
				return
			}
			if c.Write(r.Context(), kind, append([]byte("you said "), text...)) != nil {
				return
			}
		}
	}))
	t.Cleanup(instance.Close)
	p := startPlain(t, fmt.Sprintf("services: {orders: {from: static, endpoints: %s, timeout: 1s}}\n", endpoints(instance.Listener.Addr().String())))
	ctx := within(t, patience)
	c, resp, err := websocket.Dial(ctx, "ws://"+p.own+"/chat", nil)
	if err != nil || resp.StatusCode != http.StatusSwitchingProtocols {
		t.Fatal(err)
	}
	defer func() { _ = c.CloseNow() }()
	for range 12 { // for longer than the service's timeout
		if err := c.Write(ctx, websocket.MessageText, []byte("hello")); err != nil {
			t.Fatal(err)
		}
		if _, got, err := c.Read(ctx); err != nil || string(got) != "you said hello" {
			t.Fatalf("%q, %v", got, err)
		}
		time.Sleep(100 * time.Millisecond)
	}
	if err := c.Write(ctx, websocket.MessageText, []byte("go")); err != nil {
		t.Fatal(err)
	}
	if _, _, err := c.Read(ctx); err == nil || ctx.Err() != nil {
		t.Errorf("the end: %v", err)
	}
}

// Python's own client, by a base URL and nothing else.
func TestPlainFromPython(t *testing.T) {
	t.Parallel()
	python, err := exec.LookPath("python3")
	if err != nil {
		t.Skip("there is no python3 on this machine")
	}
	p := startPlain(t, startWaitingRoom(t).config())
	cmd := exec.CommandContext(within(t, patience), python, "-c",
		`import sys, urllib.request
opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
for _ in range(20):
    with opener.open(sys.argv[1]) as answer:
        assert answer.status == 200 and b"room" in answer.read()
print("twenty")`, "http://"+p.own+"/orders/17")
	if out, err := cmd.CombinedOutput(); err != nil || strings.TrimSpace(string(out)) != "twenty" {
		t.Errorf("%v: %s", err, out)
	}
}

// Large bodies pass whole in both directions, and the process does not grow by them.
func TestPlainLargeBodies(t *testing.T) {
	t.Parallel()
	const size = 128 << 20
	source := func() io.Reader { return io.LimitReader(rand.NewChaCha8([32]byte{1}), size) }
	digest := func(r io.Reader) string {
		h := sha256.New()
		n, err := io.Copy(h, r)
		return fmt.Sprintf("%d %x %v", n, h.Sum(nil), err)
	}
	var got atomic.Value
	upstream := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Method == http.MethodPost {
			got.Store(digest(r.Body))
			return
		}
		_, _ = io.Copy(w, source())
	}))
	t.Cleanup(upstream.Close)
	p := startPlain(t, fmt.Sprintf("services: {orders: {from: static, endpoints: %s, timeout: 5m, attempt_timeout: 5m}}\n", endpoints(upstream.Listener.Addr().String())))
	p.ask(t, http.MethodGet, "http://lift/", nil)
	before, want := p.resident(t), digest(source())
	if status, text, _ := p.ask(t, http.MethodPost, "http://orders/", source()); status != 200 || got.Load() != want {
		t.Errorf("up: %d %s; %v, want %s", status, text, got.Load(), want)
	}
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "http://orders/", nil)
	if err != nil {
		t.Fatal(err)
	}
	resp, err := p.client.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	if down := digest(resp.Body); down != want {
		t.Errorf("down: %s, want %s", down, want)
	}
	_ = resp.Body.Close()
	if grown := p.resident(t) - before; grown > size/2 {
		t.Errorf("the process grew by %d MiB", grown>>20)
	}
}

// SIGTERM lets a call that runs come to its end, and takes the socket away then.
func TestPlainDrain(t *testing.T) {
	t.Parallel()
	room := startWaitingRoom(t)
	p := startPlain(t, room.config())
	slow := make(chan string, 1)
	go func() {
		req, err := http.NewRequestWithContext(context.Background(), http.MethodPost, "http://orders/slow", nil)
		if err != nil {
			slow <- err.Error()
			return
		}
		resp, err := p.client.Do(req)
		if err != nil {
			slow <- err.Error()
			return
		}
		_ = resp.Body.Close()
		slow <- resp.Status
	}()
	<-room.arrived
	p.signal(t, syscall.SIGTERM)
	waitFor(t, "it says that it drains", func() bool {
		status, _, _ := p.ask(t, http.MethodGet, "http://lift/healthz", nil)
		return status == http.StatusServiceUnavailable
	})
	room.release()
	if got := <-slow; got != "200 OK" {
		t.Error(got)
	}
	if code := p.exited(t); code != 0 {
		t.Errorf("exit code %d", code)
	}
	if _, err := os.Lstat(p.socket); !os.IsNotExist(err) {
		t.Errorf("the socket stays: %v", err)
	}
}

// A socket that something removes is made anew.
func TestPlainSocketComesBack(t *testing.T) {
	t.Parallel()
	p := startPlain(t, startWaitingRoom(t).config())
	if err := os.Remove(p.socket); err != nil {
		t.Fatal(err)
	}
	waitFor(t, "the socket is made anew", func() bool { _, err := os.Lstat(p.socket); return err == nil })
	if status, text, _ := p.ask(t, http.MethodGet, "http://orders/", nil); status != 200 {
		t.Errorf("%d %s", status, text)
	}
}
