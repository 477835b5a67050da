package plain_test

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"golang.org/x/net/http2"

	"github.com/liftmesh/lift"
	"github.com/liftmesh/lift/sidecar/plain"
)

func dialer(addr string) func(context.Context, string, string) (net.Conn, error) {
	return func(ctx context.Context, _, _ string) (net.Conn, error) {
		var d net.Dialer
		if filepath.IsAbs(addr) {
			return d.DialContext(ctx, "unix", addr)
		}
		return d.DialContext(ctx, "tcp", addr)
	}
}

// Whom a request calls by HTTP/2, on both kinds of sockets.
func TestWhoIsCalledByHTTP2(t *testing.T) {
	path := filepath.Join(t.TempDir(), "plain.sock")
	addr, _ := serve(t, plain.Config{Caller: lift.CallerFunc(tell)})
	unix, _ := serve(t, plain.Config{Caller: lift.CallerFunc(tell), Addresses: []plain.Address{{Network: "unix", Addr: path}}})
	own, _ := serve(t, plain.Config{Caller: lift.CallerFunc(tell), Addresses: []plain.Address{{Network: "tcp", Addr: "127.0.0.1:0", Service: "orders"}}})
	for _, tt := range []struct {
		name, addr, url string
		fields          []string
		status          int
		says            string
	}{
		{"authority", addr, "http://orders/a?b=%2F", nil, 200, `orders GET /a?b=%2F timeout=0s idempotent=0 tenant=""`},
		{"authority and port", addr, "http://Orders:80/", nil, 200, "orders GET / "},
		{"by a unix socket", unix, "http://orders/", nil, 200, "orders GET / "},
		{"field before authority", addr, "http://payments/", []string{"Lift-Service: orders"}, 200, "orders GET / "},
		{"own address", own, "http://127.0.0.1/", nil, 200, "orders GET / "},
		{"own address, another by field", own, "http://x/", []string{"Lift-Service: payments"}, 400, "that of \\\"orders\\\" alone"},
		{"all wishes", addr, "http://orders/", []string{"Lift-Timeout: 250ms", "Lift-Idempotent: true", "Lift-Tenant: acme"}, 200, `timeout=250ms idempotent=1 tenant="acme"`},
		{"unknown wish", addr, "http://orders/", []string{"Lift-Timout: 1s"}, 400, "it is none that Lift knows"},
		{"Lift itself", addr, "http://127.0.0.1/", nil, 200, `"software":"lift"`},
		{"Lift's health", addr, "http://localhost/healthz", nil, 200, `{"status":"ok"}`},
	} {
		t.Run(tt.name, func(t *testing.T) {
			resp, body := ask2(t, http2Client(t, tt.addr), http.MethodGet, tt.url, "", tt.fields...)
			if resp.ProtoMajor != 2 || resp.StatusCode != tt.status || !strings.Contains(body, tt.says) {
				t.Errorf("%s %d %s, want %d %s", resp.Proto, resp.StatusCode, body, tt.status, tt.says)
			}
			if tt.status != 200 {
				errorOf(t, resp, body)
			}
		})
	}
}

// What both protocols of the caller ask of one that an instance speaks.
func TestHTTP2ToAnInstance(t *testing.T) {
	addr := through(t, func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		w.Header().Set("X-Got", fmt.Sprintf("%s %s %d %s %v %v", r.Method, r.URL, r.ContentLength, body, r.Header["Cookie"], r.Trailer))
		switch r.URL.Path {
		case "/204":
			w.WriteHeader(http.StatusNoContent)
			return
		case "/304":
			w.WriteHeader(http.StatusNotModified)
			return
		}
		w.Header().Set("Trailer", "X-Sum")
		if r.Method == http.MethodHead {
			w.Header().Set("Content-Length", "12345")
		}
		_, _ = w.Write(body)
		w.Header().Set("X-Sum", "42")
	})
	client := http2Client(t, addr)
	for _, tt := range []struct{ method, path, body, got string }{
		{"GET", "/", "", "GET / 0  [] map[]"},
		{"POST", "/", "abc", "POST / 3 abc [] map[]"},
		{"HEAD", "/", "", "HEAD / 0  [] map[]"},
		{"GET", "/204", "", "GET /204 0  [] map[]"},
		{"GET", "/304", "", "GET /304 0  [] map[]"},
		{"DELETE", "/a?b", "", "DELETE /a?b 0  [] map[]"},
	} {
		resp, body := ask2(t, client, tt.method, "http://orders"+tt.path, tt.body)
		if resp.Header.Get("X-Got") != tt.got || body != tt.body {
			t.Errorf("%s %s: %q %q", tt.method, tt.path, resp.Header.Get("X-Got"), body)
		}
		if tt.method == "HEAD" && resp.ContentLength != 12345 {
			t.Errorf("HEAD: length %d", resp.ContentLength)
		}
		if tt.method == "POST" && resp.Trailer.Get("X-Sum") != "42" {
			t.Errorf("trailers of the answer: %v", resp.Trailer)
		}
	}
	// Trailers of a request that are announced, and an unknown length.
	r, w := io.Pipe()
	req, _ := http.NewRequestWithContext(t.Context(), http.MethodPost, "http://orders/up", r)
	req.Trailer = http.Header{"X-End": nil}
	go func() {
		_, _ = io.WriteString(w, "abc")
		req.Trailer.Set("X-End", "1")
		_ = w.Close()
	}()
	resp, err := client.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	_ = resp.Body.Close()
	if got := resp.Header.Get("X-Got"); got != "POST /up -1 abc [] map[X-End:[1]]" {
		t.Error(got)
	}
}

