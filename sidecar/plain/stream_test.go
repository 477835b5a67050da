package plain_test

import (
	"bufio"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"runtime"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/liftmesh/lift"
	"github.com/liftmesh/lift/sidecar/plain"
)

func TestEventsComeAsTheyHappen(t *testing.T) {
	next := make(chan string)
	addr := through(t, func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "text/event-stream")
		_ = http.NewResponseController(w).Flush()
		for event := range next {
			_, _ = io.WriteString(w, "data: "+event+"\n\n")
			_ = http.NewResponseController(w).Flush()
		}
	})
	c := dial(t, addr)
	c.say("GET /events HTTP/1.1\r\nHost: orders\r\n\r\n")
	resp, err := http.ReadResponse(c.r, nil) // the head comes before any event
	if err != nil || resp.Header.Get("Content-Type") != "text/event-stream" {
		t.Fatal(resp, err)
	}
	defer resp.Body.Close()
	lines := bufio.NewReader(resp.Body)
	for i := range 3 {
		next <- fmt.Sprint(i)
		if line, err := lines.ReadString('\n'); err != nil || line != fmt.Sprintf("data: %d\n", i) {
			t.Fatalf("event %d: %q, %v", i, line, err)
		}
		_, _ = lines.ReadString('\n')
	}
	close(next)
	if rest, err := io.ReadAll(lines); err != nil || len(rest) > 0 {
		t.Errorf("the end: %q, %v", rest, err)
	}
}

// Both directions flow at once, each piece as it is said.
func TestBothWaysAtOnce(t *testing.T) {
	addr := through(t, func(w http.ResponseWriter, r *http.Request) {
		rc := http.NewResponseController(w)
		_ = rc.EnableFullDuplex()
		_ = rc.Flush()
		buf := make([]byte, 1024)
		for {
			n, err := r.Body.Read(buf)
			_, _ = w.Write(buf[:n])
			_ = rc.Flush()
			if err != nil {
				return
			}
		}
	})
	c := dial(t, addr)
	c.say("POST /echo HTTP/1.1\r\nHost: orders\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nfirst\r\n")
	resp, err := http.ReadResponse(c.r, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	buf := make([]byte, 6)
	for _, word := range []string{"first", "second"} {
		if _, err := io.ReadFull(resp.Body, buf[:len(word)]); err != nil || string(buf[:len(word)]) != word {
			t.Fatalf("%q, %v", buf, err)
		}
		if word == "first" {
			c.say("6\r\nsecond\r\n")
		}
	}
	c.say("0\r\n\r\n")
	if rest, err := io.ReadAll(resp.Body); err != nil || len(rest) > 0 {
		t.Errorf("the end: %q, %v", rest, err)
	}
}

// Large bodies pass whole, and the process holds little of them.
func TestLargeBodiesInBoundedMemory(t *testing.T) {
	const size = 32 << 20
	sum := func(r io.Reader) string {
		h := sha256.New()
		n, _ := io.Copy(h, r)
		return fmt.Sprintf("%d %x", n, h.Sum(nil))
	}
	addr := through(t, func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("X-Got", sum(r.Body))
		w.Header().Set("Content-Length", fmt.Sprint(size))
		_, _ = io.Copy(w, io.LimitReader(&pattern{}, size))
	})
	want := sum(io.LimitReader(&pattern{}, size))
	var peak atomic.Uint64
	watched := func(r io.Reader) io.Reader {
		reads := 0
		return readerFunc(func(p []byte) (int, error) {
			if reads++; reads%256 == 0 {
				runtime.GC() // garbage, of other tests too, is not held
				var m runtime.MemStats
				runtime.ReadMemStats(&m)
				peak.Store(max(peak.Load(), m.HeapAlloc))
			}
			return r.Read(p)
		})
	}
	for name, length := range map[string]int64{"declared": size, "chunked": -1} {
		req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, "http://"+addr+"/", watched(io.LimitReader(&pattern{}, size)))
		if err != nil {
			t.Fatal(err)
		}
		req.Host, req.ContentLength = "orders", length
		transport := &http.Transport{}
		resp, err := transport.RoundTrip(req)
		if err != nil {
			t.Fatal(name, err)
		}
		if got := sum(watched(resp.Body)); resp.Header.Get("X-Got") != want || got != want || resp.ContentLength != size {
			t.Errorf("%s: up %s, down %s; want %s", name, resp.Header.Get("X-Got"), got, want)
		}
		_ = resp.Body.Close()
		transport.CloseIdleConnections()
	}
	if p := peak.Load(); p > 16<<20 {
		t.Errorf("%d MiB were held of %d", p>>20, size>>20)
	}
}

