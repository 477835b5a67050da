package transport_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/liftmesh/lift"
	"github.com/liftmesh/lift/transport"
)

type sign = func(context.Context, *http.Request, *lift.Body) error

// newSigned is newBench with a signer and what stands in its head.
func newSigned(t *testing.T, first peer, s sign) *bench {
	t.Helper()
	b := &bench{up: &upstream{next: first}, clock: newClock()}
	b.Pool = transport.NewPool("10.0.0.7:80", transport.Options{
		Config: transport.Config{Host: "orders.internal", PathPrefix: "/prod"}, Now: b.clock.now, Dial: b.up.dial, Sign: s,
	})
	t.Cleanup(func() {
		b.Close()
		b.up.close()
	})
	return b
}

// The signer sees what goes over the wire, and what it adds goes too.
func TestSign(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var wire http.Header
		var target, host string
		b := newSigned(t, func(_ *upstream, c conn, r reader) {
			if req, err := http.ReadRequest(r); err == nil {
				_, _ = io.Copy(io.Discard, req.Body)
				wire, target, host = req.Header, req.RequestURI, req.Host
				_, _ = io.WriteString(c, okAnswer)
			}
		}, func(_ context.Context, r *http.Request, body *lift.Body) error {
			content, whole := body.Complete()
			r.Header.Set("Authorization", fmt.Sprint(r.Method, " ", r.Host, " ", r.URL.RequestURI(), " ", r.URL.Path, " ", r.ContentLength, " ", string(content), whole, " ", r.Header["Connection"], r.Header["X-Own"]))
			r.URL.Path, r.Host, r.Method = "/elsewhere", "elsewhere", "GET" // nothing but the header counts
			return nil
		})
		c := b.call("POST", lift.BytesBody([]byte("body")))
		c.Path = "/a%2Fb//c?x=%20&y"
		c.Header = []lift.Field{{Name: "connection", Value: "X-Hop"}, {Name: "X-Hop", Value: "1"}, {Name: "x-own", Value: "2"}}
		resp, err := b.RoundTrip(c)
		if err != nil {
			t.Fatal(err)
		}
		wantHello(t, resp)
		synctest.Wait()
		const want = "POST orders.internal /prod/a%2Fb//c?x=%20&y /prod/a/b//c 4 bodytrue [] [2]"
		if got := wire.Get("Authorization"); got != want || target != "/prod/a%2Fb//c?x=%20&y" || host != "orders.internal" {
			t.Errorf("signed %q\nwant   %q; sent to %s at %s", got, want, target, host)
		}
	})
}

// A signer that fails sends nothing, and says whose fault it is.
func TestSignFails(t *testing.T) {
	for name, test := range map[string]struct {
		sign sign
		code lift.Code
		says string
		cost time.Duration
	}{
		"no key": {func(context.Context, *http.Request, *lift.Body) error {
			return fmt.Errorf("no key: %w", lift.Misconfigured)
		}, lift.Misconfigured, "cannot be signed: no key", 0},
		"no token": {func(context.Context, *http.Request, *lift.Body) error { return errors.New("the token has run out") }, lift.Unavailable, "could not be signed: the token has run out", 0},
		"panics":   {func(context.Context, *http.Request, *lift.Body) error { panic("boom") }, lift.Internal, "panic while signing a request: boom", 0},
		"hangs":    {func(ctx context.Context, _ *http.Request, _ *lift.Body) error { <-ctx.Done(); return ctx.Err() }, lift.AttemptTimeout, "within the attempt's timeout", time.Second},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				b := newSigned(t, healthy, test.sign)
				c, began := b.call("POST", live(strings.NewReader("body"), -1)), time.Now()
				_, err := b.RoundTrip(c)
				wantError(t, err, test.code)
				if !strings.Contains(err.Error(), test.says) || c.Reached != lift.NotReached || b.up.dials() != 0 {
					t.Errorf("%v; reached %v, %d connections", err, c.Reached, b.up.dials())
				}
				if cost := time.Since(began); cost != test.cost {
					t.Errorf("cost %s", cost)
				}
			})
		})
	}
}

// What a signer cannot read the same way as the endpoint is not sent.
func TestSignNeedsACleanPath(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newSigned(t, healthy, func(context.Context, *http.Request, *lift.Body) error { return nil })
		for path, ok := range map[string]bool{"": true, "//": true, "/?": true, "/a|b": false, "/%zz": false, "/a[b": true} {
			c := b.call("GET", nil)
			c.Path = path
			if _, err := b.RoundTrip(c); (err == nil) != ok || !ok && lift.CodeOf(err) != lift.InvalidCall {
				t.Errorf("%q: %v", path, err)
			}
		}
	})
}

