package transport_test

import (
	"bufio"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/liftmesh/lift"
	"github.com/liftmesh/lift/internal/certtest"
	"github.com/liftmesh/lift/transport"
)

const switching = "HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\nUpgrade: Echo/2\r\nSec-Accept: yes\r\n\r\n"

// echo agrees and sends back what comes, until that ends; then it says bye.
func echo(u *upstream, c conn, r reader) {
	if _, ok := u.request(r); !ok {
		return
	}
	if _, err := io.WriteString(c, switching+"hi"); err != nil {
		return
	}
	_, _ = io.Copy(c, r)
	_, _ = io.WriteString(c, "bye")
}

// upgrading is a call that asks for the echo, and what it sends on it.
func (b *bench) upgrading() (*lift.Attempt, *io.PipeWriter) {
	r, w := io.Pipe()
	c := b.call("GET", lift.StreamBody(r, -1, lift.ReplayLimit))
	c.Upgrade = "other, echo/2"
	return c, w
}

// upgraded makes such a call, which has to be agreed to.
func (b *bench) upgraded(t *testing.T) (*lift.Attempt, *io.PipeWriter, *lift.Response, io.Reader) {
	t.Helper()
	c, w := b.upgrading()
	resp, err := b.RoundTrip(c)
	if err != nil {
		t.Fatal(err)
	}
	if resp.Status != 101 || lift.Get(resp.Header, "Upgrade") != "Echo/2" || lift.Get(resp.Header, "Sec-Accept") != "yes" || lift.Has(resp.Header, "Connection") {
		t.Fatalf("got %d %v", resp.Status, resp.Header)
	}
	r, err := resp.Body.Reader()
	if err != nil {
		t.Fatal(err)
	}
	return c, w, resp, r
}

func wantBytes(t *testing.T, r io.Reader, want string) {
	t.Helper()
	got := make([]byte, len(want))
	if _, err := io.ReadFull(r, got); err != nil || string(got) != want {
		t.Fatalf("got %q, %v; want %q", got, err, want)
	}
}

// An upgraded connection carries bytes both ways for as long as both want, and
// the caller's end is told.
func TestUpgrade(t *testing.T) {
	a := certtest.New(t, "ca")
	for name, secure := range map[string]*tls.Config{"plain": nil, "TLS 1.3": a.Server("orders.test", nil), "TLS 1.2": a.Server("orders.test", func(c *tls.Config) { c.MaxVersion = tls.VersionTLS12 })} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				var cfg transport.Config
				if secure != nil {
					cfg.TLS = &transport.TLS{CA: []string{a.File}}
				}
				b := newBenchTLS(t, echo, cfg, secure)
				b.up.roomy = true
				c, w, _, r := b.upgraded(t)
				wantBytes(t, r, "hi")
				for i := range 3 {
					time.Sleep(time.Hour) // long after any deadline
					said := strings.Repeat(fmt.Sprint(i), 100_000)
					go func() { _, _ = io.WriteString(w, said) }()
					wantBytes(t, r, said)
				}
				if s := b.Stats(); s != (transport.Stats{Open: 1, InUse: 1}) {
					t.Errorf("while it lives: %+v", s)
				}
				b.Close() // lets it run
				_ = w.Close()
				rest, err := io.ReadAll(r)
				if string(rest) != "bye" || err != nil {
					t.Errorf("the end: %q, %v", rest, err)
				}
				c.End()
				synctest.Wait()
				if s := b.Stats(); s.Open != 0 || b.up.seen() != 1 {
					t.Errorf("left: %+v, %d requests", s, b.up.seen())
				}
			})
		})
	}
}

func TestUpgradeRequest(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var got string
		b := newBench(t, func(_ *upstream, c conn, r reader) {
			for line, err := r.ReadString('\n'); err == nil; line, err = r.ReadString('\n') {
				if got += line; line == "\r\n" {
					break
				}
			}
			_, _ = io.WriteString(c, okAnswer)
		}, transport.Config{})
		c, w := b.upgrading()
		c.Upgrade = "websocket"
		c.Header = []lift.Field{{Name: "Connection", Value: "keep-alive, X-Hop"}, {Name: "X-Hop", Value: "1"}, {Name: "Upgrade", Value: "h2c"}, {Name: "Sec-WebSocket-Key", Value: "k"}}
		if _, err := b.RoundTrip(c); err != nil {
			t.Fatal(err)
		}
		if want := "GET /things?id=1 HTTP/1.1\r\nHost: orders.test:80\r\nConnection: Upgrade\r\nSec-Websocket-Key: k\r\nUpgrade: websocket\r\n\r\n"; got != want {
			t.Errorf("sent %q\nwant %q", got, want)
		}
		_ = w.Close()
	})
}

