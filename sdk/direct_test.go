package sdk_test

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/liftmesh/lift"
	"github.com/liftmesh/lift/sdk"
)

func gone(code lift.Code, reached lift.Reached) func(*lift.Call) (*lift.Response, error) {
	return func(c *lift.Call) (*lift.Response, error) {
		e := lift.Errorf(c, code, "no sidecar on /tmp/lift/lift.sock")
		e.Reached = reached
		return nil, e
	}
}

func TestDirectFallback(t *testing.T) {
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		w.Header().Set("Trailer", "X-End")
		w.WriteHeader(http.StatusAccepted)
		fmt.Fprintf(w, "%s %s %s %s", r.Method, r.RequestURI, r.Header.Get("X-A"), body)
		w.Header().Set("X-End", "1")
	}))
	defer srv.Close()
	tests := []struct {
		name    string
		code    lift.Code
		reached lift.Reached
		method  string
		body    io.Reader
		direct  bool
	}{
		{"no sidecar, GET", lift.NoSidecar, lift.NotReached, "GET", nil, true},
		{"no sidecar, POST", lift.NoSidecar, lift.NotReached, "POST", strings.NewReader("hello"), true},
		{"no sidecar, streamed POST", lift.NoSidecar, lift.NotReached, "POST", io.MultiReader(strings.NewReader("hello")), true},
		{"session lost, GET", lift.SessionLost, lift.MayHaveActed, "GET", nil, true},
		{"session lost, POST not sent", lift.SessionLost, lift.NotReached, "POST", strings.NewReader("hello"), true},
		{"session lost, POST", lift.SessionLost, lift.MayHaveActed, "POST", strings.NewReader("hello"), false},
		{"all open", lift.AllOpen, lift.NotReached, "GET", nil, false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			client := sdk.New(newEngine(t, gone(tt.code, tt.reached)), sdk.Direct(map[string]string{"orders": srv.URL + "/prod/"}))
			var rec sdk.Record
			ctx := sdk.With(t.Context(), sdk.RecordIn(&rec), sdk.Header("X-A", "a"))
			req, _ := http.NewRequestWithContext(ctx, tt.method, "http://orders/a%2Fb?x=1", tt.body)
			resp, err := client.HTTPClient().Do(req)
			if rec.Direct() != (tt.direct && err != nil) {
				t.Error("the record is there before the call's end")
			}
			if !tt.direct {
				wantCode(t, err, tt.code)
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			want := tt.method + " /prod/a%2Fb?x=1 a "
			if tt.body != nil {
				want += "hello"
			}
			if got := readAll(t, resp.Body); got != want || resp.StatusCode != 202 || resp.Trailer.Get("X-End") != "1" {
				t.Errorf("got %d %q, trailer %v; want %q", resp.StatusCode, got, resp.Trailer, want)
			}
			_ = resp.Body.Close()
			attempts := rec.Attempts()
			if !rec.Direct() || len(attempts) != 1 {
				t.Fatalf("direct %v, attempts %v", rec.Direct(), attempts)
			}
			a := attempts[0]
			if a.Endpoint.Addr != srv.Listener.Addr().String() || a.Status != 202 || a.Outcome != lift.OK || a.Ended.IsZero() || a.Why != "direct: "+string(tt.code) {
				t.Errorf("got %+v", a)
			}
		})
	}
}

// A body that the engine has read past its replay buffer goes direct if the
// request can make it again, and only then.
func TestDirectNeedsTheBodyAgain(t *testing.T) {
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		n, _ := io.Copy(io.Discard, r.Body)
		fmt.Fprint(w, n, " ", r.ContentLength)
	}))
	defer srv.Close()
	const size = 3 * lift.ReplayLimit
	for _, again := range []bool{true, false} {
		eng := newEngine(t, func(c *lift.Call) (*lift.Response, error) {
			r, _ := c.Body.Reader()
			_, _ = io.CopyN(io.Discard, r, 2*lift.ReplayLimit)
			return gone(lift.NoSidecar, lift.NotReached)(c)
		})
		client := sdk.New(eng, sdk.Direct(map[string]string{"orders": srv.URL}))
		req, _ := http.NewRequestWithContext(t.Context(), http.MethodPut, "http://orders/", strings.NewReader(strings.Repeat("x", size)))
		if !again {
			req.GetBody = nil
		}
		resp, err := client.HTTPClient().Do(req)
		if !again {
			wantCode(t, err, lift.NoSidecar)
			continue
		}
		if err != nil {
			t.Fatal(err)
		}
		if got, want := readAll(t, resp.Body), fmt.Sprint(size, " ", size); got != want {
			t.Errorf("got %q, want %q", got, want)
		}
		_ = resp.Body.Close()
	}
}