type readerFunc func([]byte) (int, error)

func (f readerFunc) Read(p []byte) (int, error) { return f(p) }

// pattern is endless bytes that do not repeat soon.
type pattern struct{ at uint32 }

func (p *pattern) Read(b []byte) (int, error) {
	for i := range b {
		p.at = p.at*1664525 + 1013904223
		b[i] = byte(p.at >> 24)
	}
	return len(b), nil
}

// Who does not read stops who sends, far short of the end.
func TestASlowReaderStopsTheSender(t *testing.T) {
	const size = 64 << 20
	stopped := make(chan int, 1)
	addr := through(t, func(w http.ResponseWriter, _ *http.Request) {
		buf, sent := make([]byte, 64<<10), 0
		for sent < size {
			_ = http.NewResponseController(w).SetWriteDeadline(time.Now().Add(300 * time.Millisecond))
			if _, err := w.Write(buf); err != nil {
				break
			}
			sent += len(buf)
		}
		stopped <- sent
	})
	c := dial(t, addr)
	c.say("GET / HTTP/1.1\r\nHost: orders\r\n\r\n")
	if sent := <-stopped; sent == 0 || sent >= size/2 {
		t.Errorf("%d of %d bytes were sent to a reader that reads none", sent, size)
	}
}

func TestTrailersOfAnAnswer(t *testing.T) {
	addr := through(t, func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Trailer", "X-Sum")
		_, _ = io.WriteString(w, "abc")
		w.Header().Set("X-Sum", "42")
		w.Header().Set(http.TrailerPrefix+"X-Late", "unannounced")
	})
	c := dial(t, addr)
	c.say("GET / HTTP/1.1\r\nHost: orders\r\nTE: trailers\r\n\r\n")
	resp, body := c.answer(http.MethodGet)
	if body != "abc" || resp.Trailer.Get("X-Sum") != "42" || resp.Trailer.Get("X-Late") != "unannounced" {
		t.Errorf("%q, %v", body, resp.Trailer)
	}
}

func TestTrailersOfARequest(t *testing.T) {
	w := newWitness(t)
	onWire, _ := serve(t, plain.Config{Caller: meshTo(t, w.addr)})
	c := dial(t, onWire)
	c.say("POST / HTTP/1.1\r\nHost: orders\r\nTransfer-Encoding: chunked\r\nTrailer: X-Sum, X-Missing\r\n\r\n3\r\nabc\r\n0\r\nX-Sum: 42\r\nX-Unannounced: 1\r\n\r\n")
	c.answer(http.MethodPost)
	if got := w.requests(); len(got) != 1 || got[0] != "POST / HTTP/1.1|Transfer-Encoding: chunked|Trailer: X-Missing,X-Sum||3\r\nabc\r\n0\r\nX-Sum: 42\r\n\r\n" {
		t.Errorf("the instance got %q", got)
	}
	for name, caller := range map[string]lift.CallerFunc{
		"to the Caller": func(c *lift.Call) (*lift.Response, error) {
			body, err := c.Body.ReadAll(0)
			text := fmt.Sprintf("%s announced %s got %s %v", body, lift.Get(c.Header, "Trailer"), lift.Get(c.Body.Trailer(), "X-Sum"), err)
			return &lift.Response{Status: 200, Body: lift.BytesBody([]byte(text))}, nil
		},
	} {
		t.Run(name, func(t *testing.T) {
			addr, _ := serve(t, plain.Config{Caller: caller})
			c := dial(t, addr)
			c.say("POST / HTTP/1.1\r\nHost: orders\r\nTransfer-Encoding: chunked\r\nTrailer: X-Sum\r\n\r\n3\r\nabc\r\n0\r\nX-Sum: 42\r\nX-Unannounced: 1\r\n\r\n")
			if _, body := c.answer(http.MethodPost); body != "abc announced X-Sum got 42 <nil>" {
				t.Error(body)
			}
		})
	}
}

