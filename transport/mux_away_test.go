package transport_test

import (
	"io"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"golang.org/x/net/http2"

	"github.com/liftmesh/lift"
	"github.com/liftmesh/lift/transport"
)

// An endpoint that goes away gets no new calls, ends those that run, and what it
// has not begun with goes out again at once, whatever its method.
func TestMuxGoAway(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newH2Bench(t, transport.Config{})
		b.up.answers(func(c *h2conn, stream uint32) {
			if stream == 1 {
				time.Sleep(500 * time.Millisecond)
			} else if c == b.up.all()[0] {
				return
			}
			h2hello(c, stream)
		})
		running := b.background(b.call("POST", nil))
		time.Sleep(10 * time.Millisecond)
		late := b.call("POST", lift.BytesBody([]byte("body")))
		unseen := b.background(late)
		time.Sleep(10 * time.Millisecond)
		first := b.up.all()[0]
		first.goAway(1, http2.ErrCodeNo)
		if o := <-unseen; o.err != nil || o.body != "hello" || late.Reached != lift.Answered || !late.Fresh {
			t.Errorf("the call that was not begun with: %+v, %+v", o, late)
		}
		b.mustCall(t, "POST")
		if o := <-running; o.err != nil || o.took != 500*time.Millisecond {
			t.Errorf("the call that ran: %+v", o)
		}
		synctest.Wait()
		if s := b.Stats(); s.Open != 1 || len(b.up.all()) != 2 {
			t.Errorf("%+v after %d connections", s, len(b.up.all()))
		}
	})
}

