package extension_test

import (
	"context"
	"errors"
	"io"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/liftmesh/lift/extension"
)

// seen is what a range over Events brought, errors as their text.
type seen struct {
	event extension.Event
	err   error
	at    time.Duration // since the range began
}

func watch(t *testing.T, api *fake, cfg extension.Config, next ...http.HandlerFunc) []seen {
	t.Helper()
	api.on("event/next", next...)
	c := api.client(t, cfg)
	if _, err := c.Register(t.Context()); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 24*time.Hour)
	defer cancel()
	var got []seen
	begin := time.Now()
	for e, err := range c.Events(ctx) {
		got = append(got, seen{e, err, time.Since(begin)})
	}
	return got
}

func TestEvents(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		api := newFake(t)
		slow := func(w http.ResponseWriter, r *http.Request) {
			time.Sleep(5 * time.Hour) // a frozen night: next has no limit in time
			answer(200, invokeJSON)(w, r)
		}
		got := watch(t, api, extension.Config{}, slow, answer(200, `{"eventType":"INVOKE","requestId":"2"}`), answer(200, shutdownJSON))
		want := []extension.Event{
			{
				Type: extension.Invoke, RequestID: "25688f29", Deadline: time.UnixMilli(1795390740358),
				ARN:   "arn:aws:lambda:eu-west-1:123456789012:function:f",
				Trace: "Root=1-5f35ae12-0c0fec141ab77a00bc047aa2;Parent=2be948a625588e32;Sampled=1",
			},
			{Type: extension.Invoke, RequestID: "2"},
			{Type: extension.Shutdown, Deadline: time.UnixMilli(1795390442371), Reason: extension.Spindown},
		}
		if len(got) != len(want) {
			t.Fatalf("got %+v", got)
		}
		for i, s := range got {
			if s.event != want[i] || s.err != nil || s.at != 5*time.Hour {
				t.Errorf("event %d is %+v, want %+v", i+1, s, want[i])
			}
		}
		asked := api.asked("event/next")
		if len(asked) != 3 {
			t.Fatalf("polled %d times, want 3: nothing comes after SHUTDOWN", len(asked))
		}
		for _, a := range asked {
			if a.method != http.MethodGet || a.header.Get("Lambda-Extension-Identifier") != "3f8b0b2e-1111-4222-8333-444455556666" {
				t.Errorf("asked %s %v", a.method, a.header)
			}
		}
		if api.net.dials != 1 {
			t.Errorf("%d connections, want 1", api.net.dials)
		}
	})
}

// The body of the loop is the extension's part of the invocation: the next poll
// must not leave before it has ended.
func TestEventsPollsWhenTheBodyHasEnded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		api := newFake(t)
		api.on("event/next", answer(200, invokeJSON), answer(200, shutdownJSON))
		c := api.client(t, extension.Config{})
		if _, err := c.Register(t.Context()); err != nil {
			t.Fatal(err)
		}
		for e, err := range c.Events(t.Context()) {
			if err != nil {
				t.Fatal(err)
			}
			time.Sleep(time.Second)
			polls := len(api.asked("event/next"))
			if e.Type == extension.Invoke && polls != 1 || e.Type == extension.Shutdown && polls != 2 {
				t.Errorf("%d polls inside the body of %s", polls, e.Type)
			}
		}
	})
}

func TestEventsGoesOnAfterErrors(t *testing.T) {
	half := func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Length", "1000")
		_, _ = io.WriteString(w, `{"eventType":`)
		w.(http.Flusher).Flush()
		panic(http.ErrAbortHandler)
	}
	huge := func(w http.ResponseWriter, _ *http.Request) {
		for range 300 {
			_, _ = io.WriteString(w, strings.Repeat(" ", 1<<10))
		}
	}
	head := func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("X-Long", strings.Repeat("x", 1<<20))
	}
	for _, tt := range []struct {
		name   string
		next   http.HandlerFunc
		status int
		says   string
	}{
		{"403", refusal("Extension.UnknownExtensionIdentifier", "Unknown"), 403, "does not know this registration"},
		{"503", answer(503, "busy"), 503, "busy"},
		{"garbage", answer(200, "<html>"), 200, "not what Lambda sends"},
		{"nothing", answer(200, ""), 200, "not what Lambda sends"},
		{"no type", answer(200, `{}`), 200, "no eventType"},
		{"list", answer(200, `[]`), 200, "not what Lambda sends"},
		{"reset in the middle of next", func(w http.ResponseWriter, r *http.Request) {
			time.Sleep(time.Minute)
			reset(w, r)
		}, 0, "Lift tries again"},
		{"half an event", half, 200, "unexpected EOF"},
		{"huge event", huge, 200, "larger than"},
		{"huge head", head, 0, "header"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				api := newFake(t)
				got := watch(t, api, extension.Config{}, tt.next, tt.next, answer(200, invokeJSON), answer(200, shutdownJSON))
				if len(got) != 4 || got[2].event.Type != extension.Invoke || got[3].event.Type != extension.Shutdown {
					t.Fatalf("got %+v", got)
				}
				for _, s := range got[:2] {
					e, ok := errors.AsType[*extension.Error](s.err)
					if !ok || e.Op != "next" || e.Status != tt.status || e.Final {
						t.Errorf("error is %#v", s.err)
					}
					if !strings.Contains(s.err.Error(), tt.says) {
						t.Errorf("%q does not say %q", s.err, tt.says)
					}
					if s.event != (extension.Event{}) {
						t.Errorf("an event beside an error: %+v", s.event)
					}
				}
				if n := len(api.asked("event/next")); n != 4 {
					t.Errorf("polled %d times, want 4: nothing is sent twice unseen", n)
				}
			})
		})
	}
}

