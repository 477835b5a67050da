package transport_test

import (
	"fmt"
	"io"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"golang.org/x/net/http2"

	"github.com/liftmesh/lift"
	"github.com/liftmesh/lift/transport"
)

const oneMessage = "\x00\x00\x00\x00\x02hi" // a gRPC frame

// grpc makes a call of gRPC's.
func (b *h2bench) grpc(body *lift.Body, more ...lift.Field) *lift.Attempt {
	c := b.call("POST", body)
	c.Path = "/orders.Orders/Get"
	c.Header = append([]lift.Field{{Name: "content-type", Value: "application/grpc"}}, more...)
	return c
}

// gRPC's requests and answers pass as they are, with what is between two hops
// said anew.
func TestGRPCPasses(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newH2Bench(t, transport.Config{Protocol: transport.GRPC})
		b.up.answers(func(c *h2conn, stream uint32) {
			c.head(stream, false, ":status", "200", "content-type", "application/grpc+proto", "grpc-encoding", "snappy")
			c.data(stream, false, "\x01"+oneMessage[1:])
			c.head(stream, true, "grpc-status", "0", "trace-bin", "AAH/")
		})
		c := b.grpc(lift.BytesBody([]byte("\x01"+oneMessage[1:])),
			lift.Field{Name: "te", Value: "trailers"}, lift.Field{Name: "grpc-timeout", Value: "77S"}, lift.Field{Name: "grpc-encoding", Value: "snappy"},
			lift.Field{Name: "grpc-accept-encoding", Value: "snappy,gzip"}, lift.Field{Name: "user-agent", Value: "grpc-node/1"}, lift.Field{Name: "key-bin", Value: "AP8"})
		c.Call.Deadline = b.clock.now().Wall.Add(2500 * time.Millisecond)
		resp, err := b.RoundTrip(c)
		if err != nil {
			t.Fatal(err)
		}
		got, whole := resp.Body.Complete()
		if !whole || string(got) != "\x01"+oneMessage[1:] || lift.Get(resp.Header, "grpc-encoding") != "snappy" ||
			lift.Get(resp.Body.Trailer(), "grpc-status") != "0" || lift.Get(resp.Body.Trailer(), "trace-bin") != "AAH/" {
			t.Errorf("got %q %v, %v %v", got, whole, resp.Header, resp.Body.Trailer())
		}
		peer := b.up.all()[0]
		for name, want := range map[string]string{
			":method": "POST", ":path": "/orders.Orders/Get", "te": "trailers", "grpc-timeout": "2500000u", "grpc-encoding": "snappy",
			"grpc-accept-encoding": "snappy,gzip", "user-agent": "grpc-node/1", "key-bin": "AP8", "content-type": "application/grpc",
		} {
			if got := peer.field(1, name); got != want {
				t.Errorf("%s is %q, want %q", name, got, want)
			}
		}
		if got := peer.body(1); got != "\x01"+oneMessage[1:] {
			t.Errorf("the body is %q", got)
		}
	})
}

func TestGRPCTimeout(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newH2Bench(t, transport.Config{})
		for left, want := range map[time.Duration]string{
			time.Second: "1000000u", 99 * time.Second: "99000000u", 100 * time.Second: "100000m", 30 * time.Hour: "108000S", 0: "9S",
		} {
			c := b.grpc(nil, lift.Field{Name: "Grpc-Timeout", Value: "9S"})
			c.Call.Deadline = time.Time{}
			if left > 0 {
				c.Call.Deadline = b.clock.now().Wall.Add(left)
			}
			if _, err := b.RoundTrip(c); err != nil {
				t.Fatal(err)
			}
			c.End()
			peer := b.up.all()[0]
			if got := peer.field(uint32(2*b.up.seen()-1), "grpc-timeout"); got != want {
				t.Errorf("%s left is %q, want %q", left, got, want)
			}
		}
	})
}

