package transport_test

import (
	"context"
	"errors"
	"io"
	"net"
	"slices"
	"strings"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/liftmesh/lift"
	"github.com/liftmesh/lift/transport"
)

func TestBadAnswers(t *testing.T) {
	const head = "HTTP/1.1 200 OK\r\n"
	tests := []struct {
		name   string
		peer   peer
		code   lift.Code
		says   string
		status int
		cost   time.Duration
	}{
		{"garbage", answering("SSH-2.0-OpenSSH_9.6\r\n"), lift.BadResponse, "not an HTTP/1.1 answer", 0, 0},
		{"binary garbage", answering("\x16\x03\x01\x00\xa5\r\n\r\n"), lift.BadResponse, "not an HTTP/1.1 answer", 0, 0},
		{"half a head", answering(head + "Content-Le"), lift.BadResponse, "broke off within its head", 0, 0},
		{"half a head, then silence", holding(head + "Content-Le"), lift.AttemptTimeout, "or raise attempt_timeout", 0, time.Second},
		{"half a body", answering(head + "Content-Length: 5\r\n\r\nhe"), lift.BadResponse, "broke off after 2 of 5 bytes", 200, 0},
		{"half a body, then silence", holding(head + "Content-Length: 5\r\n\r\nhe"), lift.AttemptTimeout, "timeout", 200, time.Second},
		{"endless header", endlessHeader, lift.BadResponse, "exceeded 65536 bytes; look at that instance, or raise connections.max_header", 0, 0},
		{"endless 1xx", endless1xx, lift.BadResponse, "exceeded 65536 bytes; look", 0, 0},
		{"two lengths", answering(head + "Content-Length: 5\r\nContent-Length: 6\r\n\r\nhello!"), lift.BadResponse, "multiple Content-Length", 0, 0},
		{"bad length", answering(head + "Content-Length: -5\r\n\r\nhello"), lift.BadResponse, "Content-Length", 0, 0},
		{"bad encoding", answering(head + "Transfer-Encoding: gzip, chunked\r\n\r\n"), lift.BadResponse, "transfer encoding", 0, 0},
		{"space in a name", answering(head + "Content-Length : 5\r\n\r\nhello"), lift.BadResponse, "which is not a name", 200, 0},
		{"control byte in a value", answering(head + "X-A: a\x01b\r\nContent-Length: 5\r\n\r\nhello"), lift.BadResponse, "not an HTTP/1.1 answer", 0, 0},
		{"upgrade", answering("HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\nConnection: Upgrade\r\n\r\n"), lift.BadResponse, "status 101", 101, 0},
		{"nothing", answering(""), lift.Unavailable, "closed before an answer", 0, 0},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				b := newBench(t, test.peer, transport.Config{})
				c := b.call("POST", nil)
				began := time.Now()
				_, err := b.RoundTrip(c)
				wantError(t, err, test.code)
				if !strings.Contains(err.Error(), test.says) || !strings.Contains(err.Error(), "orders.test:80") {
					t.Errorf("the error says %q, want %q and the endpoint in it", err, test.says)
				}
				a := c
				want := lift.MayHaveActed
				if test.status != 0 {
					want = lift.Answered
				}
				if a.Status != test.status || a.Reached != want || !a.Fresh && a.Status != 0 {
					t.Errorf("attempt says %+v", a)
				}
				if cost := time.Since(began); cost != test.cost {
					t.Errorf("cost %s, want %s", cost, test.cost)
				}
				synctest.Wait()
				if s := b.Stats(); s.Open != 0 {
					t.Errorf("left: %+v", s)
				}
			})
		})
	}
}

func endlessHeader(u *upstream, c conn, r reader) {
	u.request(r)
	_, err := io.WriteString(c, "HTTP/1.1 200 OK\r\n")
	for err == nil {
		_, err = io.WriteString(c, "X-More: "+strings.Repeat("x", 1000)+"\r\n")
	}
}

func endless1xx(u *upstream, c conn, r reader) {
	u.request(r)
	var err error
	for err == nil {
		_, err = io.WriteString(c, "HTTP/1.1 103 Early Hints\r\nLink: </x>\r\n\r\n")
	}
}