func TestHundredContinue(t *testing.T) {
	addr := through(t, func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/no" {
			w.WriteHeader(http.StatusForbidden)
			return
		}
		body, _ := io.ReadAll(r.Body)
		_, _ = w.Write(body)
	})
	c := dial(t, addr)
	c.say("PUT /yes HTTP/1.1\r\nHost: orders\r\nExpect: 100-continue\r\nContent-Length: 3\r\n\r\n")
	if resp, err := http.ReadResponse(c.r, nil); err != nil || resp.StatusCode != 100 {
		t.Fatal(resp, err)
	}
	c.say("abc")
	if resp, body := c.answer(http.MethodPut); resp.StatusCode != 200 || body != "abc" {
		t.Errorf("%d %q", resp.StatusCode, body)
	}
	// Where Lift itself refuses, nobody is asked to send.
	c = dial(t, addr)
	c.say("PUT / HTTP/1.1\r\nHost: nobody\r\nExpect: 100-continue\r\nContent-Length: 3\r\n\r\n")
	if resp, body := c.answer(http.MethodPut); resp.StatusCode != 404 || errorOf(t, resp, body).Error.Code != "unknown_service" {
		t.Errorf("%d %q", resp.StatusCode, body)
	}
	if rest, ok := c.ends(); !ok || rest != "" {
		t.Errorf("goes on (%v): %q", !ok, rest)
	}
}

func TestHeadAndBodyless(t *testing.T) {
	addr := through(t, func(w http.ResponseWriter, r *http.Request) {
		switch r.URL.Path {
		case "/204":
			w.WriteHeader(http.StatusNoContent)
		case "/304":
			w.Header().Set("Etag", `"x"`)
			w.WriteHeader(http.StatusNotModified)
		default:
			w.Header().Set("Content-Length", "12345")
			if r.Method != http.MethodHead {
				_, _ = io.WriteString(w, strings.Repeat("a", 12345))
			}
		}
	})
	c := dial(t, addr)
	for _, tt := range []struct {
		method, path string
		status       int
		length       int64
		body         int
	}{{"HEAD", "/", 200, 12345, 0}, {"GET", "/204", 204, 0, 0}, {"GET", "/304", 304, 0, 0}, {"GET", "/", 200, 12345, 12345}, {"HEAD", "/", 200, 12345, 0}} {
		c.say(tt.method + " " + tt.path + " HTTP/1.1\r\nHost: orders\r\n\r\n")
		resp, body := c.answer(tt.method)
		if resp.StatusCode != tt.status || len(body) != tt.body || resp.ContentLength != tt.length {
			t.Errorf("%s %s: %d, length %d, %d bytes", tt.method, tt.path, resp.StatusCode, resp.ContentLength, len(body))
		}
	}
}

// An answer that comes before the request has ended reaches its caller, who is
// then hung up on.
func TestEarlyAnswer(t *testing.T) {
	addr := through(t, func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Connection", "close")
		http.Error(w, "not that", http.StatusForbidden)
	})
	c := dial(t, addr)
	c.say("POST / HTTP/1.1\r\nHost: orders\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nfirst\r\n") // and no end
	resp, body := c.answer(http.MethodPost)
	if resp.StatusCode != 403 || body != "not that\n" || !resp.Close {
		t.Errorf("%d %q, close %v", resp.StatusCode, body, resp.Close)
	}
	if rest, ok := c.ends(); !ok || rest != "" {
		t.Errorf("goes on (%v): %q", !ok, rest)
	}
}

