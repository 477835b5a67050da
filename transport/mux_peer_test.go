package transport_test

import (
	"bufio"
	"bytes"
	"context"
	"crypto/tls"
	"io"
	"net"
	"net/http"
	"sync"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"golang.org/x/net/http2"
	"golang.org/x/net/http2/hpack"

	"github.com/liftmesh/lift"
	"github.com/liftmesh/lift/internal/certtest"
	"github.com/liftmesh/lift/transport"
)

// h2peer is the endpoint's end of one HTTP/2 connection: it says how to answer a
// call whose request is complete. nil answers "hello".
type h2peer func(c *h2conn, stream uint32)

// h2upstream is an endpoint that speaks HTTP/2, frame by frame, on pipes.
type h2upstream struct {
	mu       sync.Mutex
	refusing bool
	mute     bool   // new connections say nothing of HTTP/2
	raw      string // but this
	slowDial time.Duration
	cutting  *h2conn // hangs up on whatever comes
	settings []http2.Setting
	tls      *tls.Config
	answer   h2peer
	conns    []*h2conn
	calls    int
	wg       sync.WaitGroup
}

// h2conn is a connection as the endpoint sees it.
type h2conn struct {
	net.Conn
	up   *h2upstream
	over chan struct{} // closed when nothing more is read
	mu   sync.Mutex    // of writing
	fr   *http2.Framer
	buf  bytes.Buffer
	enc  *hpack.Encoder

	state   sync.Mutex
	deaf    bool // reads and says nothing any more
	headers map[uint32][]hpack.HeaderField
	bodies  map[uint32]*bytes.Buffer
	resets  map[uint32]http2.ErrCode
	pings   int
	opened  int64  // by what the caller's side opened the connection's window again
	window  uint32 // of each stream, the caller's side says
	asleep  chan struct{}
}

func (u *h2upstream) dial(ctx context.Context, _, _ string) (net.Conn, error) {
	u.mu.Lock()
	slow := u.slowDial
	u.mu.Unlock()
	time.Sleep(slow)
	u.mu.Lock()
	defer u.mu.Unlock()
	if u.refusing {
		return nil, &net.OpError{Op: "dial", Net: "tcp", Err: syscall.ECONNREFUSED}
	}
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	ours, theirs := net.Pipe()
	if u.tls != nil {
		ours, theirs = newLine()
		theirs = tls.Server(theirs, u.tls)
	}
	_ = u.accept(theirs)
	return ours, nil
}

// accept serves a connection. u.mu is held.
func (u *h2upstream) accept(theirs net.Conn) *h2conn {
	c := &h2conn{
		Conn: theirs, up: u, over: make(chan struct{}), fr: http2.NewFramer(theirs, theirs),
		headers: map[uint32][]hpack.HeaderField{}, bodies: map[uint32]*bytes.Buffer{}, resets: map[uint32]http2.ErrCode{},
	}
	c.enc = hpack.NewEncoder(&c.buf)
	c.fr.ReadMetaHeaders = hpack.NewDecoder(4096, nil)
	u.conns = append(u.conns, c)
	mute, raw, settings := u.mute, u.raw, u.settings
	u.wg.Go(func() {
		defer close(c.over)
		defer theirs.Close()
		if mute {
			u.wg.Go(func() { _, _ = io.WriteString(theirs, raw) })
			_, _ = io.Copy(io.Discard, theirs)
			return
		}
		if s, ok := theirs.(*tls.Conn); ok && (s.Handshake() != nil || s.ConnectionState().NegotiatedProtocol == "http/1.1") {
			c.http1()
			return
		}
		preface := make([]byte, len(http2.ClientPreface))
		if _, err := io.ReadFull(theirs, preface); err != nil || string(preface) != http2.ClientPreface {
			return
		}
		u.wg.Go(func() { c.write(func() error { return c.fr.WriteSettings(settings...) }) })
		c.serve()
	})
	return c
}

// http1 answers in HTTP/1.1.
func (c *h2conn) http1() {
	r := bufio.NewReader(c)
	for {
		req, err := http.ReadRequest(r)
		if err != nil {
			return
		}
		_, _ = io.Copy(io.Discard, req.Body)
		_, _ = io.WriteString(c, okAnswer)
	}
}

