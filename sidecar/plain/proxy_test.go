package plain_test

import (
	"bytes"
	"crypto/tls"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/url"
	"os/exec"
	"strings"
	"sync"
	"testing"

	"github.com/liftmesh/lift"
	"github.com/liftmesh/lift/sidecar/plain"
)

// tells is a Caller that says what it was asked.
func tells(c *lift.Call) (*lift.Response, error) {
	if c.Service != "orders" {
		return nil, lift.Errorf(c, lift.UnknownService, "no service %q", c.Service)
	}
	return &lift.Response{Status: 200, Body: lift.BytesBody(fmt.Appendf(nil, "%s %s %s %v", c.Method, c.Service, c.Path, c.Header))}, nil
}

// record is a log that a test reads.
type record struct {
	mu  sync.Mutex
	buf bytes.Buffer
}

func (r *record) Write(p []byte) (int, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.buf.Write(p)
}

func (r *record) String() string {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.buf.String()
}

func startProxy(t *testing.T) (addr string, s *plain.Server, log *record) {
	t.Helper()
	log = &record{}
	addr, s = serve(t, plain.Config{
		Caller: lift.CallerFunc(tells), Services: []string{"orders"}, Proxy: true,
		Log: slog.New(slog.NewTextHandler(log, nil)),
	})
	return addr, s, log
}

func TestProxyTakesWholeURLs(t *testing.T) {
	addr, _, _ := startProxy(t)
	for _, tt := range []struct {
		line   string
		status int
		says   string
	}{
		{"GET http://orders/a%2Fb?c=d HTTP/1.1\r\nHost: orders", 200, "GET orders /a%2Fb?c=d []"},
		{"GET http://orders HTTP/1.1\r\nHost: orders", 200, "GET orders / []"},
		{"GET http://orders?c HTTP/1.1\r\nHost: orders", 200, "GET orders /?c []"},
		{"GET http://ORDERS:80/ HTTP/1.1\r\nHost: elsewhere\r\nProxy-Authorization: Basic x\r\nProxy-Connection: keep-alive", 200, "GET orders / []"},
		{"GET /own HTTP/1.1\r\nHost: orders", 200, "GET orders /own []"},
		{"GET http://169.254.169.254/latest HTTP/1.1\r\nHost: orders", 404, "names no service"},
		{"GET http://example.com/ HTTP/1.1\r\nHost: orders", 404, "unknown_service"},
		{"GET http://a:b@orders/ HTTP/1.1\r\nHost: orders", 400, "has a user in it"},
		{"GET https://orders/ HTTP/1.1\r\nHost: orders", 400, "Lift speaks TLS to the instances itself"},
		{"GET ftp://orders/ HTTP/1.1\r\nHost: orders", 400, "is none of a service"},
		{"GET file:///etc/passwd HTTP/1.1\r\nHost: orders", 400, "is none of a service"},
	} {
		c := dial(t, addr)
		c.say(tt.line + "\r\n\r\n")
		if resp, body := c.answer(http.MethodGet); resp.StatusCode != tt.status || !strings.Contains(body, tt.says) {
			t.Errorf("%q: %d %s, want %d %s", tt.line, resp.StatusCode, body, tt.status, tt.says)
		}
	}
}