func TestEventsWaitsLongerAndLonger(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		api := newFake(t)
		c := api.client(t, extension.Config{Rand: func() float64 { return 0 }})
		if _, err := c.Register(t.Context()); err != nil {
			t.Fatal(err)
		}
		_ = c.Close() // so that every poll dials
		api.net.mu.Lock()
		api.net.refuse = 12
		api.net.mu.Unlock()
		api.on("event/next", answer(200, shutdownJSON))
		var at []time.Duration
		begin := time.Now()
		for e, err := range c.Events(t.Context()) {
			if err == nil && e.Type != extension.Shutdown || err != nil && !errors.Is(err, errRefused) {
				t.Fatalf("got %+v, %v", e, err)
			}
			at = append(at, time.Since(begin))
		}
		if len(at) != 13 {
			t.Fatalf("%d tries, want 13", len(at))
		}
		ms := time.Millisecond
		want := []time.Duration{5 * ms, 10 * ms, 20 * ms, 40 * ms, 80 * ms, 160 * ms, 320 * ms, 500 * ms, 500 * ms, 500 * ms, 500 * ms, 500 * ms}
		for i, w := range want {
			if d := at[i+1] - at[i]; d != w {
				t.Errorf("wait %d is %v, want %v", i+1, d, w)
			}
		}
	})
}

func TestEventsEndsAtAContainerError(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		got := watch(t, newFake(t), extension.Config{}, answer(200, invokeJSON), answer(500, `{"errorType":"Container","errorMessage":"gone"}`))
		if len(got) != 2 {
			t.Fatalf("got %+v", got)
		}
		e, ok := errors.AsType[*extension.Error](got[1].err)
		if !ok || !e.Final || !strings.Contains(e.Error(), "exit now") {
			t.Errorf("error is %v", got[1].err)
		}
	})
}

func TestEventsPassesOverUnknownEvents(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		odd := answer(200, `{"eventType":"CHECKPOINT","deadlineMs":"soon"}`)
		got := watch(t, newFake(t), extension.Config{}, odd, answer(200, invokeJSON), odd, odd, odd, odd, answer(200, shutdownJSON))
		if len(got) != 2 || got[0].event.Type != extension.Invoke || got[1].event.Type != extension.Shutdown {
			t.Fatalf("got %+v", got)
		}
		if got[0].at != 0 {
			t.Errorf("an unknown event cost %v", got[0].at)
		}
		if got[1].at < 30*time.Millisecond {
			t.Errorf("four unknown events in a row took %v: they must not be a busy loop", got[1].at)
		}
	})
}

func TestEventsEndsWithItsContext(t *testing.T) {
	for name, next := range map[string]http.HandlerFunc{"waiting for an event": hang, "waiting after an error": answer(503, "")} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				api := newFake(t)
				api.on("event/next", next)
				c := api.client(t, extension.Config{})
				if _, err := c.Register(t.Context()); err != nil {
					t.Fatal(err)
				}
				ctx, cancel := context.WithTimeout(t.Context(), 100*time.Hour+time.Millisecond)
				defer cancel()
				for e, err := range c.Events(ctx) {
					if ctx.Err() != nil {
						t.Fatalf("got %+v, %v after the end", e, err)
					}
					time.Sleep(time.Hour)
				}
				if ctx.Err() == nil {
					t.Error("ended before its context")
				}
			})
		})
	}
}

func TestEventsBreak(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		api := newFake(t)
		api.on("event/next", answer(200, invokeJSON))
		c := api.client(t, extension.Config{})
		if _, err := c.Register(t.Context()); err != nil {
			t.Fatal(err)
		}
		for range c.Events(t.Context()) {
			break
		}
		for range c.Events(t.Context()) { // and it can be taken up again
			break
		}
		if n := len(api.asked("event/next")); n != 2 {
			t.Errorf("polled %d times, want 2", n)
		}
	})
}

func TestEventsWithoutRegister(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		api := newFake(t)
		n := 0
		for _, err := range api.client(t, extension.Config{}).Events(t.Context()) {
			n++
			if err == nil || !strings.Contains(err.Error(), "not registered; call Register first") {
				t.Errorf("error is %v", err)
			}
		}
		if n != 1 || api.net.dials != 0 {
			t.Errorf("%d errors and %d dials, want 1 and 0", n, api.net.dials)
		}
	})
}

// The connection that is kept between calls may have been closed by the other
// side meanwhile: that must cost nothing but a new one.
func TestEventsTakesAFreshConnectionForAClosedOne(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		api := newFake(t)
		bye := func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Connection", "close")
			answer(200, invokeJSON)(w, r)
		}
		got := watch(t, api, extension.Config{}, bye, bye, answer(200, shutdownJSON))
		if len(got) != 3 || got[0].err != nil || got[1].err != nil || got[2].err != nil {
			t.Errorf("got %+v", got)
		}
		if api.net.dials != 3 {
			t.Errorf("%d connections, want 3", api.net.dials)
		}
	})
}