// The ways in which a call can fail before its answer came, what each says, and
// whether an endpoint may have acted.
func TestMuxFailures(t *testing.T) {
	goAway := func(last uint32, code http2.ErrCode, hangUp bool) h2peer {
		return func(c *h2conn, stream uint32) {
			c.goAway(last, code)
			if hangUp {
				_ = c.Close()
			}
		}
	}
	for name, tt := range map[string]struct {
		peer    h2peer
		says    string
		code    lift.Code
		reached lift.Reached
		calls   int // that the endpoint sees of a POST over a warm connection
	}{
		"refused":         {func(c *h2conn, s uint32) { c.reset(s, http2.ErrCodeRefusedStream) }, "REFUSED_STREAM", lift.Unavailable, lift.NotReached, 1},
		"reset":           {func(c *h2conn, s uint32) { c.reset(s, http2.ErrCodeInternal) }, "reset the call before it answered (INTERNAL_ERROR)", lift.Unavailable, lift.MayHaveActed, 1},
		"wants HTTP/1.1":  {func(c *h2conn, s uint32) { c.reset(s, http2.ErrCodeHTTP11Required) }, "set protocol: http", lift.Unavailable, lift.MayHaveActed, 1},
		"away, not begun": {goAway(0, http2.ErrCodeNo, false), "has not begun with this call (GOAWAY)", lift.Unavailable, lift.NotReached, 2},
		"calm, not begun": {goAway(0, http2.ErrCodeEnhanceYourCalm, true), "has not begun with this call (GOAWAY)", lift.Unavailable, lift.NotReached, 2},
		"away, had begun": {goAway(1<<31-1, http2.ErrCodeNo, true), "went away without answering", lift.Unavailable, lift.MayHaveActed, 1},
		"calm, had begun": {goAway(1<<31-1, http2.ErrCodeEnhanceYourCalm, true), "(GOAWAY ENHANCE_YOUR_CALM)", lift.Unavailable, lift.MayHaveActed, 1},
		"hung up":         {func(c *h2conn, _ uint32) { _ = c.Close() }, "connection closed before an answer came", lift.Unavailable, lift.MayHaveActed, 1},
		"a long header":   {func(c *h2conn, s uint32) { c.head(s, true, ":status", "200", "x", strings.Repeat("y", 8<<10)) }, "longer than 4096 bytes", lift.BadResponse, lift.MayHaveActed, 1},
		"a long head": {func(c *h2conn, s uint32) {
			fields := []string{":status", "200"}
			for range 50 {
				fields = append(fields, "x", strings.Repeat("y", 100))
			}
			c.head(s, true, fields...)
		}, "header exceeded 4096 bytes", lift.BadResponse, lift.MayHaveActed, 1},
		"no status":    {func(c *h2conn, s uint32) { c.head(s, true, "x", "y") }, "not a proper HTTP/2 answer", lift.BadResponse, lift.MayHaveActed, 1},
		"a bad status": {func(c *h2conn, s uint32) { c.head(s, true, ":status", "fine") }, "not a proper HTTP/2 answer", lift.BadResponse, lift.MayHaveActed, 1},
		"a bad name":   {func(c *h2conn, s uint32) { c.head(s, true, ":status", "200", "X-Big", "y") }, "not a proper HTTP/2 answer", lift.BadResponse, lift.MayHaveActed, 1},
		"a bad value":  {func(c *h2conn, s uint32) { c.head(s, true, ":status", "200", "x", "a\r\nb: c") }, "not a proper HTTP/2 answer", lift.BadResponse, lift.MayHaveActed, 1},
		"data first":   {func(c *h2conn, s uint32) { c.data(s, true, "hello") }, "not a proper HTTP/2 answer", lift.BadResponse, lift.MayHaveActed, 1},
		"a wrong frame": {func(c *h2conn, s uint32) {
			c.write(func() error { return c.fr.WriteRawFrame(http2.FrameData, 0, 0, []byte("x")) })
		}, "broke the rules of HTTP/2 (PROTOCOL_ERROR)", lift.BadResponse, lift.MayHaveActed, 1},
		"a giant frame": {func(c *h2conn, s uint32) { _, _ = c.Write([]byte("\xff\xff\xff\x00\x00\x00\x00\x00\x01")) }, "", lift.Unavailable, lift.MayHaveActed, 1},
		"endless 1xx": {func(c *h2conn, s uint32) {
			for range 1000 {
				c.head(s, false, ":status", "103", "link", strings.Repeat("y", 100))
			}
		}, "not a proper HTTP/2 answer", lift.BadResponse, lift.MayHaveActed, 1},
		"an endless head": {func(c *h2conn, s uint32) {
			c.write(func() error {
				return c.fr.WriteHeaders(http2.HeadersFrameParam{StreamID: s, BlockFragment: []byte{}})
			})
			for range 1000 {
				c.write(func() error {
					return c.fr.WriteContinuation(s, false, []byte(strings.Repeat("\x00\x01a\x7f\x81\x00"+strings.Repeat("z", 256), 16)))
				})
			}
		}, "", lift.BadResponse, lift.MayHaveActed, 1},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				b := newH2Bench(t, transport.Config{MaxHeader: 4 << 10})
				b.mustCall(t, "POST")
				b.up.answers(tt.peer)
				before := b.up.seen()
				c := b.call("POST", lift.BytesBody([]byte("body")))
				began := time.Now()
				_, err := b.RoundTrip(c)
				wantError(t, err, tt.code)
				if !strings.Contains(err.Error(), tt.says) {
					t.Errorf("it says %v", err)
				}
				if a := c; a.Reached != tt.reached || time.Since(began) != 0 {
					t.Errorf("after %s: %v, want %v (%v)", time.Since(began), a.Reached, tt.reached, err)
				}
				if n := b.up.seen() - before; n != tt.calls {
					t.Errorf("the endpoint saw %d calls, want %d", n, tt.calls)
				}
				b.up.answers(nil)
				synctest.Wait()
				b.mustCall(t, "POST")
			})
		})
	}
}

