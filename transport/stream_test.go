package transport_test

import (
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/liftmesh/lift"
	"github.com/liftmesh/lift/transport"
)

const chunkedHead = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"

// ticking streams a chunk a second, for so many seconds.
func ticking(n int) peer {
	return func(u *upstream, c conn, r reader) {
		if _, ok := u.request(r); !ok {
			return
		}
		_, err := io.WriteString(c, chunkedHead)
		for i := 0; i < n && err == nil; i++ {
			time.Sleep(time.Second)
			_, err = fmt.Fprintf(c, "4\r\ntick\r\n")
		}
		if err == nil {
			_, _ = io.WriteString(c, "0\r\n\r\n")
			u.request(r)
		}
	}
}

// open calls and reads the first chunk.
func (b *bench) open(t *testing.T, c *lift.Attempt) (*lift.Response, io.Reader) {
	t.Helper()
	resp, err := b.RoundTrip(c)
	if err != nil {
		t.Fatal(err)
	}
	r, err := resp.Body.Reader()
	if err != nil {
		t.Fatal(err)
	}
	if _, err := io.ReadFull(r, make([]byte, 4)); err != nil {
		t.Fatal(err)
	}
	return resp, r
}

func TestStreamEnds(t *testing.T) {
	gone := errors.New("the client went")
	tests := []struct {
		name  string
		ticks int
		cut   func(c *lift.Attempt, resp *lift.Response)
		code  lift.Code
		is    error
		after time.Duration
		kept  bool
	}{
		{name: "by itself, long after the attempt's timeout", ticks: 5, after: 5 * time.Second, kept: true},
		{name: "deadline", ticks: 100, code: lift.DeadlineExceeded, after: 10 * time.Second},
		{name: "cancel", ticks: 100, code: lift.CallCanceled, is: gone, after: 3 * time.Second,
			cut: func(c *lift.Attempt, _ *lift.Response) { time.AfterFunc(2*time.Second, func() { c.Cancel(gone) }) }},
		{name: "closed beside the reading", ticks: 100, is: lift.ErrBodyClosed, after: 3 * time.Second,
			cut: func(_ *lift.Attempt, resp *lift.Response) {
				time.AfterFunc(2*time.Second, func() { _ = resp.Body.Close() })
			}},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				b := newBench(t, ticking(test.ticks), transport.Config{})
				c := b.call("GET", nil)
				began := time.Now()
				resp, r := b.open(t, c)
				if test.cut != nil {
					test.cut(c, resp)
				}
				var ended atomic.Bool
				resp.Body.OnEnd(func(error) { ended.Store(true) })
				_, err := io.ReadAll(r)
				switch {
				case test.code != "":
					wantError(t, err, test.code)
					var e *lift.Error
					if !errors.As(err, &e) || e.Reached != lift.Answered || e.Service != "orders" {
						t.Errorf("got %#v", err)
					}
				case test.is == nil && err != nil:
					t.Error(err)
				}
				if test.is != nil && !errors.Is(err, test.is) {
					t.Errorf("got %v, want %v", err, test.is)
				}
				if got := time.Since(began); got != test.after {
					t.Errorf("ended after %s, want %s", got, test.after)
				}
				c.End()
				synctest.Wait()
				if !ended.Load() {
					t.Error("the body's end was not told")
				}
				if s := b.Stats(); s.InUse != 0 || s.Idle == 1 != test.kept {
					t.Errorf("left: %+v", s)
				}
			})
		})
	}
}

func TestStreamBreaks(t *testing.T) {
	for name, answer := range map[string]string{
		"between chunks":    chunkedHead + "4\r\ntick\r\n",
		"within a chunk":    chunkedHead + "8\r\ntick",
		"a bad chunk":       chunkedHead + "4\r\ntick\r\nnonsense\r\n",
		"a long trailer":    chunkedHead + "4\r\ntick\r\n0\r\nX: " + strings.Repeat("x", 10000) + "\r\n\r\n",
		"a declared length": "HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\ntick",
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				b := newBench(t, answering(answer), transport.Config{})
				c := b.call("GET", nil)
				_, r := b.open(t, c)
				_, err := io.ReadAll(r)
				wantError(t, err, lift.BadResponse)
				c.End()
				synctest.Wait()
				if s := b.Stats(); s.Open != 0 {
					t.Errorf("left: %+v", s)
				}
			})
		})
	}
}

// Closing a stream early closes its connection, and nothing is read in vain.
func TestStreamClosedEarly(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, ticking(1000), transport.Config{})
		c := b.call("GET", nil)
		resp, _ := b.open(t, c)
		if err := resp.Body.Close(); err != nil {
			t.Fatal(err)
		}
		c.End()
		synctest.Wait()
		if s := b.Stats(); s.Open != 0 {
			t.Errorf("left: %+v", s)
		}
	})
}