// One attempt over two connections is signed once.
func TestSignOnceAnAttempt(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := 0
		b := newSigned(t, onceThen(silent), func(_ context.Context, r *http.Request, _ *lift.Body) error {
			n++
			r.Header.Set("Date", "today")
			return nil
		})
		b.mustCall(t, "GET")
		b.up.set(false, healthy)
		b.clock.jump(10*time.Second, 0)
		b.mustCall(t, "GET")
		if n != 2 || b.up.seen() != 3 {
			t.Errorf("signed %d times, %d requests seen", n, b.up.seen())
		}
	})
}

func TestPathPrefix(t *testing.T) {
	for _, test := range []struct{ method, prefix, path, want string }{
		{"GET", "/prod", "/orders?x=1", "/prod/orders?x=1"},
		{"GET", "/prod", "", "/prod/"},
		{"GET", "/prod", "/", "/prod/"},
		{"GET", "/prod", "/?x", "/prod/?x"},
		{"GET", "/prod", "//a//b/", "/prod//a//b/"},
		{"GET", "/my%20app/v2", "/%2F%zz?q=%2f#", ""},
		{"GET", "/my%20app/v2", "/%2F%zz|?q=%2f", "/my%20app/v2/%2F%zz|?q=%2f"},
		{"OPTIONS", "/prod", "*", "*"},
		{"GET", "/prod", "orders", ""},
	} {
		t.Run(test.prefix+" "+test.path, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				var got string
				b := newBench(t, func(_ *upstream, c conn, r reader) {
					line, _ := r.ReadString('\n')
					_, got, _ = strings.Cut(line, " ")
					_, _ = io.WriteString(c, okAnswer)
				}, transport.Config{PathPrefix: test.prefix})
				c := b.call(test.method, nil)
				c.Path = test.path
				_, err := b.RoundTrip(c)
				synctest.Wait()
				if test.want == "" {
					wantError(t, err, lift.InvalidCall)
				} else if got != test.want+" HTTP/1.1\r\n" {
					t.Errorf("sent %q, %v; want %q", got, err, test.want)
				}
			})
		})
	}
}

func TestCheckHostAndPrefix(t *testing.T) {
	for s, want := range map[string]bool{
		"h": true, "orders.example.com": true, "h:80": true, "10.0.0.1": true, "10.0.0.1:80": true, "[::1]": true, "[::1]:80": true, "x_y": true, "xn--bcher-kva.example": true,
		"": false, "::1": false, "h:": false, "h:0": false, "h:+1": false, "h:65536": false, "h/x": false, "http://h": false, "h h": false, "bücher": false, "[::1%eth0]": false, "a@b": false, ":80": false, "h\r\n": false, "[]": false, "[h]": false, "[h]:80": false, "[10.0.0.1]": false,
	} {
		if err := transport.CheckHost(s); (err == nil) != want {
			t.Errorf("CheckHost(%q) = %v", s, err)
		}
	}
	for s, want := range map[string]bool{
		"/prod": true, "/a/b": true, "/a%2Fb": true, "/~x": true,
		"": false, "/": false, "prod": false, "/prod/": false, "/a//b": false, "//a": false, "/a/../b": false, "/%2e%2E": false, "/.": false, "/a?b": false, "/a#b": false, "/a b": false, "/%zz": false, "/ä": false, "/a\r\n": false,
	} {
		if err := transport.CheckPathPrefix(s); (err == nil) != want {
			t.Errorf("CheckPathPrefix(%q) = %v", s, err)
		}
	}
}

// What follows an upgrade is no part of the request that is signed.
func TestSignOfAnUpgrade(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var length int64 = -2
		whole := false
		b := newSigned(t, healthy, func(_ context.Context, r *http.Request, body *lift.Body) error {
			_, whole = body.Complete()
			length = r.ContentLength
			return nil
		})
		c := b.call("GET", live(strings.NewReader("frames"), -1))
		c.Upgrade = "websocket"
		if _, err := b.RoundTrip(c); err != nil || !whole || length != 0 {
			t.Errorf("%v, length %d, whole %v", err, length, whole)
		}
	})
}
