package session_test

import (
	"context"
	"errors"
	"io"
	"net"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"google.golang.org/grpc/test/bufconn"

	"github.com/liftmesh/lift"
	"github.com/liftmesh/lift/internal/session"
	"github.com/liftmesh/lift/sidecar"
)

// silent answers when its call is canceled, and says with what cause.
func silent(causes chan<- error) lift.CallerFunc {
	return func(c *lift.Call) (*lift.Response, error) {
		<-c.Done()
		causes <- c.Err()
		return nil, lift.Errorf(c, lift.CallCanceled, "%w", c.Err())
	}
}

func TestCancelCrosses(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		causes := make(chan error, 1)
		cl, _ := inMemory(t, silent(causes), sidecar.Config{}, session.Options{})
		c := &lift.Call{Service: "orders"}
		time.AfterFunc(time.Second, func() { c.Cancel(errors.New("no longer wanted")) })
		began := time.Now()
		_, _, err := ask(cl, c)
		wantCode(t, err, lift.CallCanceled, lift.MayHaveActed)
		if !strings.Contains(err.Error(), "no longer wanted") || time.Since(began) != time.Second {
			t.Errorf("%v after %v", err, time.Since(began))
		}
		if cause := <-causes; !errors.Is(cause, context.Canceled) {
			t.Errorf("the sidecar's call was canceled with %v", cause)
		}
	})
}

func TestDeadlineCrossesUntouched(t *testing.T) {
	var got atomic.Pointer[lift.Call]
	cl, _ := overSocket(t, lift.CallerFunc(func(c *lift.Call) (*lift.Response, error) {
		got.Store(&lift.Call{Deadline: c.Deadline, Timeout: c.Timeout, Tenant: c.Tenant, Idempotent: c.Idempotent, HashKey: c.HashKey, Method: c.Method})
		return echo(c)
	}), sidecar.Config{}, session.Options{})
	c := &lift.Call{
		Service: "orders", Method: "POST", Deadline: time.Now().Add(time.Minute).Round(0), Timeout: 3 * time.Second,
		Tenant: "t", Idempotent: lift.Idempotent, HashKey: "h",
	}
	if _, _, err := ask(cl, c); err != nil {
		t.Fatal(err)
	}
	g := got.Load()
	if !g.Deadline.Equal(c.Deadline) || g.Timeout != c.Timeout || g.Tenant != "t" || g.Idempotent != lift.Idempotent || g.HashKey != "h" || g.Method != "POST" {
		t.Errorf("crossed as %+v", g)
	}
}

func TestSilentSidecarIsGivenUpAfterTheDeadline(t *testing.T) {
	for _, limit := range []struct {
		name string
		set  func(c *lift.Call)
	}{
		{"deadline", func(c *lift.Call) { c.Deadline = time.Now().Add(time.Second) }},
		{"timeout", func(c *lift.Call) { c.Timeout = time.Second }},
	} {
		t.Run(limit.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				hung := make(chan struct{})
				cl, _ := inMemory(t, lift.CallerFunc(func(c *lift.Call) (*lift.Response, error) {
					<-hung
					return echo(c)
				}), sidecar.Config{}, session.Options{})
				began := time.Now()
				c := &lift.Call{Service: "orders"}
				limit.set(c)
				_, _, err := ask(cl, c)
				wantCode(t, err, lift.DeadlineExceeded, lift.MayHaveActed)
				if d := time.Since(began); d != 1100*time.Millisecond {
					t.Errorf("given up after %v", d)
				}
				close(hung)
			})
		})
	}
}

func TestBodyThatStallsEndsAtTheDeadline(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ended := make(chan error, 1)
		cl, _ := inMemory(t, lift.CallerFunc(func(c *lift.Call) (*lift.Response, error) {
			r, w := io.Pipe()
			body := lift.StreamBody(r, -1, 0)
			body.OnEnd(func(err error) { ended <- err })
			c.OnCancel(func() { _ = r.CloseWithError(c.Err()) })
			go func() { _, _ = w.Write([]byte("first")) }()
			return &lift.Response{Status: 200, Body: body}, nil
		}), sidecar.Config{}, session.Options{})
		began := time.Now()
		_, got, err := ask(cl, &lift.Call{Service: "events", Deadline: time.Now().Add(time.Second)})
		wantCode(t, err, lift.DeadlineExceeded, lift.Answered)
		if got != "first" || time.Since(began) > 1100*time.Millisecond {
			t.Errorf("%q after %v", got, time.Since(began))
		}
		<-ended
	})
}