// Large bodies pass whole both ways at once, and the process holds little of them.
func TestLargeBodiesByHTTP2InBoundedMemory(t *testing.T) {
	const size = 24 << 20
	sum := func(r io.Reader) string {
		h := sha256.New()
		n, _ := io.Copy(h, r)
		return fmt.Sprintf("%d %x", n, h.Sum(nil))
	}
	addr := through(t, func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("X-Got", sum(r.Body))
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
	client := http2Client(t, addr)
	runtime.GC() // else what earlier tests left counts, and how much may be allocated until the next
	for name, length := range map[string]int64{"declared": size, "of unknown length": -1} {
		req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, "http://orders/", watched(io.LimitReader(&pattern{}, size)))
		if err != nil {
			t.Fatal(err)
		}
		req.ContentLength = length
		resp, err := client.Do(req)
		if err != nil {
			t.Fatal(name, err)
		}
		if got := sum(watched(resp.Body)); resp.Header.Get("X-Got") != want || got != want {
			t.Errorf("%s: up %s, down %s; want %s", name, resp.Header.Get("X-Got"), got, want)
		}
		_ = resp.Body.Close()
	}
	if p := peak.Load(); p > 16<<20 {
		t.Errorf("%d MiB were held of %d", p>>20, size>>20)
	}
}

// Requests whose bodies nobody reads stall no other on their connection, however
// many there are, and hold no more than their windows.
func TestUnreadUploadsStallNobody(t *testing.T) {
	release := make(chan struct{})
	addr, _ := serve(t, plain.Config{Caller: lift.CallerFunc(func(c *lift.Call) (*lift.Response, error) {
		if c.Path == "/stalled" {
			select {
			case <-release:
			case <-c.Done():
			}
			return nil, lift.Errorf(c, lift.CallCanceled, "released")
		}
		content, err := c.Body.ReadAll(0)
		if err != nil {
			return nil, err
		}
		return &lift.Response{Status: 200, Body: lift.BytesBody(fmt.Append(nil, len(content)))}, nil
	})})
	defer close(release)
	f := frames(t, addr)
	streams, window := f.settings[http2.SettingMaxConcurrentStreams], f.settings[http2.SettingInitialWindowSize]
	if streams < 100 || window != 64<<10 {
		t.Fatalf("%d streams of %d bytes", streams, window)
	}
	chunk := make([]byte, 16<<10)
	fill := func(stream uint32) {
		for range window / uint32(len(chunk)) {
			f.must(f.WriteData(stream, false, chunk))
		}
	}
	id := uint32(1)
	for range streams - 1 {
		f.ask(id, false, asks("POST", "/stalled")...)
		fill(id)
		id += 2
	}
	f.ask(id, false, asks("POST", "/read")...)
	fill(id)
	f.must(f.WriteData(id, true, nil))
	if r := f.replyTo(id); r.status != "200" || r.body != "65536" {
		t.Errorf("beside %d that stall: %v", streams-1, r)
	}
	// One more byte for one that stalls breaks that one alone.
	f.must(f.WriteData(1, false, []byte("x")))
	if r := f.replyTo(1); r.reset == nil || *r.reset != http2.ErrCodeFlowControl {
		t.Errorf("past its window: %v", r)
	}
	f.works(id + 2)
}