// What an answer turns out to be within the short while that it is held back.
func TestGRPCAnswerIsHeld(t *testing.T) {
	head := func(c *h2conn, stream uint32) {
		c.head(stream, false, ":status", "200", "content-type", "application/grpc")
	}
	end := func(c *h2conn, stream uint32) { c.head(stream, true, "grpc-status", "0") }
	for name, tt := range map[string]struct {
		answer h2peer
		whole  bool
		after  time.Duration // Call returns
		body   string
		took   time.Duration // until the body's end
	}{
		"unary": {func(c *h2conn, s uint32) { head(c, s); c.data(s, false, oneMessage); end(c, s) }, true, 0, oneMessage, 0},
		"trailers only": {func(c *h2conn, s uint32) {
			c.head(s, true, ":status", "200", "content-type", "application/grpc", "grpc-status", "0")
		}, true, 0, "", 0},
		"no message": {func(c *h2conn, s uint32) { head(c, s); end(c, s) }, true, 0, "", 0},
		"end is late": {func(c *h2conn, s uint32) {
			head(c, s)
			c.data(s, false, oneMessage)
			time.Sleep(4 * time.Millisecond)
			end(c, s)
		}, true, 4 * time.Millisecond, oneMessage, 4 * time.Millisecond},
		"slow handler that has sent its head": {func(c *h2conn, s uint32) {
			head(c, s)
			time.Sleep(90 * time.Millisecond)
			c.data(s, false, oneMessage)
			end(c, s)
		}, true, 90 * time.Millisecond, oneMessage, 90 * time.Millisecond},
		"a stream of two": {func(c *h2conn, s uint32) {
			head(c, s)
			c.data(s, false, oneMessage)
			time.Sleep(time.Second)
			c.data(s, false, oneMessage)
			end(c, s)
		}, false, 5 * time.Millisecond, oneMessage + oneMessage, time.Second},
		"a silent stream": {func(c *h2conn, s uint32) {
			head(c, s)
			time.Sleep(3 * time.Second)
			c.data(s, false, oneMessage)
			end(c, s)
		}, false, 100 * time.Millisecond, oneMessage, 3 * time.Second},
		"a large answer": {func(c *h2conn, s uint32) {
			head(c, s)
			for range 6 {
				c.data(s, false, strings.Repeat("x", 16<<10))
			}
			end(c, s)
		}, false, 0, strings.Repeat("x", 96<<10), 0},
	} {
		for _, streamed := range []bool{false, true} {
			t.Run(fmt.Sprintf("%s/streamed %v", name, streamed), func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					b := newH2Bench(t, transport.Config{})
					b.up.answers(tt.answer)
					began := time.Now()
					body := lift.BytesBody([]byte(oneMessage))
					if streamed { // a door does not know beforehand, and it has ended all the same
						body = lift.StreamBody(io.NopCloser(strings.NewReader(oneMessage)), -1, lift.ReplayLimit)
					}
					c := b.grpc(body)
					resp, err := b.RoundTrip(c)
					if err != nil {
						t.Fatal(err)
					}
					if after := time.Since(began); after != tt.after {
						t.Errorf("the head came after %s, want %s", after, tt.after)
					}
					if _, whole := resp.Body.Complete(); whole != tt.whole {
						t.Errorf("whole is %v, want %v", whole, tt.whole)
					}
					got, err := resp.Body.ReadAll(0)
					fields := resp.Body.Trailer()
					if name == "trailers only" {
						fields = resp.Header
					}
					if err != nil || string(got) != tt.body || time.Since(began) != tt.took || lift.Get(fields, "grpc-status") != "0" {
						t.Errorf("after %s got %d bytes, %v, %v", time.Since(began), len(got), fields, err)
					}
					c.End()
					synctest.Wait()
					if s := b.Stats(); s.Idle != 1 {
						t.Errorf("left: %+v", s)
					}
				})
			})
		}
	}
}

// While the request is open the head goes on at once: the caller may be waiting for
// it to go on.
func TestGRPCBidiIsNotHeld(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newH2Bench(t, transport.Config{})
		r, w := io.Pipe()
		c := b.grpc(lift.StreamBody(r, -1, 1024))
		b.up.answers(func(c *h2conn, stream uint32) {
			c.data(stream, false, oneMessage)
			c.head(stream, true, "grpc-status", "0")
		})
		go func() {
			_, _ = io.WriteString(w, oneMessage)
			synctest.Wait()
			b.up.all()[0].head(1, false, ":status", "200", "content-type", "application/grpc")
		}()
		began := time.Now()
		resp, err := b.RoundTrip(c)
		if err != nil || time.Since(began) != 0 {
			t.Fatalf("after %s: %v", time.Since(began), err)
		}
		_ = w.Close()
		got, err := resp.Body.ReadAll(0)
		if err != nil || string(got) != oneMessage {
			t.Errorf("got %q, %v", got, err)
		}
		c.End()
	})
}