func TestGoodAnswers(t *testing.T) {
	tests := []struct {
		name, method, answer string
		status               int
		body                 string
		size                 int64
		whole                bool
		header, trailer      []lift.Field
		kept                 bool // the connection
	}{
		{name: "declared", answer: okAnswer, status: 200, body: "hello", size: 5, whole: true, kept: true,
			header: []lift.Field{{Name: "Content-Length", Value: "5"}}},
		{name: "no content", answer: "HTTP/1.1 204 No Content\r\n\r\n", status: 204, whole: true, kept: true},
		{name: "chunked no content", answer: "HTTP/1.1 204 No Content\r\nTransfer-Encoding: chunked\r\n\r\n", status: 204, whole: true, kept: true},
		{name: "not modified", answer: "HTTP/1.1 304 Not Modified\r\nContent-Length: 70\r\n\r\n", status: 304, whole: true, kept: true,
			header: []lift.Field{{Name: "Content-Length", Value: "70"}}},
		{name: "head", method: "HEAD", answer: "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n", status: 200, whole: true, kept: true,
			header: []lift.Field{{Name: "Content-Length", Value: "5"}}},
		{name: "empty", answer: "HTTP/1.1 500 Oops\r\nContent-Length: 0\r\n\r\n", status: 500, whole: true, kept: true,
			header: []lift.Field{{Name: "Content-Length", Value: "0"}}},
		{name: "informational first", answer: "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\n\r\n" + okAnswer, status: 200, body: "hello", size: 5, whole: true, kept: true,
			header: []lift.Field{{Name: "Content-Length", Value: "5"}}},
		{name: "chunked with trailers", answer: "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nTrailer: X-Sum\r\n\r\n5\r\nhello\r\n0\r\nX-Sum: 42\r\n\r\n", status: 200, body: "hello", size: -1, kept: true,
			trailer: []lift.Field{{Name: "X-Sum", Value: "42"}}},
		{name: "until the end", answer: "HTTP/1.1 200 OK\r\n\r\nhello", status: 200, body: "hello", size: -1},
		{name: "old protocol", answer: "HTTP/1.0 200 OK\r\nContent-Length: 5\r\n\r\nhello", status: 200, body: "hello", size: 5, whole: true,
			header: []lift.Field{{Name: "Content-Length", Value: "5"}}},
		{name: "closing", answer: "HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 5\r\n\r\nhello", status: 200, body: "hello", size: 5, whole: true,
			header: []lift.Field{{Name: "Content-Length", Value: "5"}}},
		{name: "more than it said", answer: okAnswer + "HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nevil", status: 200, body: "hello", size: 5, whole: true,
			header: []lift.Field{{Name: "Content-Length", Value: "5"}}},
		{name: "hop by hop", answer: "HTTP/1.1 200 OK\r\nContent-Length: 5\r\nConnection: X-Hop\r\nX-Hop: 1\r\nKeep-Alive: timeout=5\r\nX-End: 2\r\n\r\nhello", status: 200, body: "hello", size: 5, whole: true, kept: true,
			header: []lift.Field{{Name: "Content-Length", Value: "5"}, {Name: "X-End", Value: "2"}}},
		{name: "long", answer: "HTTP/1.1 200 OK\r\nContent-Length: 70000\r\n\r\n" + strings.Repeat("x", 70000), status: 200, body: strings.Repeat("x", 70000), size: 70000, kept: true,
			header: []lift.Field{{Name: "Content-Length", Value: "70000"}}},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				p := holding(test.answer)
				if test.name == "until the end" {
					p = answering(test.answer)
				}
				b := newBench(t, p, transport.Config{})
				c := b.call(test.method, nil)
				resp, err := b.RoundTrip(c)
				if err != nil {
					t.Fatal(err)
				}
				if _, whole := resp.Body.Complete(); whole != test.whole || resp.Body.Size() != test.size {
					t.Errorf("whole %v, size %d; want %v, %d", whole, resp.Body.Size(), test.whole, test.size)
				}
				got, err := resp.Body.ReadAll(0)
				if err != nil || string(got) != test.body || resp.Status != test.status {
					t.Errorf("got %d %.20q, %v", resp.Status, got, err)
				}
				slices.SortFunc(resp.Header, func(a, b lift.Field) int { return strings.Compare(a.Name, b.Name) })
				if !slices.Equal(resp.Header, test.header) || !slices.Equal(resp.Body.Trailer(), test.trailer) {
					t.Errorf("header %v, trailer %v", resp.Header, resp.Body.Trailer())
				}
				c.End()
				synctest.Wait()
				if s := b.Stats(); s.InUse != 0 || s.Idle == 1 != test.kept {
					t.Errorf("left: %+v", s)
				}
			})
		})
	}
}

// What has come unasked before a request is never the answer to it.
func TestUnaskedBytes(t *testing.T) {
	const evil = "HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nevil"
	for name, test := range map[string]struct {
		peer peer
		wait bool // until all has come
	}{
		"with the answer": {peer: holding(okAnswer + evil)},
		"later": {wait: true, peer: func(u *upstream, c conn, r reader) {
			u.request(r)
			_, _ = io.WriteString(c, okAnswer)
			_, _ = io.WriteString(c, evil)
			_, _ = io.Copy(io.Discard, r)
		}},
		"before any request": {wait: true, peer: func(u *upstream, c conn, r reader) {
			if u.dials() == 1 {
				_, _ = io.WriteString(c, evil)
			}
			healthy(u, c, r)
		}},
	} {
		t.Run(name, func(t *testing.T) {
			for range 50 {
				synctest.Test(t, func(t *testing.T) {
					b := newBench(t, test.peer, transport.Config{})
					if err := b.Warm(t.Context(), 1); err != nil {
						t.Fatal(err)
					}
					for range 3 {
						if test.wait {
							synctest.Wait()
						}
						b.mustCall(t, "POST")
					}
				})
			}
		})
	}
}