// An answer goes as it came: nothing is added, Lift's own mark is taken out.
func TestAnswerIsUntouched(t *testing.T) {
	addr, _ := serve(t, plain.Config{Caller: lift.CallerFunc(func(*lift.Call) (*lift.Response, error) {
		return &lift.Response{Status: 418, Body: lift.BytesBody([]byte("<html>")), Header: []lift.Field{
			{Name: "x-a", Value: "1"}, {Name: "X-A", Value: "2"}, {Name: "Lift-Error", Value: "forged"}, {Name: "Connection", Value: "X-Hop"},
			{Name: "X-Hop", Value: "1"}, {Name: "Content-Length", Value: "77"}, {Name: "Transfer-Encoding", Value: "gzip"},
		}}, nil
	})})
	c := dial(t, addr)
	c.say("GET / HTTP/1.1\r\nHost: orders\r\n\r\n")
	resp, body := c.answer(http.MethodGet)
	if got := fmt.Sprint(resp.StatusCode, resp.Header, body); got != "418 map[Content-Length:[6] X-A:[1 2]]<html>" {
		t.Error(got)
	}
}

// A body that breaks off is broken off, never ended as if it were whole.
func TestHalfAnAnswerIsNoAnswer(t *testing.T) {
	addr, _ := serve(t, plain.Config{Caller: lift.CallerFunc(func(*lift.Call) (*lift.Response, error) {
		r, w := io.Pipe()
		go func() {
			_, _ = io.WriteString(w, "half")
			_ = w.CloseWithError(errors.New("broken"))
		}()
		return &lift.Response{Status: 200, Body: lift.StreamBody(r, -1, 0)}, nil
	})})
	c := dial(t, addr)
	c.say("GET / HTTP/1.1\r\nHost: orders\r\n\r\n")
	resp, err := http.ReadResponse(c.r, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	if body, err := io.ReadAll(resp.Body); !errors.Is(err, io.ErrUnexpectedEOF) {
		t.Errorf("%q, %v", body, err)
	}
}

func TestCallerWhoGoesAwayCancels(t *testing.T) {
	for name, request := range map[string]string{
		"before an answer": "GET / HTTP/1.1\r\nHost: orders\r\n\r\n",
		"after its body":   "POST / HTTP/1.1\r\nHost: orders\r\nContent-Length: 3\r\n\r\nabc",
	} {
		t.Run(name, func(t *testing.T) {
			arrived, gone := make(chan struct{}), make(chan error, 1)
			addr, _ := serve(t, plain.Config{Caller: lift.CallerFunc(func(c *lift.Call) (*lift.Response, error) {
				close(arrived)
				<-c.Done()
				gone <- c.Err()
				return nil, lift.Errorf(c, lift.CallCanceled, "%w", c.Err())
			})})
			c := dial(t, addr)
			c.say(request)
			<-arrived
			_ = c.Close()
			select {
			case err := <-gone:
				if !errors.Is(err, plain.ErrCallerVanished) {
					t.Error(err)
				}
			case <-time.After(patience):
				t.Error("the call goes on")
			}
		})
	}
	t.Run("within an answer", func(t *testing.T) {
		ended := make(chan struct{})
		addr := through(t, func(w http.ResponseWriter, r *http.Request) {
			_, _ = io.WriteString(w, "begun")
			_ = http.NewResponseController(w).Flush()
			<-r.Context().Done()
			close(ended)
		})
		c := dial(t, addr)
		c.say("GET / HTTP/1.1\r\nHost: orders\r\n\r\n")
		if _, err := c.r.Peek(10); err != nil {
			t.Fatal(err)
		}
		_ = c.Close()
		select {
		case <-ended:
		case <-time.After(patience):
			t.Error("the instance goes on")
		}
	})
}

// A short body of known length is sent again elsewhere where that does no harm.
func TestShortBodiesAreRetried(t *testing.T) {
	var first atomic.Bool
	instance := func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		if first.CompareAndSwap(false, true) {
			w.WriteHeader(http.StatusServiceUnavailable)
			return
		}
		_, _ = w.Write(body)
	}
	a, b := httptest.NewServer(http.HandlerFunc(instance)), httptest.NewServer(http.HandlerFunc(instance))
	defer a.Close()
	defer b.Close()
	addr, _ := serve(t, plain.Config{Caller: meshTo(t, a.Listener.Addr().String(), b.Listener.Addr().String())})
	for _, fields := range []string{"Content-Length: 3\r\n", "Transfer-Encoding: chunked\r\n"} {
		first.Store(false)
		body := "abc"
		if strings.HasPrefix(fields, "T") {
			body = "3\r\nabc\r\n0\r\n\r\n"
		}
		c := dial(t, addr)
		c.say("POST / HTTP/1.1\r\nHost: orders\r\nLift-Idempotent: true\r\n" + fields + "\r\n" + body)
		if resp, body := c.answer(http.MethodPost); resp.StatusCode != 200 || body != "abc" || !first.Load() {
			t.Errorf("%s: %d %q", fields, resp.StatusCode, body)
		}
	}
}