// An answer that is not read stalls no other on its connection, and its sender.
func TestUnreadAnswersStallNobody(t *testing.T) {
	const size = 64 << 20
	stopped := make(chan int, 1)
	addr := through(t, func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path != "/large" {
			return
		}
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
	// The connection's window is large enough; that of each stream is not.
	f := frames(t, addr, http2.Setting{ID: http2.SettingInitialWindowSize, Val: 1024})
	f.ask(1, true, asks("GET", "/large")...)
	for id := uint32(3); id < 23; id += 2 {
		f.works(id)
	}
	if sent := <-stopped; sent == 0 || sent >= size/2 {
		t.Errorf("%d of %d bytes were sent to a reader that reads none", sent, size)
	}
	f.works(23)
}

// An answer before the request's end is an answer, and the rest is not wanted.
func TestEarlyAnswerByHTTP2(t *testing.T) {
	addr := through(t, func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Connection", "close")
		http.Error(w, "not that", http.StatusForbidden)
	})
	f := frames(t, addr)
	f.ask(1, false, asks("POST", "/")...)
	f.must(f.WriteData(1, false, []byte("first"))) // and no end
	if r := f.replyTo(1); r.status != "403" || r.body != "not that\n" {
		t.Errorf("%v", r)
	}
	if fr, ok := f.next().(*http2.RSTStreamFrame); !ok || fr.ErrCode != http2.ErrCodeNo {
		t.Errorf("the rest of the request: %v", fr)
	}
	f.ask(3, false, asks("POST", "/", "lift-timeout", "never")...)
	if r := f.replyTo(3); r.status != "400" || !strings.Contains(r.body, "no duration") {
		t.Errorf("%v", r)
	}
}

// To end what one sends is not to go away, and both ways flow at once.
func TestHalfCloseByHTTP2(t *testing.T) {
	ended := make(chan struct{})
	addr := through(t, func(w http.ResponseWriter, r *http.Request) {
		rc := http.NewResponseController(w)
		_ = rc.EnableFullDuplex()
		buf := make([]byte, 16)
		for {
			n, err := r.Body.Read(buf)
			_, _ = w.Write(buf[:n])
			_ = rc.Flush()
			if err != nil {
				break
			}
		}
		<-ended
		_, _ = io.WriteString(w, "late")
	})
	f := frames(t, addr)
	f.ask(1, false, asks("POST", "/")...)
	body := func() string {
		for {
			if d, ok := f.next().(*http2.DataFrame); ok {
				return string(d.Data())
			}
		}
	}
	for _, word := range []string{"first", "second"} {
		f.must(f.WriteData(1, false, []byte(word)))
		if got := body(); got != word {
			t.Errorf("%q", got)
		}
	}
	f.must(f.WriteData(1, true, nil))
	close(ended)
	if r := f.replyTo(1); !strings.Contains(r.body, "late") || r.reset != nil {
		t.Errorf("%v", r)
	}
}

func TestResetCancels(t *testing.T) {
	arrived, gone := make(chan struct{}), make(chan error, 1)
	addr, _ := serve(t, plain.Config{Caller: lift.CallerFunc(func(c *lift.Call) (*lift.Response, error) {
		if c.Path != "/" {
			return tell(c)
		}
		close(arrived)
		<-c.Done()
		gone <- c.Err()
		return nil, lift.Errorf(c, lift.CallCanceled, "%w", c.Err())
	})})
	f := frames(t, addr)
	f.ask(1, true, asks("GET", "/")...)
	within(t, "the call", arrived)
	f.must(f.WriteRSTStream(1, http2.ErrCodeCancel))
	if err := <-gone; !errors.Is(err, plain.ErrCallerVanished) {
		t.Error(err)
	}
	f.works(3)
}

// A drain says GOAWAY at its start, lets what runs come to its end, and looks at
// nothing that is sent after it.
func TestDrainByHTTP2(t *testing.T) {
	arrived, release := make(chan struct{}), make(chan struct{})
	addr, s := serve(t, plain.Config{Caller: lift.CallerFunc(func(c *lift.Call) (*lift.Response, error) {
		if c.Path == "/slow" {
			close(arrived)
			<-release
		}
		return tell(c)
	})})
	f, idle := frames(t, addr), frames(t, addr)
	f.ask(1, true, asks("GET", "/slow")...)
	within(t, "the call", arrived)
	idle.works(1)
	drained := make(chan error, 1)
	go func() { drained <- s.Drain(context.Background()) }()
	for _, c := range []*framed{f, idle} {
		for {
			if g, ok := c.next().(*http2.GoAwayFrame); ok {
				if g.ErrCode != http2.ErrCodeNo || g.LastStreamID != 1 {
					t.Errorf("GOAWAY says %v, last %d", g.ErrCode, g.LastStreamID)
				}
				break
			}
		}
	}
	f.ask(3, true, asks("GET", "/slow")...) // would close arrived twice
	close(release)
	if r := f.replyTo(1); r.status != "200" {
		t.Errorf("what ran: %v", r)
	}
	if err := <-drained; err != nil {
		t.Error(err)
	}
}

