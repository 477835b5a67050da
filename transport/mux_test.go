package transport_test

import (
	"bytes"
	"io"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"golang.org/x/net/http2"

	"github.com/liftmesh/lift"
	"github.com/liftmesh/lift/transport"
)

// Calls at the same time share a connection, and what was asked is what comes.
func TestMuxShares(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newH2Bench(t, transport.Config{})
		b.up.answers(func(c *h2conn, stream uint32) {
			time.Sleep(10 * time.Millisecond)
			c.head(stream, false, ":status", "200", "x-path", c.field(stream, ":path"), "x-authority", c.field(stream, ":authority"))
			c.data(stream, false, c.body(stream))
			c.head(stream, true, "x-after", "all")
		})
		var running []<-chan outcome
		for range 50 {
			running = append(running, b.background(b.call("POST", lift.BytesBody([]byte("ping")))))
		}
		for _, r := range running {
			o := <-r
			if o.err != nil || o.status != 200 || o.body != "ping" || lift.Get(o.trailer, "x-after") != "all" {
				t.Fatalf("got %+v", o)
			}
		}
		synctest.Wait()
		if s := b.Stats(); s != (transport.Stats{Open: 1, Idle: 1}) {
			t.Errorf("want one connection, got %+v", s)
		}
		c := b.up.all()[0]
		if c.field(1, ":path") != "/things?id=1" || c.field(1, ":authority") != "orders.test:80" || c.field(1, ":scheme") != "http" {
			t.Errorf("the head was %v", c.headers[1])
		}
	})
}

// What a connection is opened for is told as fresh, and what was there is not.
func TestMuxFresh(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newH2Bench(t, transport.Config{})
		if c := b.mustCall(t, "GET"); !c.Fresh || c.Reached != lift.Answered {
			t.Errorf("the first: %+v", c)
		}
		if c := b.mustCall(t, "POST"); c.Fresh {
			t.Errorf("the second: %+v", c)
		}
	})
}

// An endpoint that takes one call at a time gets more connections, up to the
// limit; what is beyond waits its turn.
func TestMuxObeysMaxConcurrentStreams(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newH2Bench(t, transport.Config{MaxConnections: 3}, http2.Setting{ID: http2.SettingMaxConcurrentStreams, Val: 1})
		b.up.answers(func(c *h2conn, stream uint32) {
			time.Sleep(100 * time.Millisecond)
			h2hello(c, stream)
		})
		began := time.Now()
		var running []<-chan outcome
		for range 9 {
			running = append(running, b.background(b.call("POST", lift.BytesBody([]byte("x")))))
		}
		for _, r := range running {
			if o := <-r; o.err != nil {
				t.Error(o.err)
			}
		}
		if took := time.Since(began); took != 300*time.Millisecond {
			t.Errorf("9 calls over 3 places took %s", took)
		}
		if n := len(b.up.all()); n != 3 {
			t.Errorf("%d connections", n)
		}
	})
}

// A call that is canceled ends its stream and leaves the connection and the other
// call on it as they are.
func TestMuxCancelLeavesOthers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newH2Bench(t, transport.Config{})
		b.up.answers(func(c *h2conn, stream uint32) {
			time.Sleep(500 * time.Millisecond)
			h2hello(c, stream)
		})
		one, two := b.call("GET", nil), b.call("GET", nil)
		first, second := b.background(one), b.background(two)
		time.Sleep(50 * time.Millisecond)
		one.Cancel(nil)
		if o := <-first; o.took != 50*time.Millisecond || lift.CodeOf(o.err) != lift.CallCanceled {
			t.Errorf("the canceled call: %+v", o)
		}
		if o := <-second; o.err != nil || o.body != "hello" {
			t.Errorf("the other call: %+v", o)
		}
		synctest.Wait()
		c := b.up.all()[0]
		if code := c.wasReset(1) + c.wasReset(3); code != http2.ErrCodeCancel {
			t.Errorf("the endpoint was told %v", code)
		}
		if s := b.Stats(); s.Open != 1 || s.Idle != 1 {
			t.Errorf("left: %+v", s)
		}
		b.mustCall(t, "POST")
	})
}

// A request that streams and an answer that streams go on side by side, trailers
// included.
func TestMuxStreamsBothWays(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newH2Bench(t, transport.Config{})
		r, w := io.Pipe()
		c := b.call("POST", lift.StreamBody(r, -1, 1024))
		c.Header = []lift.Field{{Name: "Trailer", Value: "X-Sum"}}
		b.up.answers(func(c *h2conn, stream uint32) {
			c.data(stream, false, "got "+c.body(stream)+c.field(stream, "x-sum"))
			c.head(stream, true, "x-after", "all")
		})
		go func() {
			_, _ = io.WriteString(w, "one")
			time.Sleep(100 * time.Millisecond)
			b.up.all()[0].head(1, false, ":status", "200")
			time.Sleep(3 * time.Second) // longer than the attempt may take
			_, _ = io.WriteString(w, "two")
			c.Body.SetTrailer([]lift.Field{{Name: "X-Sum", Value: "!"}})
			_ = w.Close()
		}()
		began := time.Now()
		resp, err := b.RoundTrip(c)
		if err != nil || time.Since(began) != 100*time.Millisecond {
			t.Fatalf("after %s: %v", time.Since(began), err)
		}
		got, err := resp.Body.ReadAll(0)
		if err != nil || string(got) != "got onetwo!" || lift.Get(resp.Body.Trailer(), "X-After") != "all" {
			t.Errorf("got %q, %v, %v", got, resp.Body.Trailer(), err)
		}
		c.End()
	})
}

