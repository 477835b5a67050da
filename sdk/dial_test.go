package sdk_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/liftmesh/lift"
	"github.com/liftmesh/lift/sdk"
	"github.com/liftmesh/lift/sidecar"
)

// serve runs a sidecar over eng and returns its socket and what stops it. What
// the SDK starts must be gone when the test has ended.
func serve(t *testing.T, socket string, caller lift.Caller, edit ...func(*sidecar.Config)) (stop func()) {
	t.Helper()
	cfg := sidecar.Config{Socket: socket, Caller: caller}
	for _, f := range edit {
		f(&cfg)
	}
	srv, err := sidecar.Listen(cfg)
	if err != nil {
		t.Fatal(err)
	}
	served := make(chan error, 1)
	go func() { served <- srv.Serve(context.Background()) }()
	stop = sync.OnceFunc(func() {
		srv.Close()
		if err := <-served; err != nil {
			t.Errorf("the sidecar: %v", err)
		}
	})
	t.Cleanup(stop)
	return stop
}

func dial(t *testing.T, socket string, opts ...sdk.Option) *sdk.Client {
	t.Helper()
	client, err := sdk.Dial(socket, opts...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := errors.Join(client.Close(), client.Close()); err != nil {
			t.Errorf("close: %v", err)
		}
		stacks := make([]byte, 1<<20)
		stacks = stacks[:runtime.Stack(stacks, true)]
		if strings.Contains(string(stacks), "/internal/session.") {
			t.Errorf("goroutines of the session outlived Close:\n%s", stacks)
		}
	})
	return client
}

func socketOf(t *testing.T) string { return filepath.Join(t.TempDir(), "lift.sock") }

func TestOverTheSocket(t *testing.T) {
	socket := socketOf(t)
	canceled := make(chan error, 1)
	serve(t, socket, lift.CallerFunc(func(c *lift.Call) (*lift.Response, error) {
		a := c.NewAttempt(lift.AttemptRecord{Endpoint: lift.Endpoint{Addr: "10.0.0.1:80"}, Began: lift.Now(), Ended: lift.Now()})
		defer a.End()
		switch {
		case strings.HasPrefix(c.Path, "/echo"):
			a.Status, a.Outcome, a.Reached = 201, lift.OK, lift.Answered
			r, err := c.Body.Reader()
			if err != nil {
				return nil, err
			}
			pr, pw := io.Pipe()
			body := lift.StreamBody(pr, -1, 0)
			go func() {
				_, err := io.Copy(pw, r)
				body.SetTrailer([]lift.Field{{Name: "x-end", Value: lift.Get(c.Body.Trailer(), "X-Sum")}})
				_ = pw.CloseWithError(err)
			}()
			return &lift.Response{Status: 201, Header: []lift.Field{{Name: "x-path", Value: c.Path}}, Body: body}, nil
		case c.Path == "/open":
			a.Outcome = lift.Failed
			a.Publish()
			return nil, lift.Errorf(c, lift.AllOpen, "next probe in 3s")
		case c.Path == "/hang":
			_, err := silent(c)
			canceled <- c.Err()
			return nil, err
		}
		a.Status, a.Outcome, a.Reached = 200, lift.OK, lift.Answered
		left := time.Until(c.Deadline).Round(time.Minute)
		return ok(fmt.Sprintf(`"%s %s %s %s %v %s"`, c.Method, c.Path, c.Tenant, c.HashKey, c.IsIdempotent(), left)), nil
	}))
	client := dial(t, socket)

	t.Run("json", func(t *testing.T) {
		ctx, cancel := context.WithTimeout(t.Context(), 10*time.Minute)
		defer cancel()
		var rec sdk.Record
		got, err := sdk.Post[string](ctx, client, "orders", "/a%2Fb?x=1", nil, sdk.Tenant("acme"), sdk.HashKey("k"), sdk.Idempotent(), sdk.RecordIn(&rec))
		if want := "POST /a%2Fb?x=1 acme k true 10m0s"; err != nil || got != want {
			t.Errorf("got %q, %v; want %q", got, err, want)
		}
		if e, answered := rec.Endpoint(); !answered || e.Addr != "10.0.0.1:80" {
			t.Errorf("the record says %v", rec.Attempts())
		}
	})
	t.Run("error", func(t *testing.T) {
		resp, err := client.HTTPClient().Get("http://orders/open")
		if err == nil {
			_ = resp.Body.Close()
		}
		if e := wantCode(t, err, lift.AllOpen); len(e.Attempts) != 1 || e.Attempts[0].Outcome != lift.Failed || e.Service != "orders" {
			t.Errorf("got %+v", e)
		}
	})
	t.Run("streams", func(t *testing.T) {
		pr, pw := io.Pipe()
		req, _ := http.NewRequestWithContext(t.Context(), http.MethodPost, "http://orders/echo?q", pr)
		req.Trailer = http.Header{"X-Sum": nil}
		var rec sdk.Record
		resp, err := client.HTTPClient().Do(req.WithContext(sdk.With(t.Context(), sdk.RecordIn(&rec))))
		if err != nil {
			t.Fatal(err)
		}
		if resp.StatusCode != 201 || resp.Header.Get("X-Path") != "/echo?q" {
			t.Errorf("got %s %v", resp.Status, resp.Header)
		}
		for _, word := range []string{"one", strings.Repeat("two", 100_000)} {
			go func() { _, _ = io.WriteString(pw, word) }()
			got := make([]byte, len(word))
			if _, err := io.ReadFull(resp.Body, got); err != nil || string(got) != word {
				t.Fatalf("got %d bytes, %v", len(got), err)
			}
		}
		req.Trailer.Set("X-Sum", "42")
		_ = pw.Close()
		_ = readAll(t, resp.Body)
		_ = resp.Body.Close()
		if resp.Trailer.Get("X-End") != "42" {
			t.Errorf("got trailer %v", resp.Trailer)
		}
		if e, _ := rec.Endpoint(); e.Addr != "10.0.0.1:80" {
			t.Errorf("the record says %v", rec.Attempts())
		}
	})
	t.Run("early close", func(t *testing.T) {
		pr, pw := io.Pipe()
		resp, err := client.HTTPClient().Post("http://orders/echo", "text/plain", pr)
		if err != nil {
			t.Fatal(err)
		}
		_ = resp.Body.Close()
		if _, err := pw.Write([]byte("x")); err == nil {
			t.Error("the request's writer was not woken")
		}
	})
	t.Run("cancel", func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		time.AfterFunc(20*time.Millisecond, cancel)
		_, err := sdk.Get[string](ctx, client, "orders", "/hang")
		wantCode(t, err, lift.CallCanceled)
		if err := <-canceled; err == nil {
			t.Error("the cancellation did not cross the socket")
		}
	})
	t.Run("deadline", func(t *testing.T) {
		ctx, cancel := context.WithTimeout(t.Context(), 30*time.Millisecond)
		defer cancel()
		_, err := sdk.Get[string](ctx, client, "orders", "/hang")
		if wantCode(t, err, lift.DeadlineExceeded); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("%v is no context.DeadlineExceeded", err)
		}
		<-canceled
	})
}