// serve reads frames until the end.
func (c *h2conn) serve() {
	for {
		f, err := c.fr.ReadFrame()
		if err != nil {
			return
		}
		c.state.Lock()
		deaf, asleep := c.deaf, c.asleep
		c.state.Unlock()
		if asleep != nil {
			<-asleep
		}
		if deaf {
			continue
		}
		switch f := f.(type) {
		case *http2.SettingsFrame:
			if !f.IsAck() {
				c.state.Lock()
				c.window, _ = f.Value(http2.SettingInitialWindowSize)
				c.state.Unlock()
				c.later(func() error { return c.fr.WriteSettingsAck() })
			}
		case *http2.PingFrame:
			if c.isCutting() {
				return
			}
			if !f.IsAck() {
				c.state.Lock()
				c.pings++
				c.state.Unlock()
				data := f.Data
				c.later(func() error { return c.fr.WritePing(true, data) })
			}
		case *http2.MetaHeadersFrame:
			c.state.Lock()
			first := c.headers[f.StreamID] == nil
			c.headers[f.StreamID] = append(c.headers[f.StreamID], f.Fields...)
			c.state.Unlock()
			if first {
				c.up.mu.Lock()
				c.up.calls++
				c.up.mu.Unlock()
			}
			if c.isCutting() {
				return
			}
			if f.StreamEnded() {
				c.complete(f.StreamID)
			}
		case *http2.DataFrame:
			c.state.Lock()
			if c.bodies[f.StreamID] == nil {
				c.bodies[f.StreamID] = &bytes.Buffer{}
			}
			c.bodies[f.StreamID].Write(f.Data())
			c.state.Unlock()
			if f.StreamEnded() {
				c.complete(f.StreamID)
			}
		case *http2.WindowUpdateFrame:
			c.state.Lock()
			if f.StreamID == 0 {
				c.opened += int64(f.Increment)
			}
			c.state.Unlock()
		case *http2.RSTStreamFrame:
			c.state.Lock()
			c.resets[f.StreamID] = f.ErrCode
			c.state.Unlock()
		}
	}
}

func (c *h2conn) isCutting() bool {
	c.up.mu.Lock()
	defer c.up.mu.Unlock()
	return c.up.cutting == c
}

func (c *h2conn) complete(stream uint32) {
	c.up.mu.Lock()
	answer := c.up.answer
	c.up.mu.Unlock()
	c.up.wg.Go(func() {
		if answer == nil {
			answer = h2hello
		}
		answer(c, stream)
	})
}

// write writes frames while nobody else does.
func (c *h2conn) write(frames func() error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	_ = frames()
}

// later is write for who must go on reading.
func (c *h2conn) later(frames func() error) { c.up.wg.Go(func() { c.write(frames) }) }

// head sends a head, or trailers.
func (c *h2conn) head(stream uint32, end bool, fields ...string) {
	c.write(func() error {
		c.buf.Reset()
		for i := 0; i < len(fields); i += 2 {
			_ = c.enc.WriteField(hpack.HeaderField{Name: fields[i], Value: fields[i+1]})
		}
		return c.fr.WriteHeaders(http2.HeadersFrameParam{StreamID: stream, BlockFragment: c.buf.Bytes(), EndStream: end, EndHeaders: true})
	})
}

func (c *h2conn) data(stream uint32, end bool, content string) {
	c.write(func() error { return c.fr.WriteData(stream, end, []byte(content)) })
}

func (c *h2conn) reset(stream uint32, code http2.ErrCode) {
	c.write(func() error { return c.fr.WriteRSTStream(stream, code) })
}

func (c *h2conn) goAway(last uint32, code http2.ErrCode) {
	c.write(func() error { return c.fr.WriteGoAway(last, code, nil) })
}

// goDeaf has the connection take everything and say nothing from now on.
func (c *h2conn) goDeaf() {
	c.state.Lock()
	defer c.state.Unlock()
	c.deaf = true
}

// sleep has the connection read nothing any more, until it is woken.
func (c *h2conn) sleep() (wake func()) {
	c.state.Lock()
	defer c.state.Unlock()
	c.asleep = make(chan struct{})
	return sync.OnceFunc(func() { close(c.asleep) })
}

// windows is how much the caller's side has opened the connection's window, and what
// it gives each stream.
func (c *h2conn) windows() (opened int64, stream uint32) {
	c.state.Lock()
	defer c.state.Unlock()
	return c.opened, c.window
}