// An endpoint that does not switch gives an ordinary answer, and the connection
// carries the next call.
func TestUpgradeDeclined(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, healthy, transport.Config{})
		c, w := b.upgrading()
		resp, err := b.RoundTrip(c)
		if err != nil {
			t.Fatal(err)
		}
		wantHello(t, resp)
		c.End()
		b.mustCall(t, "POST")
		if n := b.up.dials(); n != 1 {
			t.Errorf("%d connections", n)
		}
		_ = w.Close()
	})
}

func TestUpgradeFails(t *testing.T) {
	gone := errors.New("the client went")
	tests := []struct {
		name string
		peer peer
		do   func(c *lift.Attempt, w *io.PipeWriter, resp *lift.Response) // once upgraded
		code lift.Code
		says string
	}{
		{name: "another protocol", peer: holding("HTTP/1.1 101 X\r\nConnection: upgrade\r\nUpgrade: h2c\r\n\r\n"), code: lift.BadResponse, says: `switches to "h2c"`},
		{name: "none", peer: holding("HTTP/1.1 101 X\r\n\r\n"), code: lift.BadResponse, says: `switches to ""`},
		{name: "silent", peer: silent, code: lift.AttemptTimeout},
		{name: "hangs up", peer: resetting, code: lift.Unavailable},
		{name: "cancel", peer: echo, code: lift.CallCanceled, says: "the client went",
			do: func(c *lift.Attempt, _ *io.PipeWriter, _ *lift.Response) { c.Cancel(gone) }},
		{name: "the caller's stream breaks", peer: echo, code: lift.CallCanceled, says: "the client went",
			do: func(_ *lift.Attempt, w *io.PipeWriter, _ *lift.Response) { _ = w.CloseWithError(gone) }},
		{name: "the caller closes", peer: echo, says: lift.ErrBodyClosed.Error(),
			do: func(_ *lift.Attempt, _ *io.PipeWriter, resp *lift.Response) { _ = resp.Body.Close() }},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				b := newBench(t, test.peer, transport.Config{})
				c, w := b.upgrading()
				a := c
				resp, err := b.RoundTrip(c)
				if test.do != nil {
					if err != nil {
						t.Fatal(err)
					}
					r, _ := resp.Body.Reader()
					wantBytes(t, r, "hi")
					time.AfterFunc(time.Minute, func() { test.do(c, w, resp) })
					_, err = io.ReadAll(r)
				} else if a.Reached == lift.NotReached || b.up.seen() != 1 {
					t.Errorf("reached %v, %d requests", a.Reached, b.up.seen())
				}
				if test.code != "" {
					wantError(t, err, test.code)
				}
				if err == nil || !strings.Contains(err.Error(), test.says) {
					t.Errorf("got %v, want %q", err, test.says)
				}
				c.End()
				_ = w.Close()
				synctest.Wait()
				if s := b.Stats(); s.Open != 0 {
					t.Errorf("left: %+v", s)
				}
			})
		})
	}
}

// An upgrade is sent once, and on a connection that can be trusted.
func TestUpgradeIsSentOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, onceThen(silent), transport.Config{})
		b.mustCall(t, "GET")
		b.up.set(false, echo)
		b.clock.jump(10*time.Second, 0)
		c, w, resp, _ := b.upgraded(t)
		if !c.Fresh || b.up.seen() != 2 {
			t.Errorf("fresh %v, %d requests", c.Fresh, b.up.seen())
		}
		_ = w.Close()
		_ = resp.Body.Close()
	})
}

// Upgraded connections count: a call beyond the limit waits for one to end.
func TestUpgradeCounts(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, echo, transport.Config{MaxConnections: 1})
		_, w, resp, r := b.upgraded(t)
		_, err := b.RoundTrip(b.call("GET", nil))
		wantError(t, err, lift.Busy)
		wantBytes(t, r, "hi")
		b.up.set(false, healthy)
		_ = w.Close()
		_ = resp.Body.Close()
		b.mustCall(t, "GET")
	})
}