// Who stops reading holds what is his no longer than the call's time.
func TestAStalledReaderEndsWithItsDeadline(t *testing.T) {
	ended := make(chan struct{})
	upstream := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		defer close(ended)
		for buf := make([]byte, 64<<10); ; {
			if _, err := w.Write(buf); err != nil {
				return
			}
		}
	}))
	defer upstream.Close()
	addr, s := serve(t, plain.Config{Caller: meshTo(t, upstream.Listener.Addr().String())})
	c := dial(t, addr)
	c.say("GET / HTTP/1.1\r\nHost: orders\r\nLift-Timeout: 200ms\r\n\r\n")
	for _, what := range []struct {
		name string
		done func() <-chan struct{}
	}{{"the instance", func() <-chan struct{} { return ended }}, {"the door", func() <-chan struct{} { return drained(s) }}} {
		select {
		case <-what.done():
		case <-time.After(patience):
			t.Fatalf("%s goes on", what.name)
		}
	}
}

func drained(s *plain.Server) <-chan struct{} {
	done := make(chan struct{})
	go func() {
		_ = s.Drain(context.Background()) // returns once nothing runs
		close(done)
	}()
	return done
}

// Calls that end in every way leave nothing behind.
func TestNothingIsLeftRunning(t *testing.T) {
	before := runtime.NumGoroutine()
	t.Run("calls", func(t *testing.T) {
		addr := through(t, func(w http.ResponseWriter, r *http.Request) {
			if r.URL.Path == "/early" {
				return
			}
			_, _ = io.Copy(w, r.Body)
		})
		for range 5 {
			for _, said := range []string{
				"GET / HTTP/1.1\r\nHost: orders\r\n\r\n",
				"POST / HTTP/1.1\r\nHost: orders\r\nContent-Length: 3\r\n\r\nab",
				"POST / HTTP/1.1\r\nHost: orders\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n",
				"POST / HTTP/1.1\r\nHost: orders\r\nTransfer-Encoding: chunked\r\n\r\nx\r\n",
				"POST /early HTTP/1.1\r\nHost: orders\r\nContent-Length: 999999\r\n\r\nabc",
				"POST / HTTP/1.1\r\nHost: nobody\r\nContent-Length: 999999\r\n\r\nabc",
				"GET /",
			} {
				c := dial(t, addr)
				c.say(said)
				_ = c.Close()
			}
		}
	})
	http.DefaultTransport.(*http.Transport).CloseIdleConnections()
	for end := time.Now().Add(patience); runtime.NumGoroutine() > before; runtime.Gosched() {
		if time.Now().After(end) {
			buf := make([]byte, 1<<20)
			t.Fatalf("%d goroutines, %d before\n%s", runtime.NumGoroutine(), before, buf[:runtime.Stack(buf, true)])
		}
	}
}
