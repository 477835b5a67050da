package session_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/liftmesh/lift"
	"github.com/liftmesh/lift/internal/session"
	"github.com/liftmesh/lift/internal/wire"
	"github.com/liftmesh/lift/sidecar"
)

func TestErrorsCross(t *testing.T) {
	began := time.Now()
	cl, _ := overSocket(t, lift.CallerFunc(func(c *lift.Call) (*lift.Response, error) {
		for i := range 5 {
			c.NewAttempt(lift.AttemptRecord{
				Endpoint: lift.Endpoint{Addr: fmt.Sprintf("10.0.0.%d:80", i)}, Began: lift.Now(), Ended: lift.Now(),
				Outcome: lift.Failed, Reached: lift.MayHaveActed, Err: errors.New("refused \xff"), Probe: true, Fresh: true,
			})
		}
		return nil, lift.Errorf(c, lift.AllOpen, "every endpoint is out")
	}), sidecar.Config{}, session.Options{})
	c := &lift.Call{Service: "orders"}
	_, _, err := ask(cl, c)
	wantCode(t, err, lift.AllOpen, lift.MayHaveActed)
	e, _ := errors.AsType[*lift.Error](err)
	if e.Service != "orders" || e.Endpoint != "10.0.0.4:80" || len(e.Attempts) != 5 || c.Tries() != 5 || !errors.Is(err, lift.AllOpen) {
		t.Errorf("%+v", e)
	}
	a := c.Attempts()[2]
	if a.Outcome != lift.Failed || a.Err.Error() != "refused \uFFFD" || !a.Probe || !a.Fresh || a.Began.Wall.Before(began) {
		t.Errorf("%+v", a)
	}
}

func TestPanicEndsOneCall(t *testing.T) {
	cl, _ := overSocket(t, lift.CallerFunc(func(c *lift.Call) (*lift.Response, error) {
		switch c.Service {
		case "panics":
			panic("boom")
		case "body panics":
			return &lift.Response{Status: 200, Body: lift.StreamBody(io.NopCloser(panics{}), -1, 0)}, nil
		case "nothing":
			return nil, nil //nolint:nilnil // that is the fault
		case "plain error":
			return nil, errors.New("no lift.Error")
		}
		return echo(c)
	}), sidecar.Config{}, session.Options{})
	for _, service := range []string{"panics", "body panics", "nothing", "plain error"} {
		_, _, err := ask(cl, &lift.Call{Service: service})
		if lift.CodeOf(err) != lift.Internal {
			t.Errorf("%s: %v", service, err)
		}
		if _, _, err := ask(cl, &lift.Call{Service: "orders"}); err != nil {
			t.Errorf("after %s: %v", service, err)
		}
	}
}

type panics struct{}

func (panics) Read([]byte) (int, error) { panic("boom") }

func TestRequestBodies(t *testing.T) {
	cl, _ := overSocket(t, lift.CallerFunc(func(c *lift.Call) (*lift.Response, error) {
		if c.Service == "early" { // answers without reading the request
			return &lift.Response{Status: 413, Body: lift.BytesBody(nil)}, nil
		}
		return echo(c)
	}), sidecar.Config{}, session.Options{})
	broken := errors.New("disk gone")
	for _, tt := range []struct {
		name string
		body *lift.Body
		code lift.Code
	}{
		{"breaks", lift.StreamBody(io.NopCloser(io.MultiReader(strings.NewReader("abc"), failing{broken})), -1, 0), lift.InvalidCall},
		{"breaks, sized", lift.StreamBody(io.NopCloser(failing{broken}), 10, 0), lift.InvalidCall},
		{"too short", lift.StreamBody(readCloser("abc"), 10, 0), lift.InvalidCall},
		{"too long", lift.StreamBody(readCloser("abcdef"), 3, 0), lift.InvalidCall},
		{"panics", lift.StreamBody(io.NopCloser(panics{}), -1, 0), lift.InvalidCall},
		{"panics, sized", lift.StreamBody(io.NopCloser(panics{}), 3, 0), lift.InvalidCall},
	} {
		_, _, err := ask(cl, &lift.Call{Service: "orders", Method: "POST", Body: tt.body})
		if lift.CodeOf(err) != tt.code {
			t.Errorf("%s: %v", tt.name, err)
		}
	}
	// An answer that comes before the request has been read ends the upload.
	r, w := io.Pipe()
	resp, _, err := ask(cl, &lift.Call{Service: "early", Method: "POST", Body: lift.StreamBody(r, -1, 0)})
	if err != nil || resp.Status != 413 {
		t.Errorf("%v, %v", resp, err)
	}
	_ = w.Close()
}

type failing struct{ err error }

func (f failing) Read([]byte) (int, error) { return 0, f.err }

// TestHalfSentRequestAndCancel must not leave a goroutine: the bubble would not end.
func TestHalfSentRequestAndCancel(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		read := make(chan error, 1)
		cl, _ := inMemory(t, lift.CallerFunc(func(c *lift.Call) (*lift.Response, error) {
			_, err := c.Body.ReadAll(0)
			read <- err
			return nil, lift.Errorf(c, lift.CallCanceled, "%w", err)
		}), sidecar.Config{}, session.Options{})
		r, w := io.Pipe()
		c := &lift.Call{Service: "orders", Method: "POST", Body: lift.StreamBody(r, -1, 0)}
		go func() { _, _ = w.Write(make([]byte, 100_000)) }()
		time.AfterFunc(time.Second, func() { c.Cancel(nil) })
		_, _, err := ask(cl, c)
		wantCode(t, err, lift.CallCanceled, lift.MayHaveActed)
		if err := <-read; err == nil {
			t.Error("the sidecar read a whole body")
		}
		_ = c.Body.Close()
	})
}