// A stream that nobody reads is held to its window, and stops nobody else.
func TestMuxSlowReader(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newH2Bench(t, transport.Config{})
		b.up.answers(func(c *h2conn, stream uint32) {
			c.head(stream, false, ":status", "200")
			for range 16 { // 256 KiB: all that the window allows
				c.data(stream, false, strings.Repeat("x", 16<<10))
			}
		})
		c := b.call("GET", nil)
		resp, err := b.RoundTrip(c)
		if err != nil {
			t.Fatal(err)
		}
		synctest.Wait()
		b.up.answers(nil)
		for range 3 {
			b.mustCall(t, "POST")
		}
		_ = resp.Body.Close()
		c.End()
		synctest.Wait()
		b.mustCall(t, "POST")
		if n := len(b.up.all()); n != 1 {
			t.Errorf("%d connections", n)
		}
		if code := b.up.all()[0].wasReset(1); code != http2.ErrCodeCancel {
			t.Errorf("the endpoint was told %v", code)
		}
	})
}

// A short answer of declared length is read whole within the attempt: half of one
// is an error before its first byte goes on.
func TestMuxHalfAnswer(t *testing.T) {
	for name, end := range map[string]func(c *h2conn, stream uint32){
		"reset":       func(c *h2conn, stream uint32) { c.reset(stream, http2.ErrCodeInternal) },
		"ended early": func(c *h2conn, stream uint32) { c.data(stream, true, "") },
		"hung up":     func(c *h2conn, _ uint32) { _ = c.Close() },
		"longer":      func(c *h2conn, stream uint32) { c.data(stream, true, "llo and more") },
		"never":       func(*h2conn, uint32) {},
		"wrong frames": func(c *h2conn, stream uint32) {
			c.write(func() error {
				return c.fr.WritePushPromise(http2.PushPromiseParam{StreamID: stream, PromiseID: 2, EndHeaders: true})
			})
		},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				b := newH2Bench(t, transport.Config{})
				b.up.answers(func(c *h2conn, stream uint32) {
					c.head(stream, false, ":status", "200", "content-length", "5")
					c.data(stream, false, "he")
					end(c, stream)
				})
				c := b.call("GET", nil)
				_, err := b.RoundTrip(c)
				want := lift.BadResponse
				if name == "never" {
					want = lift.AttemptTimeout
				}
				wantError(t, err, want)
				if a := c; a.Status != 200 || a.Reached != lift.Answered {
					t.Errorf("attempt says %+v", a)
				}
				t.Log(err)
				b.up.answers(nil)
				synctest.Wait()
				b.mustCall(t, "POST")
			})
		})
	}
}

// bigBody is more than the endpoint's window takes.
var bigBody = bytes.Repeat([]byte("x"), 1<<20) // only ever read

// An endpoint that answers without reading the request is heard.
func TestMuxEarlyAnswer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newH2Bench(t, transport.Config{})
		c := b.call("POST", lift.BytesBody(bigBody))
		done := b.background(c)
		synctest.Wait()
		b.up.all()[0].head(1, true, ":status", "413")
		if o := <-done; o.err != nil || o.status != 413 || o.took != 0 {
			t.Errorf("got %+v", o)
		}
		synctest.Wait()
		if s := b.Stats(); s.Idle != 1 {
			t.Errorf("left: %+v", s)
		}
		b.mustCall(t, "POST")
	})
}

// A streamed request that is idempotent and still here in full goes out again when
// the connection breaks under it, in full.
func TestMuxStreamedRequestAgain(t *testing.T) {
	for name, tt := range map[string]struct {
		method string
		keep   int
		code   lift.Code
	}{"can be replayed": {"PUT", 1024, ""}, "cannot": {"PUT", 2, lift.Unavailable}, "not idempotent": {"POST", 1024, lift.Unavailable}} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				b := newH2Bench(t, transport.Config{})
				b.mustCall(t, "GET")
				b.up.answers(func(c *h2conn, stream uint32) {
					if c == b.up.all()[0] {
						_ = c.Close()
						return
					}
					c.head(stream, false, ":status", "200")
					c.data(stream, true, c.body(stream))
				})
				c := b.call(tt.method, lift.StreamBody(io.NopCloser(strings.NewReader("content")), -1, tt.keep))
				o := <-b.background(c)
				if lift.CodeOf(o.err) != tt.code || tt.code == "" && o.body != "content" {
					t.Errorf("%+v", o)
				}
				c.End()
			})
		})
	}
}