func (c *h2conn) pinged() int {
	c.state.Lock()
	defer c.state.Unlock()
	return c.pings
}

func (c *h2conn) wasReset(stream uint32) http2.ErrCode {
	c.state.Lock()
	defer c.state.Unlock()
	return c.resets[stream]
}

// field is a field of a request's head.
func (c *h2conn) field(stream uint32, name string) string {
	c.state.Lock()
	defer c.state.Unlock()
	for _, f := range c.headers[stream] {
		if f.Name == name {
			return f.Value
		}
	}
	return ""
}

func (c *h2conn) body(stream uint32) string {
	c.state.Lock()
	defer c.state.Unlock()
	if c.bodies[stream] == nil {
		return ""
	}
	return c.bodies[stream].String()
}

// h2hello is the short answer.
func h2hello(c *h2conn, stream uint32) {
	c.head(stream, false, ":status", "200", "content-length", "5")
	c.data(stream, true, "hello")
}

// h2silent takes the call and says nothing.
func h2silent(*h2conn, uint32) {}

func (u *h2upstream) set(change func(*h2upstream)) {
	u.mu.Lock()
	defer u.mu.Unlock()
	change(u)
}

func (u *h2upstream) answers(a h2peer) { u.set(func(u *h2upstream) { u.answer = a }) }

func (u *h2upstream) seen() int {
	u.mu.Lock()
	defer u.mu.Unlock()
	return u.calls
}

// conn returns the connections there have been.
func (u *h2upstream) all() []*h2conn {
	u.mu.Lock()
	defer u.mu.Unlock()
	return append([]*h2conn(nil), u.conns...)
}

func (u *h2upstream) close() {
	for _, c := range u.all() {
		_ = c.Close()
	}
	u.wg.Wait()
}

// h2bench is a mux, its endpoint and its clock.
type h2bench struct {
	*transport.Mux
	up    *h2upstream
	clock *clock
}

// newH2Bench makes one for the bubble that it is called in.
func newH2Bench(t *testing.T, cfg transport.Config, settings ...http2.Setting) *h2bench {
	t.Helper()
	cfg.Protocol = transport.H2C
	return newH2BenchAt(t, &h2upstream{settings: settings}, cfg)
}

// newH2BenchTLS is newH2Bench with an endpoint that speaks TLS, if it is to be secure.
func newH2BenchTLS(t *testing.T, a *certtest.Authority, secure bool) *h2bench {
	t.Helper()
	if !secure {
		return newH2Bench(t, transport.Config{})
	}
	up := &h2upstream{}
	up.secure(a, "h2")
	return newH2BenchAt(t, up, transport.Config{Protocol: transport.H2, TLS: &transport.TLS{CA: []string{a.File}}})
}

func newH2BenchAt(t *testing.T, up *h2upstream, cfg transport.Config) *h2bench {
	t.Helper()
	b := &h2bench{up: up, clock: newClock()}
	b.Mux = transport.NewMux("orders.test:80", transport.Options{Config: cfg, Now: b.clock.now, Dial: b.up.dial})
	t.Cleanup(func() {
		b.Close()
		synctest.Wait() // what is being opened beside has been
		b.up.close()
		synctest.Wait()
		if s := b.Stats(); s.Open != 0 {
			t.Errorf("connections left at the end: %+v", s)
		}
	})
	return b
}

func (b *h2bench) call(method string, body *lift.Body) *lift.Attempt {
	return aCall(b.clock, method, body)
}

// mustCall makes a call that has to bring the short answer.
func (b *h2bench) mustCall(t *testing.T, method string) *lift.Attempt {
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

// background makes a call in a goroutine of its own.
func (b *h2bench) background(c *lift.Attempt) <-chan outcome {
	done := make(chan outcome, 1)
	began := time.Now()
	go func() {
		resp, err := b.RoundTrip(c)
		o := outcome{err: err}
		if err == nil {
			o.status = resp.Status
			var content []byte
			content, o.err = resp.Body.ReadAll(0)
			o.body, o.trailer = string(content), resp.Body.Trailer()
		}
		o.took = time.Since(began)
		done <- o
	}()
	return done
}

type outcome struct {
	status  int
	body    string
	trailer []lift.Field
	err     error
	took    time.Duration
}