func TestInvocationReachesTheSidecar(t *testing.T) {
	socket := socketOf(t)
	told := make(chan string, 2)
	serve(t, socket, lift.CallerFunc(func(*lift.Call) (*lift.Response, error) { return ok(""), nil }), func(cfg *sidecar.Config) {
		cfg.InvocationStart = func(in sidecar.Invocation) {
			told <- fmt.Sprint("start ", in.RequestID, " ", time.Until(in.Deadline).Round(time.Minute), " ", in.Trace, " ", in.Tenant)
		}
		cfg.InvocationDone = func(id string) { told <- "done " + id }
	})
	client := dial(t, socket)
	outer, cancel := context.WithTimeout(t.Context(), 10*time.Minute)
	defer cancel()
	ctx, done := client.Invocation(outer, sdk.Invocation{ID: "r1", Trace: "Root=1-a", Tenant: "acme"})
	if _, err := sdk.Get[struct{}](ctx, client, "orders", "/"); err != nil {
		t.Fatal(err)
	}
	done()
	for _, want := range []string{"start r1 10m0s Root=1-a acme", "done r1"} {
		if got := <-told; got != want {
			t.Errorf("got %q, want %q", got, want)
		}
	}
}

// A client outlives its sidecar: calls fail by a typed error, or go direct, and
// come through again when there is one.
func TestSidecarThatComesAndGoes(t *testing.T) {
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, `"direct"`) }))
	defer srv.Close()
	socket := socketOf(t)
	caller := lift.CallerFunc(func(*lift.Call) (*lift.Response, error) { return ok(`"sidecar"`), nil })
	plain := dial(t, socket)
	direct := dial(t, socket, sdk.Direct(map[string]string{"orders": srv.URL}))

	ask := func(client *sdk.Client) (string, error) {
		return sdk.Post[string](t.Context(), client, "orders", "/", 1)
	}
	_, err := ask(plain)
	wantCode(t, err, lift.NoSidecar)
	if got, err := ask(direct); err != nil || got != "direct" {
		t.Errorf("without a sidecar: %q, %v", got, err)
	}
	_, done := plain.Invocation(t.Context(), sdk.Invocation{ID: "r1"})
	done()

	stop := serve(t, socket, caller)
	for _, client := range []*sdk.Client{plain, direct} {
		// A client that found nobody looks again after at most a second.
		ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
		got, err := "", error(nil)
		for got != "sidecar" && ctx.Err() == nil {
			got, err = ask(client)
		}
		cancel()
		if got != "sidecar" {
			t.Fatalf("with a sidecar: %q, %v", got, err)
		}
	}
	stop()
	if _, err = ask(plain); err == nil {
		t.Error("a call was answered by a sidecar that is gone")
	}
	// The session may not know yet that it is lost: only what is idempotent is sure to go.
	if got, err := sdk.Get[string](t.Context(), direct, "orders", "/"); err != nil || got != "direct" {
		t.Errorf("after the sidecar: %q, %v", got, err)
	}

	_ = plain.Close()
	_, err = ask(plain)
	wantCode(t, err, lift.SessionLost)
}

func TestDialFindsTheSocket(t *testing.T) {
	socket := socketOf(t)
	serve(t, socket, lift.CallerFunc(func(*lift.Call) (*lift.Response, error) { return ok(`"here"`), nil }))
	t.Setenv("LIFT_SOCKET", socket)
	if got, err := sdk.Get[string](t.Context(), dial(t, ""), "orders", "/"); err != nil || got != "here" {
		t.Errorf("got %q, %v", got, err)
	}
}