func TestDrainCutsByHTTP2(t *testing.T) {
	arrived := make(chan struct{})
	addr, s := serve(t, plain.Config{Caller: lift.CallerFunc(func(c *lift.Call) (*lift.Response, error) {
		close(arrived)
		<-c.Done()
		return nil, lift.Errorf(c, lift.CallCanceled, "%w", c.Err())
	})})
	f := frames(t, addr)
	f.ask(1, true, asks("GET", "/")...)
	within(t, "the call", arrived)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := s.Drain(ctx); !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
	if r := f.replyTo(1); r.status != "503" || r.header.Get("Lift-Error") != "draining" {
		t.Errorf("what ran: %v", r)
	}
}

func TestLimitsByHTTP2(t *testing.T) {
	var work sync.WaitGroup
	release := make(chan struct{})
	addr, _ := serve(t, plain.Config{
		Limits: plain.Limits{MaxPeers: 2, MaxCalls: 3, MaxHeader: 4096},
		Caller: lift.CallerFunc(func(c *lift.Call) (*lift.Response, error) {
			if c.Path == "/hold" {
				work.Done()
				<-release
			}
			return tell(c)
		}),
	})
	defer close(release)
	a, b := frames(t, addr), frames(t, addr)
	work.Add(3)
	a.ask(1, true, asks("GET", "/hold")...)
	a.ask(3, true, asks("GET", "/hold")...)
	b.ask(1, true, asks("GET", "/hold")...)
	work.Wait()
	b.ask(3, true, asks("GET", "/")...)
	if r := b.replyTo(3); r.status != "503" || r.header.Get("Lift-Error") != "busy" || !strings.Contains(r.body, "limit of 3 calls") || !strings.Contains(r.body, "limits.calls") {
		t.Errorf("the fourth call: %v", r)
	}
	third := frames(t, addr)
	third.ask(1, true, asks("GET", "/")...)
	if r := third.replyTo(1); r.status != "503" || !strings.Contains(r.body, "limit of 2 connections") {
		t.Errorf("on the third connection: %v", r)
	}
}

func TestHeaderLimitByHTTP2(t *testing.T) {
	addr, _ := serve(t, plain.Config{Caller: lift.CallerFunc(tell), Limits: plain.Limits{MaxHeader: 4096}})
	f := frames(t, addr)
	f.ask(1, true, asks("GET", "/", "x-a", strings.Repeat("a", 5000))...)
	if r := f.replyTo(1); r.status != "431" || r.header.Get("Lift-Error") != "too_large" || !strings.Contains(r.body, "the limit is 4096") {
		t.Errorf("a field of 5,000 bytes: %v", r)
	}
	many := asks("GET", "/")
	for range 150 {
		many = append(many, "x-a", "a")
	}
	f.ask(3, true, many...)
	if r := f.replyTo(3); r.status != "431" {
		t.Errorf("150 fields: %v", r)
	}
	f.works(5)
	f.ask(7, true, asks("GET", "/", "x-a", strings.Repeat("a", 20_000))...)
	if r := f.replyTo(7); r.gone == nil {
		t.Errorf("a field of 20,000 bytes: %v", r)
	}
}

// One connection's limit of streams is its own.
func TestStreamsBeyondTheLimit(t *testing.T) {
	release := make(chan struct{})
	addr, _ := serve(t, plain.Config{Caller: lift.CallerFunc(func(c *lift.Call) (*lift.Response, error) {
		if c.Path == "/hold" {
			select {
			case <-release:
			case <-c.Done():
			}
		}
		return tell(c)
	})})
	f, other := frames(t, addr), frames(t, addr)
	id := uint32(1)
	for range f.settings[http2.SettingMaxConcurrentStreams] {
		f.ask(id, true, asks("GET", "/hold")...)
		id += 2
	}
	f.ask(id, true, asks("GET", "/")...)
	if r := f.replyTo(id); r.reset == nil || *r.reset != http2.ErrCodeProtocol && *r.reset != http2.ErrCodeRefusedStream {
		t.Errorf("one more: %v", r)
	}
	other.works(1)
	close(release)
	if r := f.replyTo(1); r.status != "200" {
		t.Errorf("the first: %v", r)
	}
}
