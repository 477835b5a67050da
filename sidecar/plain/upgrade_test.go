package plain_test

import (
	"bufio"
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/coder/websocket"

	"github.com/liftmesh/lift"
	"github.com/liftmesh/lift/sidecar/plain"
	"github.com/liftmesh/lift/transport"
)

// upgrading is the way to one instance, as the mesh has it.
func upgrading(t *testing.T, instance string) lift.Caller {
	t.Helper()
	up := transport.New(instance, transport.Options{})
	t.Cleanup(up.Close)
	return lift.CallerFunc(func(c *lift.Call) (*lift.Response, error) {
		return up.RoundTrip(c.NewAttempt(lift.AttemptRecord{}))
	})
}

// sockets is a door before an instance that speaks WebSocket.
func sockets(t *testing.T, talk func(ctx context.Context, c *websocket.Conn)) (addr string, s *plain.Server) {
	t.Helper()
	instance := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		c, err := websocket.Accept(w, r, &websocket.AcceptOptions{Subprotocols: []string{"chat.v1"}, CompressionMode: websocket.CompressionContextTakeover})
		if err != nil {
			return
		}
		defer func() { _ = c.CloseNow() }()
		c.SetReadLimit(-1)
		talk(r.Context(), c)
	}))
	t.Cleanup(instance.Close)
	return serve(t, plain.Config{Caller: upgrading(t, instance.Listener.Addr().String())})
}

func echo(ctx context.Context, c *websocket.Conn) {
	for {
		kind, r, err := c.Reader(ctx)
		if err != nil {
			return
		}
		w, err := c.Writer(ctx, kind)
		if err != nil {
			return
		}
		if _, err := io.Copy(w, r); err != nil {
			return
		}
		if err := w.Close(); err != nil {
			return
		}
	}
}

func dialWS(t *testing.T, addr string, opts *websocket.DialOptions) *websocket.Conn {
	t.Helper()
	opts.Host = "orders"
	c, resp, err := websocket.Dial(t.Context(), "ws://"+addr+"/chat", opts)
	if err != nil {
		t.Fatal(err)
	}
	if resp.Header.Get("Lift-Error") != "" {
		t.Error(resp.Header)
	}
	t.Cleanup(func() { _ = c.CloseNow() })
	c.SetReadLimit(-1)
	return c
}

func TestWebSocket(t *testing.T) {
	addr, _ := sockets(t, echo)
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	for _, compression := range []websocket.CompressionMode{websocket.CompressionDisabled, websocket.CompressionContextTakeover} {
		c := dialWS(t, addr, &websocket.DialOptions{Subprotocols: []string{"chat.v1"}, CompressionMode: compression})
		if c.Subprotocol() != "chat.v1" {
			t.Errorf("the subprotocol is %q", c.Subprotocol())
		}
		for _, size := range []int{0, 1, 125, 126, 65535, 65536, 4 << 20} {
			want := make([]byte, size)
			_, _ = (&pattern{}).Read(want)
			go func() { _ = c.Write(ctx, websocket.MessageBinary, want) }()
			if kind, got, err := c.Read(ctx); err != nil || kind != websocket.MessageBinary || !bytes.Equal(got, want) {
				t.Fatalf("%d bytes: %v, %d bytes, %v", size, kind, len(got), err)
			}
		}
		// In fragments.
		w, err := c.Writer(ctx, websocket.MessageText)
		if err != nil {
			t.Fatal(err)
		}
		go func() {
			for _, piece := range []string{"a ", "message ", "in ", "pieces"} {
				_, _ = io.WriteString(w, piece)
			}
			_ = w.Close()
		}()
		if _, got, err := c.Read(ctx); err != nil || string(got) != "a message in pieces" {
			t.Errorf("%q, %v", got, err)
		}
		go func() { _, _, _ = c.Read(ctx) }() // hears the pong
		if err := c.Ping(ctx); err != nil {
			t.Error(err)
		}
	}
}

// The code with which one side closes is what the other hears, both ways.
func TestWebSocketCloses(t *testing.T) {
	heard := make(chan error, 1)
	addr, _ := sockets(t, func(ctx context.Context, c *websocket.Conn) {
		_, what, err := c.Read(ctx)
		if string(what) == "close" {
			_ = c.Close(4001, "enough")
			return
		}
		heard <- err
	})
	c := dialWS(t, addr, &websocket.DialOptions{})
	if err := c.Write(t.Context(), websocket.MessageText, []byte("close")); err != nil {
		t.Fatal(err)
	}
	if _, _, err := c.Read(t.Context()); websocket.CloseStatus(err) != 4001 || !strings.Contains(err.Error(), "enough") {
		t.Errorf("the caller hears %v", err)
	}
	c = dialWS(t, addr, &websocket.DialOptions{})
	go func() { _ = c.Close(websocket.StatusGoingAway, "bye") }()
	if err := <-heard; websocket.CloseStatus(err) != websocket.StatusGoingAway {
		t.Errorf("the instance hears %v", err)
	}
	// One that dies ends the other.
	c = dialWS(t, addr, &websocket.DialOptions{})
	_ = c.CloseNow()
	if err := <-heard; err == nil {
		t.Error("the instance hears nothing of a caller that is gone")
	}
}

