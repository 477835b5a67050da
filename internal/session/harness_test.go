package session_test

import (
	"context"
	"io"
	"net"
	"path/filepath"
	"strings"
	"testing"

	"google.golang.org/grpc/test/bufconn"

	"github.com/liftmesh/lift"
	"github.com/liftmesh/lift/internal/session"
	"github.com/liftmesh/lift/sidecar"
)

// overSocket runs a sidecar on a real unix socket and returns a client of it.
func overSocket(t testing.TB, caller lift.Caller, cfg sidecar.Config, opts session.Options) (*session.Client, *sidecar.Server) {
	t.Helper()
	cfg.Socket, cfg.Caller = filepath.Join(t.TempDir(), "lift.sock"), caller
	srv, err := sidecar.Listen(cfg)
	if err != nil {
		t.Fatal(err)
	}
	serve(t, srv)
	return dial(t, cfg.Socket, opts), srv
}

// inMemory is overSocket for bubbles.
func inMemory(t testing.TB, caller lift.Caller, cfg sidecar.Config, opts session.Options) (*session.Client, *sidecar.Server) {
	t.Helper()
	l := bufconn.Listen(64 << 10)
	cfg.Caller = caller
	srv, err := sidecar.On(l, cfg)
	if err != nil {
		t.Fatal(err)
	}
	serve(t, srv)
	if opts.Dial == nil {
		opts.Dial = func(ctx context.Context) (net.Conn, error) { return l.DialContext(ctx) }
	}
	return dial(t, "memory", opts), srv
}

func serve(t testing.TB, srv *sidecar.Server) {
	t.Helper()
	done := make(chan error, 1)
	go func() { done <- srv.Serve(context.Background()) }()
	t.Cleanup(func() {
		srv.Close()
		if err := <-done; err != nil {
			t.Errorf("Serve: %v", err)
		}
	})
}

func dial(t testing.TB, socket string, opts session.Options) *session.Client {
	t.Helper()
	cl, err := session.Dial(socket, opts)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = cl.Close() })
	return cl
}

// echo answers with the request's body, whole.
func echo(c *lift.Call) (*lift.Response, error) {
	a := c.NewAttempt(lift.AttemptRecord{
		Endpoint: lift.Endpoint{ID: "i-1", Addr: "10.0.0.1:80", Zone: "use1-az1"},
		Began:    lift.Now(), Outcome: lift.OK, Reached: lift.Answered, Status: 200, Why: "only one",
	})
	content, err := c.Body.ReadAll(0)
	a.Ended = lift.Now()
	a.End()
	if err != nil {
		return nil, lift.Errorf(c, lift.CallCanceled, "%w", err)
	}
	body := lift.BytesBody(content)
	body.SetTrailer([]lift.Field{{Name: "After", Value: "all"}})
	return &lift.Response{Status: 200, Header: []lift.Field{{Name: "X-Path", Value: c.Path}, {Name: "X-Raw", Value: "\xff\xfe"}}, Body: body}, nil
}

// ask makes a call and reads its answer.
func ask(cl lift.Caller, c *lift.Call) (*lift.Response, string, error) {
	defer c.End()
	resp, err := cl.Call(c)
	if err != nil {
		return nil, "", err
	}
	r, err := resp.Body.Reader()
	if err != nil {
		return resp, "", err
	}
	content, err := io.ReadAll(r)
	return resp, string(content), err
}

func wantCode(t testing.TB, err error, code lift.Code, reached lift.Reached) {
	t.Helper()
	e, ok := err.(*lift.Error) //nolint:errorlint // it is what leaves
	if !ok || e.Code != code || e.Reached != reached {
		t.Fatalf("error %T %v; want %s, %s", err, err, code, reached)
	}
}

func readCloser(s string) io.ReadCloser { return io.NopCloser(strings.NewReader(s)) }