func TestUpgradeToNoProtocol(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, healthy, transport.Config{})
		for _, s := range []string{"a b", "a/b/c", "x\r\nY: z", ",", "/1", "a/"} {
			c := b.call("GET", nil)
			c.Upgrade = s
			_, err := b.RoundTrip(c)
			wantError(t, err, lift.InvalidCall)
		}
		mux := newH2Bench(t, transport.Config{})
		c := mux.call("GET", nil)
		c.Upgrade = "websocket"
		_, err := mux.RoundTrip(c)
		wantError(t, err, lift.InvalidCall)
	})
}

// Over a real socket, with a server that knows how.
func TestUpgradeOverSockets(t *testing.T) {
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		c, rw, err := http.NewResponseController(w).Hijack()
		if err != nil {
			t.Error(err)
			return
		}
		defer c.Close()
		_, _ = rw.WriteString(switching)
		_ = rw.Flush()
		_, _ = io.Copy(c, rw)
		_, _ = io.WriteString(c, "bye "+r.Header.Get("Upgrade"))
	}))
	defer srv.Close()
	p := transport.NewPool(srv.Listener.Addr().String(), transport.Options{})
	defer p.Close()
	r, w := io.Pipe()
	c := &lift.Call{Upgrade: "echo/2", Body: lift.StreamBody(r, -1, 0), Deadline: time.Now().Add(10 * time.Second)}
	resp, err := p.RoundTrip(tryOf(c))
	if err != nil {
		t.Fatal(err)
	}
	in, _ := resp.Body.Reader()
	lines := bufio.NewReader(in)
	for i := range 10 {
		if _, err := fmt.Fprintf(w, "line %d\n", i); err != nil {
			t.Fatal(err)
		}
		if line, err := lines.ReadString('\n'); err != nil || line != fmt.Sprintf("line %d\n", i) {
			t.Fatalf("got %q, %v", line, err)
		}
	}
	_ = w.Close()
	if rest, err := io.ReadAll(lines); string(rest) != "bye echo/2" || err != nil {
		t.Errorf("got %q, %v", rest, err)
	}
	c.End()
}

// Where the endpoint chose HTTP/2 for calls, an upgrade goes over HTTP/1.1.
func TestUpgradeBesideHTTP2(t *testing.T) {
	a := certtest.New(t, "ca")
	srv := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("Upgrade") == "" {
			_, _ = io.WriteString(w, r.Proto)
			return
		}
		c, rw, err := http.NewResponseController(w).Hijack()
		if err != nil {
			t.Error(err)
			return
		}
		defer c.Close()
		_, _ = rw.WriteString(switching)
		_ = rw.Flush()
		_, _ = io.Copy(c, rw)
	}))
	srv.TLS, srv.EnableHTTP2 = a.Server("orders.test", func(c *tls.Config) { c.NextProtos = nil }), true
	srv.StartTLS()
	defer srv.Close()
	up := transport.New(srv.Listener.Addr().String(), transport.Options{Config: transport.Config{
		Protocol: transport.Auto, TLS: &transport.TLS{CA: []string{a.File}, ServerName: "orders.test"},
	}})
	for range 2 {
		c := &lift.Call{Deadline: time.Now().Add(10 * time.Second)}
		resp, err := up.RoundTrip(tryOf(c))
		if err != nil {
			t.Fatal(err)
		}
		if got, err := resp.Body.ReadAll(0); string(got) != "HTTP/2.0" || err != nil {
			t.Errorf("got %q, %v", got, err)
		}
		c.End()
	}
	r, w := io.Pipe()
	c := &lift.Call{Upgrade: "echo/2", Body: lift.StreamBody(r, -1, 0), Deadline: time.Now().Add(10 * time.Second)}
	resp, err := up.RoundTrip(tryOf(c))
	if err != nil {
		t.Fatal(err)
	}
	in, _ := resp.Body.Reader()
	go func() { _, _ = io.WriteString(w, "ping") }()
	wantBytes(t, in, "ping")
	if s := up.Stats(); s.Open != 2 || s.InUse != 1 {
		t.Errorf("holds %+v", s)
	}
	up.Close()
	_ = w.Close()
	if _, err := io.ReadAll(in); err != nil {
		t.Error(err)
	}
	c.End()
}
