package transport_test

import (
	"bufio"
	"io"
	"net"
	"net/http"
	"runtime"
	"strings"
	"testing"
	"time"

	"golang.org/x/net/http2"

	"github.com/liftmesh/lift"
	"github.com/liftmesh/lift/transport"
)

// What has died before a call began is seen by it, be it the instant before: no
// POST is lost, whether the end was announced or not.
func TestMuxDeadBeforeTheCall(t *testing.T) {
	for name, tt := range map[string]struct {
		linger int
		away   bool
	}{"fin": {-1, false}, "rst": {0, false}, "goaway and fin": {-1, true}} {
		t.Run(name, func(t *testing.T) {
			closed := make(chan struct{})
			up := &h2upstream{}
			up.answers(func(c *h2conn, stream uint32) {
				h2hello(c, stream)
				if tt.away {
					c.goAway(1<<31-1, http2.ErrCodeNo)
				}
				_ = c.Conn.(*net.TCPConn).SetLinger(tt.linger) //nolint:forcetypeassert // of a TCP listener
				_ = c.Close()
				closed <- struct{}{}
			})
			addr := listen(t, func(c *net.TCPConn, _ *bufio.Reader) {
				up.mu.Lock()
				peer := up.accept(c)
				up.mu.Unlock()
				<-peer.over
			})
			m := transport.NewMux(addr, transport.Options{})
			defer m.Close()
			for i := range 200 {
				c := &lift.Call{Method: "POST", Body: lift.BytesBody([]byte("x")), Deadline: time.Now().Add(10 * time.Second)}
				resp, err := m.RoundTrip(tryOf(c))
				if err != nil {
					t.Fatalf("call %d: %v", i, err)
				}
				wantHello(t, resp)
				<-closed
			}
		})
	}
}

// HTTP/1.1 at a port that speaks HTTP/2 alone says so.
func TestHTTP1AtAnHTTP2Port(t *testing.T) {
	addr := listen(t, func(c *net.TCPConn, _ *bufio.Reader) {
		_ = http2.NewFramer(c, c).WriteSettings(http2.Setting{ID: http2.SettingMaxFrameSize, Val: 16 << 10})
		_, _ = io.Copy(io.Discard, c)
	})
	p := transport.NewPool(addr, transport.Options{})
	defer p.Close()
	_, err := p.RoundTrip(tryOf(&lift.Call{Deadline: time.Now().Add(10 * time.Second)}))
	if lift.CodeOf(err) != lift.BadResponse || !strings.Contains(err.Error(), "set protocol: h2c") {
		t.Errorf("%v", err)
	}
}

func h2Server(b *testing.B) string {
	b.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		b.Fatal(err)
	}
	var h2c http.Protocols
	h2c.SetUnencryptedHTTP2(true)
	srv := &http.Server{ReadHeaderTimeout: time.Minute, Protocols: &h2c, Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
		if strings.HasPrefix(r.Header.Get("Content-Type"), "application/grpc") {
			w.Header().Set("Content-Type", "application/grpc")
			w.Header().Set(http.TrailerPrefix+"Grpc-Status", "0")
		}
		_, _ = io.WriteString(w, "hello")
	})}
	go func() { _ = srv.Serve(ln) }()
	b.Cleanup(func() { _ = srv.Close() })
	return ln.Addr().String()
}

// BenchmarkMuxCall is one call over HTTP/2 on loopback; compare BenchmarkCall.
func BenchmarkMuxCall(b *testing.B) {
	m := transport.NewMux(h2Server(b), transport.Options{})
	defer m.Close()
	b.ReportAllocs()
	for b.Loop() {
		muxCallOnce(b, m)
	}
}

// BenchmarkMuxCall64 is 64 callers at once on one connection.
func BenchmarkMuxCall64(b *testing.B) {
	m := transport.NewMux(h2Server(b), transport.Options{Slots: transport.NewSlots(0, 0)})
	defer m.Close()
	b.ReportAllocs()
	b.SetParallelism(64 / runtime.GOMAXPROCS(0))
	b.RunParallel(func(pb *testing.PB) {
		for pb.Next() {
			muxCallOnce(b, m)
		}
	})
}

// BenchmarkMuxGRPC is a unary gRPC call, whose answer is held until its trailers.
func BenchmarkMuxGRPC(b *testing.B) {
	m := transport.NewMux(h2Server(b), transport.Options{})
	defer m.Close()
	b.ReportAllocs()
	for b.Loop() {
		muxCallOnce(b, m, lift.Field{Name: "Content-Type", Value: "application/grpc"})
	}
}

func muxCallOnce(b *testing.B, m *transport.Mux, fields ...lift.Field) {
	c := &lift.Call{Service: "orders", Method: "GET", Path: "/hello", Header: fields, Deadline: time.Now().Add(time.Second)}
	resp, err := m.RoundTrip(c.NewAttempt(lift.AttemptRecord{Timeout: time.Second, Deadline: c.Deadline}))
	if err != nil {
		b.Error(err)
		return
	}
	if got, _ := resp.Body.Complete(); string(got) != "hello" {
		b.Errorf("got %q", got)
	}
	c.End()
}