func TestConnectErrors(t *testing.T) {
	tests := []struct {
		name string
		dial func(ctx context.Context) error
		says string
		cost time.Duration
		code lift.Code
	}{
		{"refused", func(context.Context) error { return &net.OpError{Op: "dial", Err: syscall.ECONNREFUSED} }, "nothing listens there; is the instance running?", 0, lift.Unavailable},
		{"unreachable", func(context.Context) error { return &net.OpError{Op: "dial", Err: syscall.EHOSTUNREACH} }, "no way there", 0, lift.Unavailable},
		{"unknown name", func(context.Context) error {
			return &net.OpError{Op: "dial", Err: &net.DNSError{Err: "no such host", Name: "x"}}
		}, "cannot be resolved", 0, lift.Unavailable},
		{"no descriptor", func(context.Context) error { return &net.OpError{Op: "dial", Err: syscall.EMFILE} }, "lower limits.connections", 0, lift.Busy},
		{"no descriptor on the machine", func(context.Context) error { return &net.OpError{Op: "dial", Err: syscall.ENFILE} }, "no file descriptor is left", 0, lift.Busy},
		{"no descriptor to look a name up", func(context.Context) error {
			return &net.OpError{Op: "dial", Err: &net.DNSError{Err: "dial udp 10.0.0.2:53: socket: too many open files", Name: "x"}}
		}, "no file descriptor is left", 0, lift.Busy},
		{"no memory in the kernel", func(context.Context) error { return &net.OpError{Op: "dial", Err: syscall.ENOBUFS} }, "no memory left", 0, lift.Busy},
		{"silence", func(ctx context.Context) error { <-ctx.Done(); return ctx.Err() }, "no connection within 300ms", 300 * time.Millisecond, lift.Unavailable},
		{"other", func(context.Context) error { return errors.New("strange") }, "cannot connect: strange", 0, lift.Unavailable},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				p := transport.NewPool("x:1", transport.Options{
					Config: transport.Config{ConnectTimeout: 300 * time.Millisecond},
					Dial:   func(ctx context.Context, _, _ string) (net.Conn, error) { return nil, test.dial(ctx) },
				})
				defer p.Close()
				a := tryOf(&lift.Call{})
				began := time.Now()
				_, err := p.RoundTrip(a)
				wantError(t, err, test.code)
				if !strings.Contains(err.Error(), test.says) || a.Reached != lift.NotReached || a.AttemptRecord.Err == nil {
					t.Errorf("got %q, reached %v", err, a.Reached)
				}
				if cost := time.Since(began); cost != test.cost {
					t.Errorf("cost %s", cost)
				}
				if s := p.Stats(); s.Open != 0 {
					t.Errorf("left: %+v", s)
				}
			})
		})
	}
}

// The limits hold while a connection is being opened, and before.
func TestCutBeforeConnected(t *testing.T) {
	hanging := func(ctx context.Context, _, _ string) (net.Conn, error) { <-ctx.Done(); return nil, ctx.Err() }
	gone := errors.New("the client went")
	tests := []struct {
		name string
		call func(a *lift.Attempt)
		code lift.Code
		cost time.Duration
	}{
		{"own timeout", func(a *lift.Attempt) { a.Timeout = 50 * time.Millisecond }, lift.AttemptTimeout, 50 * time.Millisecond},
		{"call's deadline", func(a *lift.Attempt) { a.Timeout = time.Minute }, lift.DeadlineExceeded, 70 * time.Millisecond},
		{"deadline passed", func(a *lift.Attempt) { a.Deadline = time.Now().Add(-time.Second) }, lift.DeadlineExceeded, 0},
		{"canceled", func(a *lift.Attempt) { time.AfterFunc(20*time.Millisecond, func() { a.Call.Cancel(gone) }) }, lift.CallCanceled, 20 * time.Millisecond},
		{"canceled before", func(a *lift.Attempt) { a.Call.Cancel(gone) }, lift.CallCanceled, 0},
		{"only the attempt", func(a *lift.Attempt) { time.AfterFunc(20*time.Millisecond, func() { a.Cancel(gone) }) }, lift.CallCanceled, 20 * time.Millisecond},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				p := transport.NewPool("x:1", transport.Options{Dial: hanging})
				defer p.Close()
				c := &lift.Call{Deadline: time.Now().Round(0).Add(70 * time.Millisecond)}
				a := c.NewAttempt(lift.AttemptRecord{Began: lift.Instant{Wall: time.Now().Round(0)}, Deadline: c.Deadline})
				test.call(a)
				if end := a.Began.Wall.Add(a.Timeout); a.Timeout > 0 && end.Before(a.Deadline) {
					a.Deadline = end
				}
				began := time.Now()
				_, err := p.RoundTrip(a)
				wantError(t, err, test.code)
				if test.code == lift.CallCanceled && !errors.Is(err, gone) {
					t.Errorf("the cause is lost: %v", err)
				}
				if cost := time.Since(began); cost != test.cost || a.Reached != lift.NotReached {
					t.Errorf("cost %s, reached %s", cost, a.Reached)
				}
				synctest.Wait()
				if s := p.Stats(); s.Open != 0 {
					t.Errorf("left: %+v", s)
				}
			})
		})
	}
}
