package transport_test

import (
	"bufio"
	"context"
	"crypto/tls"
	"io"
	"log"
	"net"
	"net/http"
	"sync"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/liftmesh/lift"
	"github.com/liftmesh/lift/transport"
)

// TestMain keeps net/http from writing of each peer that talks unasked.
func TestMain(m *testing.M) {
	log.SetOutput(io.Discard)
	m.Run()
}

// clock is a pair of clocks that follow the bubble's time, and can be set apart.
type clock struct {
	mu    sync.Mutex
	start time.Time
	wall  time.Duration
	mono  time.Duration
}

func newClock() *clock { return &clock{start: time.Now()} }

func (c *clock) now() lift.Instant {
	c.mu.Lock()
	defer c.mu.Unlock()
	t := time.Now()
	return lift.Instant{Wall: t.Round(0).Add(c.wall), Mono: t.Sub(c.start) + c.mono}
}

// jump has time pass in which nothing runs, as each of the clocks sees it.
func (c *clock) jump(wall, mono time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.wall += wall
	c.mono += mono
}

// peer is the endpoint's end of one connection: it says how to answer a request.
type peer func(u *upstream, c net.Conn, r *bufio.Reader)

// upstream is an endpoint on pipes, so that it can live in a bubble.
type upstream struct {
	mu       sync.Mutex
	refusing bool
	next     peer // of new connections
	tls      *tls.Config
	roomy    bool // with room on the way, as with TLS in any case
	conns    []net.Conn
	requests int
	wg       sync.WaitGroup
}

func (u *upstream) dial(ctx context.Context, _, _ string) (net.Conn, error) {
	u.mu.Lock()
	defer u.mu.Unlock()
	if u.refusing {
		return nil, &net.OpError{Op: "dial", Net: "tcp", Err: syscall.ECONNREFUSED}
	}
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	ours, theirs := net.Pipe()
	if u.tls != nil || u.roomy {
		ours, theirs = newLine()
	}
	u.conns = append(u.conns, theirs)
	next, secure := u.next, u.tls
	u.wg.Go(func() {
		defer theirs.Close()
		c := theirs
		if secure != nil {
			s := tls.Server(theirs, secure)
			defer s.Close() // says that it ends
			if s.Handshake() != nil {
				return
			}
			c = s
		}
		next(u, c, bufio.NewReader(c))
	})
	return ours, nil
}

func (u *upstream) set(refusing bool, next peer) {
	u.mu.Lock()
	defer u.mu.Unlock()
	u.refusing, u.next = refusing, next
}

func (u *upstream) dials() int {
	u.mu.Lock()
	defer u.mu.Unlock()
	return len(u.conns)
}

func (u *upstream) seen() int {
	u.mu.Lock()
	defer u.mu.Unlock()
	return u.requests
}

// request reads one request whole.
func (u *upstream) request(r *bufio.Reader) (*http.Request, bool) {
	req, err := http.ReadRequest(r)
	if err != nil {
		return nil, false
	}
	u.mu.Lock()
	u.requests++
	u.mu.Unlock()
	_, err = io.Copy(io.Discard, req.Body)
	return req, err == nil
}

// close ends all connections from the endpoint's side.
func (u *upstream) close() {
	u.mu.Lock()
	conns := u.conns
	u.mu.Unlock()
	for _, c := range conns {
		_ = c.Close()
	}
	u.wg.Wait()
}

const okAnswer = "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello"

// healthy answers every request.
func healthy(u *upstream, c net.Conn, r *bufio.Reader) {
	for {
		if _, ok := u.request(r); !ok {
			return
		}
		if _, err := io.WriteString(c, okAnswer); err != nil {
			return
		}
	}
}

// answering sends bytes as the answer to the first request, and hangs up.
func answering(answer string) peer {
	return func(u *upstream, c net.Conn, r *bufio.Reader) {
		if _, ok := u.request(r); ok {
			_, _ = io.WriteString(c, answer)
		}
	}
}

// holding is answering without hanging up.
func holding(answer string) peer {
	return func(u *upstream, c net.Conn, r *bufio.Reader) {
		if _, ok := u.request(r); ok {
			_, _ = io.WriteString(c, answer)
			_, _ = io.Copy(io.Discard, r)
		}
	}
}

// hangUp closes at once.
func hangUp(*upstream, net.Conn, *bufio.Reader) {}

// onceThen answers once and goes on as then.
func onceThen(then peer) peer {
	return func(u *upstream, c net.Conn, r *bufio.Reader) {
		if _, ok := u.request(r); !ok {
			return
		}
		if _, err := io.WriteString(c, okAnswer); err != nil {
			return
		}
		then(u, c, r)
	}
}

var (
	resetting = answering("")
	silent    = holding("")
)

type (
	conn   = net.Conn
	reader = *bufio.Reader
)

// bench is a pool, its endpoint and its clock.
type bench struct {
	*transport.Pool
	up    *upstream
	clock *clock
}

// newBench makes one for the bubble that it is called in.
func newBench(t *testing.T, first peer, cfg transport.Config) *bench {
	t.Helper()
	return newBenchTLS(t, first, cfg, nil)
}

// newBenchTLS is newBench with an endpoint that speaks TLS.
func newBenchTLS(t *testing.T, first peer, cfg transport.Config, secure *tls.Config) *bench {
	t.Helper()
	b := &bench{up: &upstream{next: first, tls: secure}, clock: newClock()}
	b.Pool = transport.NewPool("orders.test:80", transport.Options{Config: cfg, Now: b.clock.now, Dial: b.up.dial})
	t.Cleanup(func() {
		b.Close()
		b.up.close()
		synctest.Wait()
		if s := b.Stats(); s.Open != 0 {
			t.Errorf("connections left at the end: %+v", s)
		}
	})
	return b
}

func (b *bench) call(method string, body *lift.Body) *lift.Attempt {
	return aCall(b.clock, method, body)
}

// aCall is a call's attempt of a second; the call has a deadline of ten.
func aCall(clock *clock, method string, body *lift.Body) *lift.Attempt {
	now := clock.now()
	c := &lift.Call{Service: "orders", Method: method, Path: "/things?id=1", Body: body, Deadline: now.Wall.Add(10 * time.Second), Began: now}
	return c.NewAttempt(lift.AttemptRecord{
		Endpoint: lift.Endpoint{Addr: "orders.test:80"}, Began: now, Timeout: time.Second, Deadline: now.Wall.Add(time.Second),
	})
}

// tryOf starts an attempt of a call.
func tryOf(c *lift.Call) *lift.Attempt { return c.NewAttempt(lift.AttemptRecord{}) }

// mustCall makes a call that has to bring the short answer.
func (b *bench) mustCall(t *testing.T, method string) *lift.Attempt {
	t.Helper()
	c := b.call(method, nil)
	resp, err := b.RoundTrip(c)
	if err != nil {
		t.Fatalf("%s: %v", method, err)
	}
	wantHello(t, resp)
	c.End()
	return c
}

func wantHello(t *testing.T, resp *lift.Response) {
	t.Helper()
	got, err := resp.Body.ReadAll(0)
	if err != nil || resp.Status != 200 || string(got) != "hello" {
		t.Fatalf("got %d %q, %v", resp.Status, got, err)
	}
}

func wantError(t *testing.T, err error, code lift.Code) {
	t.Helper()
	if lift.CodeOf(err) != code {
		t.Fatalf("got %v, want code %s", err, code)
	}
}