// switches is an instance that goes on with a protocol of its own.
func switches(t *testing.T, talk func(conn net.Conn, r *bufio.Reader)) (addr string, s *plain.Server) {
	t.Helper()
	instance := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/no" {
			http.Error(w, "no", http.StatusForbidden)
			return
		}
		conn, buf, err := http.NewResponseController(w).Hijack()
		if err != nil {
			t.Error(err)
			return
		}
		defer conn.Close()
		_, _ = io.WriteString(conn, "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: "+r.Header.Get("Upgrade")+"\r\nX-A: 1\r\nLift-Error: forged\r\n\r\n")
		talk(conn, buf.Reader)
	}))
	t.Cleanup(instance.Close)
	return serve(t, plain.Config{Caller: upgrading(t, instance.Listener.Addr().String())})
}

const wish = "Host: orders\r\nConnection: keep-alive, Upgrade\r\nUpgrade: lines/2\r\n\r\n"

// change asks for another protocol and reads the 101.
func change(t *testing.T, addr, early string) *raw {
	t.Helper()
	c := dial(t, addr)
	c.say("GET / HTTP/1.1\r\n" + wish + early)
	resp, err := http.ReadResponse(c.r, nil)
	if err != nil {
		t.Fatal(err)
	}
	if got := fmt.Sprint(resp.StatusCode, resp.Header); got != "101 map[Connection:[Upgrade] Upgrade:[lines/2] X-A:[1]]" {
		t.Fatal(got)
	}
	return c
}

func TestUpgrade(t *testing.T) {
	addr, _ := switches(t, func(conn net.Conn, r *bufio.Reader) {
		for {
			line, err := r.ReadString('\n')
			if err != nil {
				_, _ = io.WriteString(conn, "heard the end\n") // still said
				return
			}
			_, _ = io.WriteString(conn, "you said "+line)
		}
	})
	c := change(t, addr, "early\n") // in one write with the request
	if line, err := c.r.ReadString('\n'); err != nil || line != "you said early\n" {
		t.Fatalf("%q, %v", line, err)
	}
	c.say("GET / HTTP/1.1\n") // no longer HTTP
	if line, err := c.r.ReadString('\n'); err != nil || line != "you said GET / HTTP/1.1\n" {
		t.Fatalf("%q, %v", line, err)
	}
	_ = c.Conn.(*net.TCPConn).CloseWrite()
	if rest, ok := c.ends(); !ok || rest != "heard the end\n" {
		t.Errorf("%q, ended %v", rest, ok)
	}
}

// What an instance said before it ended reaches its caller whole, and then the end.
func TestUpgradeOfWhichTheInstanceEndsFirst(t *testing.T) {
	addr, s := switches(t, func(conn net.Conn, _ *bufio.Reader) { _, _ = io.WriteString(conn, "all\n") })
	c := change(t, addr, "")
	if rest, ok := c.ends(); !ok || rest != "all\n" {
		t.Fatalf("%q, ended %v", rest, ok)
	}
	_ = c.Close()
	within(t, "the drain", drained(s))
}

func TestUpgradeThatIsRefused(t *testing.T) {
	addr, _ := switches(t, func(net.Conn, *bufio.Reader) {})
	c := dial(t, addr)
	for range 2 { // the connection goes on
		c.say("GET /no HTTP/1.1\r\n" + wish)
		if resp, body := c.answer(http.MethodGet); resp.StatusCode != 403 || body != "no\n" {
			t.Errorf("%d %q", resp.StatusCode, body)
		}
	}
	c.say("POST / HTTP/1.1\r\nContent-Length: 3\r\n" + wish + "abc")
	if resp, body := c.answer(http.MethodPost); resp.StatusCode != 501 || !strings.Contains(errorOf(t, resp, body).Error.Message, "with a body") {
		t.Errorf("%d %q", resp.StatusCode, body)
	}
}