func TestDirectThatFails(t *testing.T) {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	closed := ln.Addr().String()
	_ = ln.Close()
	hung, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = hung.Close() }()
	garbage := answering(t, "what is this\r\n\r\n")
	half := answering(t, "HTTP/1.1 200 OK\r\nContent-Length: 99\r\n\r\nhalf")

	tests := []struct {
		name, url string
		timeout   time.Duration
		code      lift.Code
		reached   lift.Reached
	}{
		{"refused", "http://" + closed, 0, lift.Unavailable, lift.NotReached},
		{"garbage", "http://" + garbage, 0, lift.Unavailable, lift.MayHaveActed},
		{"half an answer", "http://" + half, 0, lift.Unavailable, lift.Answered},
		{"hung", "http://" + hung.Addr().String(), 50 * time.Millisecond, lift.DeadlineExceeded, lift.MayHaveActed},
		{"no URL", "10.0.0.1:80", 0, lift.Misconfigured, lift.NotReached},
		{"query", "http://10.0.0.1?x", 0, lift.Misconfigured, lift.NotReached},
		{"scheme", "ftp://10.0.0.1", 0, lift.Misconfigured, lift.NotReached},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			client := sdk.New(newEngine(t, gone(lift.NoSidecar, lift.NotReached)), sdk.Direct(map[string]string{"orders": tt.url}))
			var rec sdk.Record
			_, err := sdk.Get[string](t.Context(), client, "orders", "/", sdk.Timeout(tt.timeout), sdk.RecordIn(&rec))
			e := wantCode(t, err, tt.code)
			if e.Reached != tt.reached {
				t.Errorf("got %s, want %s: %v", e.Reached, tt.reached, err)
			}
			if !rec.Direct() {
				t.Error("the record does not say that the call went direct")
			}
			if tt.code == lift.Unavailable && len(e.Attempts) != 1 {
				t.Errorf("got %d attempts", len(e.Attempts))
			}
		})
	}

	t.Run("canceled", func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		eng := newEngine(t, func(c *lift.Call) (*lift.Response, error) {
			time.AfterFunc(20*time.Millisecond, cancel)
			return gone(lift.NoSidecar, lift.NotReached)(c)
		})
		client := sdk.New(eng, sdk.Direct(map[string]string{"orders": "http://" + hung.Addr().String()}))
		_, err := sdk.Get[string](ctx, client, "orders", "/")
		if wantCode(t, err, lift.CallCanceled); !errors.Is(err, context.Canceled) {
			t.Errorf("%v is no context.Canceled", err)
		}
	})
	t.Run("another service has no URL", func(t *testing.T) {
		client := sdk.New(newEngine(t, gone(lift.NoSidecar, lift.NotReached)), sdk.Direct(map[string]string{"billing": "http://127.0.0.1:1"}))
		_, err := sdk.Get[string](t.Context(), client, "orders", "/")
		wantCode(t, err, lift.NoSidecar)
	})
}

// answering listens and gives every request the same bytes for an answer.
func answering(t *testing.T, answer string) (addr string) {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan struct{})
	t.Cleanup(func() { _ = ln.Close(); <-done })
	go func() {
		defer close(done)
		for {
			conn, err := ln.Accept()
			if err != nil {
				return
			}
			if req, err := http.ReadRequest(bufio.NewReader(conn)); err == nil {
				_, _ = io.Copy(io.Discard, req.Body)
				_, _ = io.WriteString(conn, answer)
			}
			_ = conn.Close()
		}
	}()
	return ln.Addr().String()
}