func TestProxyTunnels(t *testing.T) {
	addr, s, log := startProxy(t)
	c := dial(t, addr)
	c.say("CONNECT orders:80 HTTP/1.1\r\nHost: orders:80\r\n\r\n")
	if resp, err := http.ReadResponse(c.r, &http.Request{Method: http.MethodConnect}); err != nil || resp.StatusCode != 200 {
		t.Fatal(resp, err)
	}
	for range 2 { // whatever Host says, and again
		c.say("GET /a HTTP/1.1\r\nHost: elsewhere\r\n\r\n")
		if resp, body := c.answer(http.MethodGet); resp.StatusCode != 200 || body != "GET orders /a []" {
			t.Errorf("%d %s", resp.StatusCode, body)
		}
	}
	for _, tt := range []struct {
		says   string
		status int
		why    string
	}{
		{"CONNECT example.com:443 HTTP/1.1\r\nHost: example.com:443\r\n\r\n", 404, "nothing else can be reached"},
		{"CONNECT 127.0.0.1:22 HTTP/1.1\r\nHost: 127.0.0.1:22\r\n\r\n", 404, "nothing else can be reached"},
		{"CONNECT orders:80 HTTP/1.1\r\nHost: orders:80\r\nContent-Length: 1\r\n\r\nx", 400, "with a body"},
	} {
		c := dial(t, addr)
		c.say(tt.says)
		if resp, body := c.answer(http.MethodGet); resp.StatusCode != tt.status || !strings.Contains(body, tt.why) {
			t.Errorf("%q: %d %s", tt.says, resp.StatusCode, body)
		}
		if rest, ok := c.ends(); !ok || rest != "" {
			t.Errorf("%q: %q, ended %v", tt.says, rest, ok)
		}
	}
	// TLS is told off.
	c2 := dial(t, addr)
	c2.say("CONNECT orders:443 HTTP/1.1\r\nHost: orders:443\r\n\r\n")
	if resp, err := http.ReadResponse(c2.r, &http.Request{Method: http.MethodConnect}); err != nil || resp.StatusCode != 200 {
		t.Fatal(resp, err)
	}
	if err := tls.Client(c2.Conn, &tls.Config{ServerName: "orders"}).HandshakeContext(t.Context()); err == nil || !strings.Contains(log.String(), "call=http://orders") {
		t.Errorf("%v; %s", err, log)
	}
	// One that says nothing does not outlive the door.
	c3 := dial(t, addr)
	c3.say("CONNECT orders:80 HTTP/1.1\r\nHost: orders:80\r\n\r\n")
	if _, err := http.ReadResponse(c3.r, &http.Request{Method: http.MethodConnect}); err != nil {
		t.Fatal(err)
	}
	within(t, "the drain", drained(s))
	if rest, ok := c3.ends(); !ok || rest != "" {
		t.Errorf("%q, ended %v", rest, ok)
	}
}

// An address that is one service's own leads to no other.
func TestProxyOfOneService(t *testing.T) {
	addr, _ := serve(t, plain.Config{
		Caller: lift.CallerFunc(tells), Services: []string{"orders", "billing"}, Proxy: true,
		Addresses: []plain.Address{{Network: "tcp", Addr: "127.0.0.1:0", Service: "orders"}},
	})
	c := dial(t, addr)
	c.say("CONNECT billing:80 HTTP/1.1\r\nHost: billing:80\r\n\r\n")
	if resp, body := c.answer(http.MethodGet); resp.StatusCode != 400 || !strings.Contains(body, "of \\\"orders\\\" alone") {
		t.Errorf("%d %s", resp.StatusCode, body)
	}
}

// Clients that know of proxies: Go's, and curl where it is.
func TestProxyClients(t *testing.T) {
	addr, _, _ := startProxy(t)
	proxy := &http.Transport{Proxy: http.ProxyURL(&url.URL{Scheme: "http", Host: addr})}
	defer proxy.CloseIdleConnections()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "http://orders/17", nil)
	if err != nil {
		t.Fatal(err)
	}
	resp, err := proxy.RoundTrip(req)
	if err != nil {
		t.Fatal(err)
	}
	body, _ := io.ReadAll(resp.Body)
	_ = resp.Body.Close()
	if !strings.HasPrefix(string(body), "GET orders /17 ") {
		t.Errorf("%d %s", resp.StatusCode, body)
	}
	curl, err := exec.LookPath("curl")
	if err != nil {
		t.Log("there is no curl on this machine; Go's client alone was tried")
		return
	}
	for _, args := range [][]string{{}, {"--proxytunnel"}} {
		args = append([]string{"-sS", "--noproxy", "", "-x", "http://" + addr, "http://orders/17"}, args...)
		if out, err := exec.CommandContext(t.Context(), curl, args...).CombinedOutput(); err != nil || !strings.HasPrefix(string(out), "GET orders /17 ") {
			t.Errorf("%q: %v, %s", args, err, out)
		}
	}
}