// Half an answer that is still held back is no answer; half of one that has gone on
// is a stream that broke.
func TestGRPCHalfAnswers(t *testing.T) {
	for name, tt := range map[string]struct {
		wait time.Duration
		held bool
	}{"held": {0, true}, "half a message is held longer": {50 * time.Millisecond, true}, "gone on": {time.Second, false}} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				b := newH2Bench(t, transport.Config{})
				b.up.answers(func(c *h2conn, stream uint32) {
					c.head(stream, false, ":status", "200", "content-type", "application/grpc")
					c.data(stream, false, oneMessage[:4])
					time.Sleep(tt.wait)
					_ = c.Close()
				})
				c := b.grpc(lift.BytesBody([]byte(oneMessage)))
				resp, err := b.RoundTrip(c)
				if tt.held {
					wantError(t, err, lift.BadResponse)
					return
				}
				if err != nil {
					t.Fatal(err)
				}
				got, err := resp.Body.ReadAll(0)
				wantError(t, err, lift.BadResponse)
				if len(got) != 4 {
					t.Errorf("got %q", got)
				}
				c.End()
			})
		})
	}
}

// A call that is canceled, or whose caller leaves, while its answer is read ahead
// leaves nothing behind.
func TestGRPCCanceledWhileHeld(t *testing.T) {
	for name, leave := range map[string]func(c *lift.Attempt, resp func() *lift.Response){
		"canceled while held": func(c *lift.Attempt, _ func() *lift.Response) { time.Sleep(50 * time.Millisecond); c.Cancel(nil) },
		"canceled after":      func(c *lift.Attempt, resp func() *lift.Response) { resp(); c.Cancel(nil) },
		"closed after":        func(_ *lift.Attempt, resp func() *lift.Response) { _ = resp().Body.Close() },
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				b := newH2Bench(t, transport.Config{})
				b.up.answers(func(c *h2conn, stream uint32) {
					c.head(stream, false, ":status", "200", "content-type", "application/grpc")
				})
				c := b.grpc(lift.BytesBody([]byte(oneMessage)))
				got := make(chan *lift.Response, 1)
				go func() {
					resp, _ := b.RoundTrip(c)
					got <- resp
				}()
				var resp *lift.Response
				leave(c, func() *lift.Response { resp = <-got; return resp })
				if resp != nil {
					if _, err := resp.Body.ReadAll(0); err == nil {
						t.Error("it ended well")
					}
				}
				c.Call.End()
				b.up.answers(nil)
				synctest.Wait()
				if s := b.Stats(); s.Idle != 1 {
					t.Errorf("left: %+v", s)
				}
				b.mustCall(t, "POST")
			})
		})
	}
}

// A server that was told the deadline may be a moment ahead of our timer: its reset
// is that deadline, and no breach of the endpoint's.
func TestGRPCServerResetsAtTheDeadline(t *testing.T) {
	for name, tt := range map[string]struct {
		head  bool
		early time.Duration
		code  http2.ErrCode
		want  lift.Code
	}{
		"before the head":      {false, time.Millisecond, http2.ErrCodeCancel, lift.DeadlineExceeded},
		"in a stream":          {true, time.Millisecond, http2.ErrCodeCancel, lift.DeadlineExceeded},
		"long before, no head": {false, time.Second, http2.ErrCodeCancel, lift.Unavailable},
		"long before":          {true, time.Second, http2.ErrCodeCancel, lift.BadResponse},
		"for another reason":   {true, time.Millisecond, http2.ErrCodeInternal, lift.BadResponse},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				b := newH2Bench(t, transport.Config{Protocol: transport.GRPC})
				b.up.answers(func(c *h2conn, stream uint32) {
					if tt.head {
						c.head(stream, false, ":status", "200", "content-type", "application/grpc")
						c.data(stream, false, oneMessage)
					}
					time.Sleep(2*time.Second - tt.early)
					c.reset(stream, tt.code)
				})
				c := b.grpc(lift.BytesBody([]byte(oneMessage)))
				c.Call.Deadline = b.clock.now().Wall.Add(2 * time.Second)
				c.Timeout, c.Deadline = 0, c.Call.Deadline
				resp, err := b.RoundTrip(c)
				if err == nil {
					_, err = resp.Body.ReadAll(0)
				}
				if lift.CodeOf(err) != tt.want {
					t.Errorf("%v, want %s", err, tt.want)
				}
			})
		})
	}
}