func TestEarlyCloseCancels(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ended := make(chan error, 1)
		cl, _ := inMemory(t, lift.CallerFunc(func(c *lift.Call) (*lift.Response, error) {
			r, w := io.Pipe()
			c.OnCancel(func() { _ = r.CloseWithError(c.Err()) })
			c.Hold(func() { ended <- c.Err() })
			go func() { _, _ = w.Write([]byte("first")) }()
			return &lift.Response{Status: 200, Body: lift.StreamBody(r, -1, 0)}, nil
		}), sidecar.Config{}, session.Options{})
		c := &lift.Call{Service: "events"}
		resp, err := cl.Call(c)
		if err != nil {
			t.Fatal(err)
		}
		_ = resp.Body.Close()
		c.End()
		if err := <-ended; !errors.Is(err, context.Canceled) {
			t.Errorf("ended with %v", err)
		}
	})
}

// TestUnreadAnswersStallNobody leaves large answers unread while others go on.
func TestUnreadAnswersStallNobody(t *testing.T) {
	for _, size := range []int64{200 << 10, 64 << 20} {
		cl, _ := overSocket(t, lift.CallerFunc(func(c *lift.Call) (*lift.Response, error) {
			if c.Service == "large" {
				return &lift.Response{Status: 200, Body: lift.StreamBody(io.NopCloser(io.LimitReader(zeros{}, size)), -1, 0)}, nil
			}
			return echo(c)
		}), sidecar.Config{}, session.Options{})
		var unread []*lift.Response
		for range 50 {
			resp, err := cl.Call(&lift.Call{Service: "large"})
			if err != nil {
				t.Fatal(err)
			}
			unread = append(unread, resp)
		}
		for range 200 {
			if _, got, err := ask(cl, &lift.Call{Service: "small", Body: lift.BytesBody([]byte("hi")), Deadline: time.Now().Add(5 * time.Second)}); err != nil || got != "hi" {
				t.Fatalf("%q, %v", got, err)
			}
		}
		// They are still good: the last one is read to its end.
		r, _ := unread[49].Body.Reader()
		if n, err := io.Copy(io.Discard, r); err != nil || n != size {
			t.Errorf("%d of %d bytes, %v", n, size, err)
		}
		for _, resp := range unread {
			_ = resp.Body.Close()
		}
	}
}

type zeros struct{}

func (zeros) Read(p []byte) (int, error) {
	clear(p)
	return len(p), nil
}

// flaky is a listener whose connections can be cut, and a dialer for it.
type flaky struct {
	*bufconn.Listener
	mu    sync.Mutex
	conns []net.Conn
	down  bool
	dials int
}

func (f *flaky) dial(ctx context.Context) (net.Conn, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.dials++
	if f.down {
		return nil, &net.OpError{Op: "dial", Net: "unix", Err: syscall.ECONNREFUSED}
	}
	conn, err := f.DialContext(ctx)
	if err == nil {
		f.conns = append(f.conns, conn)
	}
	return conn, err
}

func (f *flaky) cut(down bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.down = down
	for _, c := range f.conns {
		_ = c.Close()
	}
	f.conns = nil
}

func newFlaky(t *testing.T, caller lift.Caller, opts session.Options) (*flaky, *session.Client) {
	t.Helper()
	f := &flaky{Listener: bufconn.Listen(64 << 10)}
	srv, err := sidecar.On(f.Listener, sidecar.Config{Caller: caller})
	if err != nil {
		t.Fatal(err)
	}
	serve(t, srv)
	opts.Dial = f.dial
	return f, dial(t, "memory", opts)
}

func TestSessionLost(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		causes := make(chan error, 1)
		f, cl := newFlaky(t, silent(causes), session.Options{})
		time.AfterFunc(time.Second, func() { f.cut(false) })
		_, _, err := ask(cl, &lift.Call{Service: "orders"})
		wantCode(t, err, lift.SessionLost, lift.MayHaveActed)
		// A caller that vanishes cancels its calls.
		if cause := <-causes; !errors.Is(cause, sidecar.ErrCallerVanished) {
			t.Errorf("canceled with %v", cause)
		}
	})
}

func TestReconnects(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f, cl := newFlaky(t, lift.CallerFunc(echo), session.Options{})
		for range 3 {
			if _, _, err := ask(cl, &lift.Call{Service: "orders"}); err != nil {
				t.Fatal(err)
			}
			f.cut(true)
			synctest.Wait()
			// The next call waits for the sidecar to come back.
			time.AfterFunc(300*time.Millisecond, func() { f.cut(false) })
		}
	})
}

