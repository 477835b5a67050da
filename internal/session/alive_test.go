package session_test

import (
	"context"
	"errors"
	"io"
	"net"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"google.golang.org/grpc/test/bufconn"

	"github.com/liftmesh/lift"
	"github.com/liftmesh/lift/internal/session"
	"github.com/liftmesh/lift/sidecar"
)

// stopped is a connection to a process that was stopped: it takes what is written
// and says nothing any more.
type stopped struct {
	net.Conn
	mu   sync.Mutex
	halt bool
	over chan struct{}
	once sync.Once
}

func (c *stopped) isHalted() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.halt
}

func (c *stopped) Read(p []byte) (int, error) {
	n, err := c.Conn.Read(p)
	if c.isHalted() {
		<-c.over
		return 0, net.ErrClosed
	}
	return n, err
}

func (c *stopped) Write(p []byte) (int, error) {
	if c.isHalted() {
		return len(p), nil
	}
	return c.Conn.Write(p)
}

func (c *stopped) Close() error {
	c.once.Do(func() { close(c.over) })
	return c.Conn.Close()
}

// A call that nothing limits waits as long as the sidecar lives, and no longer.
func TestCallWithoutALimit(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := bufconn.Listen(64 << 10)
		var conn *stopped
		cl, _ := inMemoryOn(t, l, lift.CallerFunc(func(c *lift.Call) (*lift.Response, error) {
			if c.Path == "/stream" {
				r, w := io.Pipe()
				body := lift.StreamBody(r, -1, 0)
				c.OnCancel(func() { _ = w.CloseWithError(errors.New("canceled")) })
				go func() { _, _ = io.WriteString(w, "first") }()
				return &lift.Response{Status: 200, Body: body}, nil
			}
			<-c.Done()
			return nil, lift.Errorf(c, lift.CallCanceled, "%w", c.Err())
		}), session.Options{Dial: func(ctx context.Context) (net.Conn, error) {
			raw, err := l.DialContext(ctx)
			conn = &stopped{Conn: raw, over: make(chan struct{})}
			return conn, err
		}})
		ended := make(chan error, 2)
		go func() {
			_, _, err := ask(cl, &lift.Call{Service: "orders"})
			ended <- err
		}()
		go func() { // its answer has begun
			_, _, err := ask(cl, &lift.Call{Service: "orders", Path: "/stream"})
			ended <- err
		}()
		time.Sleep(time.Hour)
		select {
		case err := <-ended:
			t.Fatalf("the sidecar lives and the call ended with %v", err)
		default:
		}
		conn.mu.Lock()
		conn.halt = true
		conn.mu.Unlock()
		began := time.Now()
		for range 2 {
			err := <-ended
			if lift.CodeOf(err) != lift.SessionLost || !strings.Contains(err.Error(), "hangs") {
				t.Errorf("got %v", err)
			}
		}
		if took := time.Since(began); took > 16*time.Second {
			t.Errorf("it took %s", took)
		}
	})
}

func inMemoryOn(t testing.TB, l net.Listener, caller lift.Caller, opts session.Options) (*session.Client, *sidecar.Server) {
	t.Helper()
	srv, err := sidecar.On(l, sidecar.Config{Caller: caller})
	if err != nil {
		t.Fatal(err)
	}
	serve(t, srv)
	return dial(t, "memory", opts), srv
}

// What follows a request's body crosses with every kind of body.
func TestTrailersOfARequest(t *testing.T) {
	cl, _ := overSocket(t, lift.CallerFunc(func(c *lift.Call) (*lift.Response, error) {
		content, err := c.Body.ReadAll(0)
		if err != nil {
			return nil, lift.Errorf(c, lift.InvalidCall, "%w", err)
		}
		body := lift.BytesBody(content)
		body.SetTrailer(c.Body.Trailer())
		return &lift.Response{Status: 200, Body: body}, nil
	}), sidecar.Config{}, session.Options{})
	sum := []lift.Field{{Name: "X-Sum", Value: "4\xff2"}, {Name: "X-Sum", Value: ""}}
	long := strings.Repeat("x", 100_000)
	for name, body := range map[string]*lift.Body{
		"none":              lift.BytesBody(nil),
		"whole":             lift.BytesBody([]byte("abc")),
		"whole and long":    lift.BytesBody([]byte(long)),
		"stream":            lift.StreamBody(readCloser("abc"), -1, 0),
		"short stream":      lift.StreamBody(readCloser("abc"), 3, 0),
		"long stream":       lift.StreamBody(readCloser(long), int64(len(long)), 0),
		"stream of nothing": lift.StreamBody(readCloser(""), -1, 0),
	} {
		body.SetTrailer(sum)
		resp, _, err := ask(cl, &lift.Call{Service: "orders", Method: "POST", Body: body})
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		if got := resp.Body.Trailer(); len(got) != 2 || got[0] != sum[0] || got[1] != sum[1] {
			t.Errorf("%s: got %q", name, got)
		}
	}
	body := lift.StreamBody(readCloser(long), -1, 0)
	body.SetTrailer([]lift.Field{{Name: "X", Value: long}})
	_, _, err := ask(cl, &lift.Call{Service: "orders", Method: "POST", Body: body})
	if lift.CodeOf(err) != lift.TooLarge {
		t.Errorf("a trailer of 100 kB: %v", err)
	}
}