// What is not HTTP/2 is found out before a call is sent there.
func TestMuxNotHTTP2(t *testing.T) {
	for name, tt := range map[string]struct{ first, says string }{
		"HTTP/1.1":        {"HTTP/1.1 400 Bad Request\r\nConnection: close\r\n\r\n", "speaks HTTP/1.1 here: is that an HTTP/2 port?"},
		"TLS":             {"\x15\x03\x01\x00\x02\x02\x46", "that port speaks TLS"},
		"something else":  {"220 mail.test ESMTP\r\n", `begins with "220 mail.test`},
		"nothing":         {"", "did not say within 1s"},
		"half a word":     {"hey", `begins with "hey"`},
		"half a settings": {"\x00\x00\x06\x04\x00\x00\x00\x00\x00", "did not say within 1s"},
		"a ping first":    {"\x00\x00\x08\x06\x00\x00\x00\x00\x0012345678", "is that an HTTP/2 port?"},
		"bad settings":    {"\x00\x00\x06\x04\x00\x00\x00\x00\x00\x00\x05\x00\x00\x00\x00", "is that an HTTP/2 port?"},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				b := newH2Bench(t, transport.Config{})
				b.up.set(func(u *h2upstream) { u.raw = tt.first; u.mute = true })
				c := b.call("POST", nil)
				c.Timeout, c.Deadline = 0, time.Time{}
				_, err := b.RoundTrip(c)
				wantError(t, err, lift.Unavailable)
				if a := c; !strings.Contains(err.Error(), tt.says) || a.Reached != lift.NotReached || !a.Fresh {
					t.Errorf("%v; %+v", err, a)
				}
				c.End()
			})
		})
	}
}

// An endpoint that allows more, or fewer, calls than before is believed.
func TestMuxSettingsChange(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newH2Bench(t, transport.Config{MaxConnections: 1}, http2.Setting{ID: http2.SettingMaxConcurrentStreams, Val: 1})
		b.up.answers(func(c *h2conn, stream uint32) {
			time.Sleep(100 * time.Millisecond)
			h2hello(c, stream)
		})
		three := func() (took [3]time.Duration) {
			var running [3]<-chan outcome
			for i := range running {
				running[i] = b.background(b.call("POST", nil))
				synctest.Wait()
			}
			if len(b.up.all()) == 1 && b.up.seen() == 1 { // the first time
				b.up.all()[0].write(func() error {
					return b.up.all()[0].fr.WriteSettings(http2.Setting{ID: http2.SettingMaxConcurrentStreams, Val: 100})
				})
			}
			for i, r := range running {
				o := <-r
				if o.err != nil {
					t.Error(o.err)
				}
				took[i] = o.took
			}
			return took
		}
		if took := three(); took != [3]time.Duration{100 * time.Millisecond, 100 * time.Millisecond, 100 * time.Millisecond} {
			t.Errorf("allowed more, while two waited: %v", took)
		}
		b.up.all()[0].write(func() error {
			return b.up.all()[0].fr.WriteSettings(http2.Setting{ID: http2.SettingMaxConcurrentStreams, Val: 1})
		})
		synctest.Wait()
		if took := three(); took != [3]time.Duration{100 * time.Millisecond, 200 * time.Millisecond, 300 * time.Millisecond} {
			t.Errorf("allowed one: %v", took)
		}
	})
}

// A call that waits for a place waits no longer than it may, and a place that comes
// back after a cut is found by who waits.
func TestMuxWaiting(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newH2Bench(t, transport.Config{MaxConnections: 1}, http2.Setting{ID: http2.SettingMaxConcurrentStreams, Val: 1})
		b.up.answers(h2silent)
		first := b.call("GET", nil)
		holding := b.background(first)
		synctest.Wait()
		short := b.call("GET", nil)
		short.Call.Deadline = b.clock.now().Wall.Add(100 * time.Millisecond)
		if o := <-b.background(short); lift.CodeOf(o.err) != lift.Busy || o.took != 100*time.Millisecond || short.Reached != lift.NotReached {
			t.Errorf("%+v; %+v", o, short)
		}
		next := b.background(b.call("POST", nil))
		synctest.Wait()
		b.up.answers(nil)
		// After a word on the stream http2 takes it that the peer lives, and asks for none
		// when it resets it: nothing that comes says that the place is free.
		b.up.all()[0].head(1, false, ":status", "200")
		synctest.Wait()
		first.Cancel(nil)
		<-holding
		if o := <-next; o.err != nil || o.took > 10*time.Millisecond {
			t.Errorf("the next: %+v", o)
		}
		if n := len(b.up.all()); n != 1 {
			t.Errorf("%d connections", n)
		}
	})
}

