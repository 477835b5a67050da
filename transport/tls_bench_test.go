package transport_test

import (
	"context"
	"crypto/tls"
	"io"
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/liftmesh/lift/internal/certtest"
	"github.com/liftmesh/lift/transport"
)

func tlsServer(b *testing.B, change func(*tls.Config)) (addr string, trust *transport.TLS) {
	b.Helper()
	a := certtest.New(b, "ca")
	srv := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, "hello") }))
	srv.TLS = a.Server("orders.test", change)
	srv.StartTLS()
	b.Cleanup(srv.Close)
	return srv.Listener.Addr().String(), &transport.TLS{CA: []string{a.File}, ServerName: "orders.test"}
}

// BenchmarkCallTLS is one call over a warm TLS connection on loopback; compare
// BenchmarkCall.
func BenchmarkCallTLS(b *testing.B) {
	addr, trust := tlsServer(b, nil)
	pool := transport.NewPool(addr, transport.Options{Config: transport.Config{TLS: trust}})
	defer pool.Close()
	b.ReportAllocs()
	for b.Loop() {
		callOnce(b, pool)
	}
}

// BenchmarkConnect is one connect, both ends' work together: plain, with a whole
// handshake, and with one that resumes a session.
func BenchmarkConnect(b *testing.B) {
	connect := func(b *testing.B, addr string, trust *transport.TLS) {
		b.Helper()
		b.ReportAllocs()
		for b.Loop() {
			pool := transport.NewPool(addr, transport.Options{Config: transport.Config{TLS: trust}})
			if err := pool.Warm(context.Background(), 1); err != nil {
				b.Fatal(err)
			}
			callOnce(b, pool) // takes in the ticket
			pool.Close()
		}
	}
	b.Run("plain", func(b *testing.B) { connect(b, benchServer(b), nil) })
	b.Run("whole", func(b *testing.B) {
		addr, trust := tlsServer(b, func(c *tls.Config) { c.SessionTicketsDisabled = true })
		connect(b, addr, trust)
	})
	b.Run("resumed", func(b *testing.B) {
		addr, trust := tlsServer(b, nil)
		connect(b, addr, trust)
	})
}