// A reader that does not read holds the writer back: nothing piles up here.
func TestBackpressure(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		written := 0
		b := newBench(t, func(u *upstream, c conn, r reader) {
			u.request(r)
			_, err := io.WriteString(c, chunkedHead+"4\r\ntick\r\n")
			for ; err == nil; written++ {
				_, err = fmt.Fprintf(c, "400\r\n%s\r\n", strings.Repeat("x", 1024))
			}
		}, transport.Config{})
		c := b.call("GET", nil)
		resp, _ := b.open(t, c)
		synctest.Wait()
		if written > 16 {
			t.Errorf("%d KiB were taken in unread", written)
		}
		_ = resp.Body.Close()
		c.End()
	})
}

// chunks is a request body that comes in by and by.
type chunks struct {
	io.Reader
	closed chan struct{}
}

func (c chunks) Close() error { close(c.closed); return nil }

func live(r io.Reader, size int64) *lift.Body {
	return lift.StreamBody(chunks{r, make(chan struct{})}, size, lift.ReplayLimit)
}

func TestLiveUpload(t *testing.T) {
	for name, size := range map[string]int64{"declared": 100_000, "unknown": -1} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				b := newBench(t, healthy, transport.Config{})
				for range 3 {
					c := b.call("PUT", live(strings.NewReader(strings.Repeat("x", 100_000)), size))
					resp, err := b.RoundTrip(c)
					if err != nil {
						t.Fatal(err)
					}
					wantHello(t, resp)
					c.End()
				}
				if n := b.up.dials(); n != 1 {
					t.Errorf("%d connections, want one kept", n)
				}
			})
		})
	}
}

// An answer that comes before all of the request has gone is an answer.
func TestEarlyAnswer(t *testing.T) {
	early := func(u *upstream, c conn, r reader) {
		if _, err := http.ReadRequest(r); err == nil {
			_, _ = io.WriteString(c, "HTTP/1.1 413 Too Large\r\nContent-Length: 5\r\n\r\nhello")
			time.Sleep(time.Second)
		}
	}
	for name, body := range map[string]func() (*lift.Body, func()){
		"stalled": func() (*lift.Body, func()) {
			r, w := io.Pipe()
			return live(r, -1), func() { _ = w.Close() }
		},
		"whole": func() (*lift.Body, func()) { return lift.BytesBody(make([]byte, 1<<20)), func() {} },
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				b := newBench(t, early, transport.Config{})
				body, done := body()
				defer done()
				c := b.call("POST", body)
				resp, err := b.RoundTrip(c)
				if err != nil || resp.Status != 413 {
					t.Fatalf("got %v, %v", resp, err)
				}
				c.End()
				synctest.Wait()
				if s := b.Stats(); s.Open != 0 {
					t.Errorf("the connection was kept: %+v", s)
				}
			})
		})
	}
}

func TestUploadBreaks(t *testing.T) {
	broken := errors.New("client went away")
	tests := []struct {
		name string
		body func(w *io.PipeWriter) // what the client does
		size int64
		code lift.Code
		cost time.Duration
	}{
		{"client goes", func(w *io.PipeWriter) { _, _ = w.Write([]byte("half")); _ = w.CloseWithError(broken) }, -1, lift.CallCanceled, 0},
		{"too short", func(w *io.PipeWriter) { _, _ = w.Write([]byte("half")); _ = w.Close() }, 8, lift.CallCanceled, 0},
		{"too long", func(w *io.PipeWriter) { _, _ = w.Write([]byte("twice")); _ = w.Close() }, 3, lift.CallCanceled, 0},
		{"too large", func(w *io.PipeWriter) { _ = w.CloseWithError(lift.TooLarge) }, -1, lift.TooLarge, 0},
		{"stalls", func(w *io.PipeWriter) { _, _ = w.Write([]byte("half")) }, -1, lift.DeadlineExceeded, 10 * time.Second},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				b := newBench(t, healthy, transport.Config{})
				r, w := io.Pipe()
				defer w.Close()
				c := b.call("POST", live(r, test.size))
				go test.body(w)
				began := time.Now()
				_, err := b.RoundTrip(c)
				wantError(t, err, test.code)
				if cost := time.Since(began); cost != test.cost {
					t.Errorf("cost %s", cost)
				}
				synctest.Wait()
				if s := b.Stats(); s.Open != 0 {
					t.Errorf("left: %+v", s)
				}
				_ = r.Close()
			})
		})
	}
}

// The endpoint's end is seen though the client sends nothing more.
func TestEndpointDiesWhileClientStalls(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, func(_ *upstream, _ conn, r reader) {
			_, _ = r.ReadString('\n')
			time.Sleep(100 * time.Millisecond)
		}, transport.Config{})
		r, w := io.Pipe()
		defer w.Close()
		began := time.Now()
		_, err := b.RoundTrip(b.call("POST", live(r, -1)))
		wantError(t, err, lift.Unavailable)
		if cost := time.Since(began); cost != 100*time.Millisecond {
			t.Errorf("cost %s", cost)
		}
		_ = r.Close()
	})
}

// A body whose reading panics fails its call and nothing else.
func TestPanickingBody(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, healthy, transport.Config{})
		_, err := b.RoundTrip(b.call("POST", live(panicking{}, -1)))
		wantError(t, err, lift.CallCanceled)
		b.mustCall(t, "GET")
	})
}

type panicking struct{}

func (panicking) Read([]byte) (int, error) { panic("boom") }