func TestVersions(t *testing.T) {
	for _, tt := range []struct {
		v  wire.Versions
		ok bool
	}{
		{wire.Versions{Min: 0, Max: 0}, true},
		{wire.Versions{Min: 0, Max: 1}, true}, // one minor version newer
		{wire.Versions{Min: 1, Max: 2}, false},
	} {
		cl, _ := overSocket(t, lift.CallerFunc(echo), sidecar.Config{Software: "lift-extension v0.9"}, session.Options{Versions: tt.v, Software: "lift-go v1.2"})
		_, _, err := ask(cl, &lift.Call{Service: "orders"})
		if tt.ok {
			if err != nil {
				t.Errorf("%v: %v", tt.v, err)
			}
			continue
		}
		wantCode(t, err, lift.Incompatible, lift.NotReached)
		for _, part := range []string{"lift-go v1.2", "1.1 to 1.2", "lift-extension v0.9", "1.0", "update the sidecar"} {
			if !strings.Contains(err.Error(), part) {
				t.Errorf("%v does not say %q", err, part)
			}
		}
	}
}

func TestInvalidCalls(t *testing.T) {
	cl, _ := overSocket(t, lift.CallerFunc(echo), sidecar.Config{}, session.Options{})
	for _, tt := range []struct {
		c    *lift.Call
		code lift.Code
	}{
		{&lift.Call{Service: "a\xff"}, lift.InvalidCall},
		{&lift.Call{Service: "a", Path: "/\xff"}, lift.InvalidCall},
		{&lift.Call{Service: "a", Header: []lift.Field{{Name: "\xff"}}}, lift.InvalidCall},
		{&lift.Call{Service: "a", Header: []lift.Field{{Name: "A", Value: strings.Repeat("x", 70<<10)}}}, lift.TooLarge},
		{&lift.Call{Service: "a", Deadline: time.Now().Add(-time.Second)}, lift.DeadlineExceeded},
	} {
		_, _, err := ask(cl, tt.c)
		wantCode(t, err, tt.code, lift.NotReached)
	}
	if _, _, err := ask(cl, &lift.Call{Service: "a"}); err != nil {
		t.Error(err)
	}
}

func TestManyAtOnce(t *testing.T) {
	cl, _ := overSocket(t, lift.CallerFunc(echo), sidecar.Config{}, session.Options{Sessions: 2})
	var all sync.WaitGroup
	for i := range 64 {
		all.Go(func() {
			for j := range 50 {
				content := bytes.Repeat([]byte{byte(i)}, (i*j*97)%40_000)
				c := &lift.Call{Service: "orders", Body: lift.BytesBody(content)}
				if j%10 == 9 {
					go c.Cancel(nil)
				}
				_, got, err := ask(cl, c)
				if err == nil && got != string(content) {
					t.Errorf("call %d.%d: %d of %d bytes", i, j, len(got), len(content))
				}
				if err != nil && !errors.Is(err, context.Canceled) {
					t.Errorf("call %d.%d: %v", i, j, err)
				}
			}
		})
	}
	all.Wait()
}

func TestBusySession(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		causes := make(chan error, 2)
		cl, _ := inMemory(t, silent(causes), sidecar.Config{Limits: sidecar.Limits{MaxCallsPerPeer: 2}}, session.Options{})
		var running []*lift.Call
		var all sync.WaitGroup
		for range 2 {
			c := &lift.Call{Service: "orders"}
			running = append(running, c)
			all.Go(func() { _, _, _ = ask(cl, c) })
			synctest.Wait()
		}
		_, _, err := ask(cl, &lift.Call{Service: "orders"})
		wantCode(t, err, lift.Busy, lift.NotReached)
		for _, c := range running {
			c.Cancel(nil)
		}
		all.Wait()
	})
}

func TestNoSidecarNamesThePath(t *testing.T) {
	missing := filepath.Join(t.TempDir(), "none.sock")
	dead := filepath.Join(t.TempDir(), "dead.sock")
	l, err := net.ListenUnix("unix", &net.UnixAddr{Name: dead})
	if err != nil {
		t.Fatal(err)
	}
	l.SetUnlinkOnClose(false)
	_ = l.Close()
	garbage := filepath.Join(t.TempDir(), "garbage.sock")
	g, err := net.Listen("unix", garbage)
	if err != nil {
		t.Fatal(err)
	}
	defer g.Close()
	go func() {
		for {
			c, err := g.Accept()
			if err != nil {
				return
			}
			_, _ = c.Write([]byte("HTTP/1.1 400 Bad Request\r\n\r\nyou what\r\n"))
			_ = c.Close()
		}
	}()
	for path, what := range map[string]string{missing: "no such", dead: "nobody listens", garbage: "does not answer as a Lift sidecar"} {
		cl := dial(t, path, session.Options{ConnectLimit: 500 * time.Millisecond})
		_, _, err := ask(cl, &lift.Call{Service: "orders"})
		wantCode(t, err, lift.NoSidecar, lift.NotReached)
		if !strings.Contains(err.Error(), path) || !strings.Contains(err.Error(), what) {
			t.Errorf("%v", err)
		}
	}
	if _, err := session.Dial("", session.Options{}); lift.CodeOf(err) != lift.NoSidecar {
		t.Errorf("an empty path: %v", err)
	}
}