// Requests that stream stop where the endpoint's window ends, and go on when it opens.
func TestMuxUploadFlows(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newH2Bench(t, transport.Config{}, http2.Setting{ID: http2.SettingInitialWindowSize, Val: 10})
		r, w := io.Pipe()
		done := b.background(b.call("PUT", lift.StreamBody(r, -1, 0)))
		var wrote int
		go func() {
			for range 10 {
				n, _ := io.WriteString(w, "12345")
				wrote += n
			}
			_ = w.Close()
		}()
		synctest.Wait()
		c := b.up.all()[0]
		if got := c.body(1); got != "1234512345" || wrote > 20 {
			t.Errorf("%q has come, %d have been read", got, wrote)
		}
		b.mustCall(t, "POST")
		c.write(func() error { return c.fr.WriteWindowUpdate(1, 100) })
		if o := <-done; o.err != nil || len(c.body(1)) != 50 {
			t.Errorf("%q: %+v", c.body(1), o)
		}
	})
}

// A caller's body that breaks ends its stream, and nobody else's.
func TestMuxUploadBreaks(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newH2Bench(t, transport.Config{})
		r, w := io.Pipe()
		done := b.background(b.call("PUT", lift.StreamBody(r, -1, 0)))
		_, _ = io.WriteString(w, "half")
		_ = w.CloseWithError(io.ErrUnexpectedEOF)
		if o := <-done; lift.CodeOf(o.err) != lift.CallCanceled || !strings.Contains(o.err.Error(), "at the caller's end") {
			t.Errorf("%+v", o)
		}
		synctest.Wait()
		if code := b.up.all()[0].wasReset(1); code != http2.ErrCodeCancel {
			t.Errorf("the endpoint was told %v", code)
		}
		b.mustCall(t, "POST")
	})
}

// The idle connections of all ways share the process's slots with HTTP/1.1's.
func TestMuxSharesSlots(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		slots := transport.NewSlots(1, 1)
		h1, h2 := &upstream{next: healthy}, &h2upstream{}
		one := transport.New("one.test:80", transport.Options{Dial: h1.dial, Slots: slots})
		two := transport.New("two.test:80", transport.Options{Dial: h2.dial, Slots: slots, Config: transport.Config{Protocol: transport.H2C}})
		for range 3 {
			for _, w := range []transport.Upstream{one, two} {
				resp, err := w.RoundTrip(tryOf(&lift.Call{}))
				if err != nil {
					t.Fatal(err)
				}
				wantHello(t, resp)
				synctest.Wait()
			}
		}
		if a, b := one.Stats(), two.Stats(); a.Open+b.Open != 1 {
			t.Errorf("%+v and %+v", a, b)
		}
		one.Close()
		two.Close()
		h1.close()
		h2.close()
	})
}

// What is closed takes no new calls, and what is in flight ends.
func TestMuxClose(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newH2Bench(t, transport.Config{})
		b.up.answers(func(c *h2conn, stream uint32) {
			time.Sleep(100 * time.Millisecond)
			h2hello(c, stream)
		})
		running := b.background(b.call("POST", nil))
		time.Sleep(10 * time.Millisecond)
		b.Close()
		b.Close()
		_, err := b.RoundTrip(b.call("GET", nil))
		wantError(t, err, lift.Unavailable)
		if o := <-running; o.err != nil {
			t.Error(o.err)
		}
	})
}

// Warm opens as many as are wanted, and says what is wrong.
func TestMuxWarm(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newH2Bench(t, transport.Config{})
		for range 2 {
			if err := b.Warm(t.Context(), 2); err != nil {
				t.Fatal(err)
			}
			if s := b.Stats(); s.Open != 2 || s.Idle != 2 {
				t.Errorf("%+v", s)
			}
		}
		if c := b.mustCall(t, "POST"); c.Fresh {
			t.Error("a warm connection is told as fresh")
		}
		b.clock.jump(time.Minute, 0)
		b.up.set(func(u *h2upstream) { u.refusing = true })
		if err := b.Warm(t.Context(), 2); lift.CodeOf(err) != lift.Unavailable {
			t.Errorf("%v", err)
		}
		if s := b.Stats(); s.Open != 0 {
			t.Errorf("%+v", s)
		}
	})
}
