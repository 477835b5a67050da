package plain_test

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/liftmesh/lift"
	"github.com/liftmesh/lift/mesh"
	"github.com/liftmesh/lift/registry/static"
	"github.com/liftmesh/lift/sidecar/plain"
)

// patience is how long a test waits for what should take a moment.
const patience = 10 * time.Second

// serve starts a door on a loopback port, and returns its address.
func serve(t *testing.T, cfg plain.Config) (addr string, s *plain.Server) {
	t.Helper()
	if cfg.Addresses == nil {
		cfg.Addresses = []plain.Address{{Network: "tcp", Addr: "127.0.0.1:0"}}
	}
	s, err := plain.Listen(cfg)
	if err != nil {
		t.Fatal(err)
	}
	var serving sync.WaitGroup
	serving.Go(func() {
		if err := s.Serve(context.Background()); err != nil {
			t.Error(err)
		}
	})
	t.Cleanup(func() {
		s.Close()
		serving.Wait()
	})
	return s.Addrs()[0].String(), s
}

// meshTo is the real data plane before one instance of orders.
func meshTo(t *testing.T, addrs ...string) *mesh.Mesh {
	t.Helper()
	endpoints := make([]lift.Endpoint, len(addrs))
	for i, a := range addrs {
		endpoints[i].Addr = a
	}
	m := mesh.New(mesh.Options{Services: []mesh.ServiceConfig{{
		Name: "orders", Registry: static.New(endpoints), Timeout: patience, AttemptTimeout: patience,
	}}})
	t.Cleanup(m.Close)
	return m
}

// through is a door before the real data plane before an instance.
func through(t *testing.T, instance http.HandlerFunc) (addr string) {
	t.Helper()
	upstream := httptest.NewServer(instance)
	t.Cleanup(upstream.Close)
	addr, _ = serve(t, plain.Config{Caller: meshTo(t, upstream.Listener.Addr().String()), Services: []string{"orders"}})
	return addr
}

// raw is a connection that says exactly what it is told to.
type raw struct {
	net.Conn
	t *testing.T
	r *bufio.Reader
}

func dial(t *testing.T, addr string) *raw {
	t.Helper()
	network := "tcp"
	if filepath.IsAbs(addr) {
		network = "unix"
	}
	var d net.Dialer
	c, err := d.DialContext(t.Context(), network, addr)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.Close() })
	if err := c.SetDeadline(time.Now().Add(patience)); err != nil {
		t.Fatal(err)
	}
	return &raw{c, t, bufio.NewReader(c)}
}

func (c *raw) say(s string) {
	c.t.Helper()
	if _, err := io.WriteString(c, s); err != nil {
		c.t.Fatal(err)
	}
}

// answer reads one answer, whole.
func (c *raw) answer(method string) (*http.Response, string) {
	c.t.Helper()
	resp, err := http.ReadResponse(c.r, &http.Request{Method: method})
	if err != nil {
		c.t.Fatal(err)
	}
	body, err := io.ReadAll(resp.Body)
	_ = resp.Body.Close()
	if err != nil {
		c.t.Fatal(err)
	}
	return resp, string(body)
}

// ends reports whether the door hangs up, and with what it said before.
func (c *raw) ends() (rest string, ok bool) {
	text, err := io.ReadAll(c.r)
	if ne, isNet := err.(net.Error); isNet && ne.Timeout() { //nolint:errorlint // a connection's own
		return string(text), false
	}
	return string(text), true
}

// told is the error that an answer of Lift's own holds.
type told struct {
	Error struct {
		Code, Service, Endpoint, Message string
		MayHaveActed                     bool `json:"may_have_acted"`
		Attempts                         []struct {
			Endpoint, Outcome, Error string
			Status                   int
			Queued                   float64 `json:"queued_ms"`
		}
	}
}

func errorOf(t *testing.T, resp *http.Response, body string) told {
	t.Helper()
	var e told
	if err := json.Unmarshal([]byte(body), &e); err != nil {
		t.Fatalf("%d %q: %v", resp.StatusCode, body, err)
	}
	if resp.Header.Get("Lift-Error") != e.Error.Code || resp.Header.Get("Content-Type") != "application/json" {
		t.Errorf("the header %v does not go with the code %q", resp.Header, e.Error.Code)
	}
	return e
}

// witness is an instance that keeps the bytes of each request as they came, and
// answers 200 to each.
type witness struct {
	addr string
	mu   sync.Mutex
	seen []string
}

func newWitness(t *testing.T) *witness {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	w := &witness{addr: l.Addr().String()}
	var work sync.WaitGroup
	var mu sync.Mutex
	var conns []net.Conn
	work.Go(func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			mu.Lock()
			conns = append(conns, c)
			mu.Unlock()
			work.Go(func() { w.serve(c) })
		}
	})
	t.Cleanup(func() {
		_ = l.Close()
		mu.Lock()
		for _, c := range conns {
			_ = c.Close()
		}
		mu.Unlock()
		work.Wait()
	})
	return w
}

func (w *witness) serve(c net.Conn) {
	defer c.Close()
	var said bytes.Buffer
	r := bufio.NewReader(io.TeeReader(c, &said))
	for {
		req, err := http.ReadRequest(r)
		if err != nil {
			return
		}
		_, err = io.Copy(io.Discard, req.Body)
		w.mu.Lock()
		w.seen = append(w.seen, said.String())
		w.mu.Unlock()
		said.Reset()
		if err != nil {
			return
		}
		if _, err := io.WriteString(c, "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"); err != nil {
			return
		}
	}
}

// requests returns what came, each without the lines that do not matter.
func (w *witness) requests() []string {
	w.mu.Lock()
	defer w.mu.Unlock()
	out := make([]string, len(w.seen))
	for i, s := range w.seen {
		head, body, _ := strings.Cut(s, "\r\n\r\n")
		var lines []string
		for line := range strings.SplitSeq(head, "\r\n") {
			if !strings.HasPrefix(line, "Host: ") {
				lines = append(lines, line)
			}
		}
		out[i] = strings.Join(lines, "|") + "||" + body
	}
	return out
}

func get(t *testing.T, addr, path string, fields ...string) (*http.Response, string) {
	t.Helper()
	c := dial(t, addr)
	c.say("GET " + path + " HTTP/1.1\r\n" + strings.Join(fields, "\r\n") + "\r\n\r\n")
	return c.answer(http.MethodGet)
}

func fail(code lift.Code, reached lift.Reached) lift.Caller {
	return lift.CallerFunc(func(c *lift.Call) (*lift.Response, error) {
		return nil, &lift.Error{Code: code, Service: c.Service, Endpoint: "10.0.0.1:80", Reached: reached, Err: fmt.Errorf("because")}
	})
}