// What does not ask in earnest is no upgrade.
func TestNoUpgrade(t *testing.T) {
	addr, _ := serve(t, plain.Config{Caller: lift.CallerFunc(func(c *lift.Call) (*lift.Response, error) {
		return &lift.Response{Status: 200, Body: lift.BytesBody(fmt.Appendf(nil, "%q %v", c.Upgrade, c.Body == nil))}, nil
	})})
	for _, tt := range []struct{ fields, want string }{
		{"Upgrade: websocket", `"" true`},
		{"Connection: close\r\nUpgrade: websocket", `"" true`},
		{"Connection: Upgrade", `"" true`},
		{"Connection: Upgrade\r\nUpgrade:", `"" true`},
		{"Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABkAAQAAP__", `"" true`},
		{"Connection: upgrade\r\nUpgrade: H2C, WebSocket", `"WebSocket" false`},
		{"Connection: Upgrade\r\nUpgrade: a/1\r\nUpgrade: b", `"a/1, b" false`},
	} {
		if resp, body := get(t, addr, "/", "Host: orders", tt.fields); resp.StatusCode != 200 || body != tt.want {
			t.Errorf("%q: %d %s, want %s", tt.fields, resp.StatusCode, body, tt.want)
		}
	}
	c := dial(t, addr)
	c.say("GET / HTTP/1.0\r\nHost: orders\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n")
	if _, body := c.answer(http.MethodGet); body != `"" true` {
		t.Errorf("HTTP/1.0: %s", body)
	}
	// An answer of 101 that nobody asked for is none.
	addr, _ = serve(t, plain.Config{Caller: lift.CallerFunc(func(*lift.Call) (*lift.Response, error) { return &lift.Response{Status: 101}, nil })})
	if resp, body := get(t, addr, "/", "Host: orders"); resp.StatusCode != 500 {
		t.Errorf("%d %s", resp.StatusCode, body)
	}
}

// Large streams pass whole both ways at once, in bounded memory; who does not read
// stops who sends.
func TestUpgradeInBoundedMemory(t *testing.T) {
	const size = 32 << 20
	sum := func(r io.Reader) string {
		h := sha256.New()
		n, _ := io.Copy(h, r)
		return fmt.Sprintf("%d %x", n, h.Sum(nil))
	}
	got := make(chan string, 1)
	addr, _ := switches(t, func(conn net.Conn, r *bufio.Reader) {
		go func() { _, _ = io.Copy(conn, io.LimitReader(&pattern{}, size)) }()
		got <- sum(io.LimitReader(r, size))
		_, _ = r.ReadByte() // until its caller has all
	})
	before := heap()
	c := change(t, addr, "")
	go func() { _, _ = io.Copy(c.Conn, io.LimitReader(&pattern{}, size)) }()
	want := sum(io.LimitReader(&pattern{}, size))
	if down := sum(io.LimitReader(c.r, size)); down != want {
		t.Errorf("down %s, want %s", down, want)
	}
	if grew := heap() - before; grew > 16<<20 {
		t.Errorf("%d MiB are held", grew>>20)
	}
	if up := <-got; up != want {
		t.Errorf("up %s, want %s", up, want)
	}
}

// A drain gives upgraded connections until its end.
func TestDrainOfAnUpgrade(t *testing.T) {
	ended := make(chan struct{})
	addr, s := switches(t, func(conn net.Conn, r *bufio.Reader) {
		defer close(ended)
		for {
			line, err := r.ReadString('\n')
			if err != nil {
				return
			}
			_, _ = io.WriteString(conn, line)
		}
	})
	c := change(t, addr, "")
	ctx, cancel := context.WithCancel(t.Context())
	drained := make(chan error, 1)
	go func() { drained <- s.Drain(ctx) }()
	for range 3 {
		c.say("still\n")
		if line, err := c.r.ReadString('\n'); err != nil || line != "still\n" {
			t.Fatalf("%q, %v", line, err)
		}
	}
	cancel()
	if err := <-drained; !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
	within(t, "the instance's end", ended)
	if rest, ok := c.ends(); !ok || rest != "" {
		t.Errorf("%q, ended %v", rest, ok)
	}
}

func TestUpgradesLeaveNothingRunning(t *testing.T) {
	addr, s := switches(t, func(conn net.Conn, r *bufio.Reader) { _, _ = io.Copy(conn, r) })
	before := runtime.NumGoroutine()
	for range 20 {
		c := change(t, addr, "x")
		_, _ = c.r.ReadByte()
		_ = c.Close()
	}
	for began := time.Now(); runtime.NumGoroutine() > before+5; runtime.Gosched() {
		if time.Since(began) > patience {
			t.Fatalf("%d goroutines, %d before", runtime.NumGoroutine(), before)
		}
	}
	within(t, "the drain", drained(s))
}