func TestNoSidecarFailsFastAndIsFoundAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f, cl := newFlaky(t, lift.CallerFunc(echo), session.Options{})
		f.cut(true)
		began := time.Now()
		_, _, err := ask(cl, &lift.Call{Service: "orders"})
		wantCode(t, err, lift.NoSidecar, lift.NotReached)
		if d := time.Since(began); d != time.Second {
			t.Errorf("the first call waited %v, not the connect limit", d)
		}
		dials := f.dials
		for range 100 {
			began := time.Now()
			_, _, err := ask(cl, &lift.Call{Service: "orders"})
			wantCode(t, err, lift.NoSidecar, lift.NotReached)
			if d := time.Since(began); d != 0 {
				t.Errorf("a later call waited %v", d)
			}
		}
		if f.dials != dials {
			t.Errorf("%d attempts in the pause", f.dials-dials)
		}
		f.cut(false)
		time.Sleep(time.Second)
		if _, _, err := ask(cl, &lift.Call{Service: "orders"}); err != nil {
			t.Error(err)
		}
	})
}

func TestWaitForTheSidecarEndsWithTheCall(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f, cl := newFlaky(t, lift.CallerFunc(echo), session.Options{})
		f.cut(true)
		c := &lift.Call{Service: "orders"}
		time.AfterFunc(20*time.Millisecond, func() { c.Cancel(nil) })
		began := time.Now()
		_, _, err := ask(cl, c)
		wantCode(t, err, lift.CallCanceled, lift.NotReached)
		if d := time.Since(began); d != 20*time.Millisecond {
			t.Errorf("ended after %v", d)
		}
	})
}

// TestHungHandshake has a process at the socket that takes connections and says
// nothing.
func TestHungHandshake(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := bufconn.Listen(1024)
		defer l.Close()
		cl := dial(t, "memory", session.Options{Dial: func(ctx context.Context) (net.Conn, error) { return l.DialContext(ctx) }})
		began := time.Now()
		_, _, err := ask(cl, &lift.Call{Service: "orders"})
		wantCode(t, err, lift.NoSidecar, lift.NotReached)
		if d := time.Since(began); d != time.Second || !strings.Contains(err.Error(), "did not answer within") {
			t.Errorf("after %v: %v", d, err)
		}
	})
}

func TestCloseEndsCalls(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		causes := make(chan error, 1)
		cl, _ := inMemory(t, silent(causes), sidecar.Config{}, session.Options{})
		time.AfterFunc(time.Second, func() { _ = cl.Close() })
		_, _, err := ask(cl, &lift.Call{Service: "orders"})
		wantCode(t, err, lift.SessionLost, lift.MayHaveActed)
		<-causes
		_, _, err = ask(cl, &lift.Call{Service: "orders"})
		wantCode(t, err, lift.SessionLost, lift.NotReached)
	})
}

func TestDrain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		release := make(chan struct{})
		cl, srv := inMemory(t, lift.CallerFunc(func(c *lift.Call) (*lift.Response, error) {
			<-release
			return echo(c)
		}), sidecar.Config{}, session.Options{})
		running := make(chan error, 1)
		go func() {
			_, _, err := ask(cl, &lift.Call{Service: "orders", Body: lift.BytesBody([]byte("x"))})
			running <- err
		}()
		synctest.Wait()
		drained := make(chan error, 1)
		go func() { drained <- srv.Drain(t.Context()) }()
		synctest.Wait()
		if _, _, err := ask(cl, &lift.Call{Service: "orders"}); lift.CodeOf(err) != lift.NoSidecar && lift.CodeOf(err) != lift.Draining {
			t.Errorf("a call while draining: %v", err)
		}
		close(release)
		if err := <-running; err != nil {
			t.Errorf("the running call: %v", err)
		}
		if err := <-drained; err != nil {
			t.Errorf("Drain: %v", err)
		}
	})
}

func TestInvocations(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var started, done []string
		cfg := sidecar.Config{
			InvocationStart: func(in sidecar.Invocation) {
				started = append(started, in.RequestID+" "+in.Trace+" "+in.Tenant+" "+in.Deadline.UTC().Format(time.TimeOnly))
			},
			InvocationDone: func(id string) { done = append(done, id) },
		}
		cl, _ := inMemory(t, lift.CallerFunc(echo), cfg, session.Options{})
		cl.InvocationStart("r-1", time.Now().Add(time.Minute), "Root=1", "t")
		synctest.Wait() // it alone has opened the session
		cl.InvocationDone("r-1")
		synctest.Wait()
		if len(started) != 1 || started[0] != "r-1 Root=1 t 00:01:00" || len(done) != 1 || done[0] != "r-1" {
			t.Errorf("started %q, done %q", started, done)
		}
	})
}
