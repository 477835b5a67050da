package transport_test

import (
	"crypto/tls"
	"io"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/liftmesh/lift"
	"github.com/liftmesh/lift/internal/certtest"
	"github.com/liftmesh/lift/transport"
)

// Whatever lies below HTTP/1.1, what an endpoint does wrong is told the same way,
// costs the same, and leaves nothing behind; the call after it is well.
func TestKindsAndTroubles(t *testing.T) {
	a := certtest.New(t, "ca")
	client := a.Issue(nil, "client")
	trusting := func() *transport.TLS { return &transport.TLS{CA: []string{a.File}} }
	known := func() *transport.TLS {
		return &transport.TLS{CA: []string{a.File}, Cert: client.CertFile, Key: client.KeyFile}
	}
	mutual := func(c *tls.Config) { c.ClientAuth, c.ClientCAs = tls.RequireAndVerifyClientCert, a.Pool() }
	kinds := []struct {
		name     string
		server   *tls.Config
		tls      func() *transport.TLS
		protocol transport.Protocol
	}{
		{"http", nil, func() *transport.TLS { return nil }, transport.HTTP},
		{"https, TLS 1.2", a.Server("orders.test", func(c *tls.Config) { c.MaxVersion = tls.VersionTLS12 }), trusting, transport.HTTP},
		{"https, TLS 1.3", a.Server("orders.test", nil), trusting, transport.HTTP},
		{"https, no ALPN", a.Server("orders.test", func(c *tls.Config) { c.NextProtos = nil }), trusting, transport.HTTP},
		{"mTLS, TLS 1.2", a.Server("orders.test", func(c *tls.Config) { mutual(c); c.MaxVersion = tls.VersionTLS12 }), known, transport.HTTP},
		{"mTLS, TLS 1.3", a.Server("orders.test", mutual), known, transport.HTTP},
		{"auto", a.Server("orders.test", nil), trusting, transport.Auto},
		{"auto, mTLS", a.Server("orders.test", mutual), known, transport.Auto},
	}
	troubles := []struct {
		name    string
		peer    peer
		refuse  bool
		code    lift.Code
		says    string
		reached lift.Reached
		after   time.Duration
		body    bool // shows only in the body
	}{
		{name: "none", peer: healthy, reached: lift.Answered},
		{name: "refused", peer: healthy, refuse: true, code: lift.Unavailable, says: "connection refused"},
		{name: "hangs up", peer: resetting, code: lift.Unavailable, says: "before an answer came", reached: lift.MayHaveActed},
		{name: "silent", peer: silent, code: lift.AttemptTimeout, says: "attempt_timeout", reached: lift.MayHaveActed, after: time.Second},
		{name: "garbage", peer: answering("what?\r\n\r\n"), code: lift.BadResponse, says: "not an HTTP/1.1 answer", reached: lift.MayHaveActed},
		{name: "half a head", peer: answering("HTTP/1.1 200 OK\r\nContent-Le"), code: lift.BadResponse, says: "within its head", reached: lift.MayHaveActed},
		{name: "half a body", peer: answering("HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhalf"), code: lift.BadResponse, says: "4 of 100 bytes", reached: lift.Answered},
		{name: "half a stream", peer: answering(chunkedHead + "4\r\nhalf\r\n4\r\nan"), code: lift.BadResponse, says: "did the instance die?", reached: lift.Answered, body: true},
		{name: "an endless head", peer: answering("HTTP/1.1 200 OK\r\nX: " + strings.Repeat("x", 100<<10)), code: lift.BadResponse, says: "max_header", reached: lift.MayHaveActed},
		{name: "two answers", peer: holding(okAnswer + okAnswer), reached: lift.Answered},
		{name: "101 unasked", peer: holding(switching), code: lift.BadResponse, says: "101", reached: lift.Answered},
	}
	for _, kind := range kinds {
		for _, x := range troubles {
			t.Run(kind.name+"/"+x.name, func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					up, clock := &upstream{next: x.peer, tls: kind.server, roomy: true, refusing: x.refuse}, newClock()
					w := transport.New("orders.test:443", transport.Options{Config: transport.Config{Protocol: kind.protocol, TLS: kind.tls()}, Now: clock.now, Dial: up.dial})
					call := func() (*lift.Attempt, error) {
						c := aCall(clock, http.MethodPost, lift.BytesBody([]byte("body")))
						defer c.End()
						resp, err := w.RoundTrip(c)
						if err == nil {
							var got []byte
							if got, err = resp.Body.ReadAll(0); err == nil && string(got) != "hello" {
								t.Errorf("got %q", got)
							}
						}
						return c, err
					}
					began := time.Now()
					c, err := call()
					if x.code != "" {
						wantError(t, err, x.code)
						if !strings.Contains(err.Error(), x.says) || !strings.Contains(err.Error(), "orders.test:443") {
							t.Errorf("it says %v, want %q", err, x.says)
						}
					} else if err != nil {
						t.Error(err)
					}
					if took := time.Since(began); took != x.after {
						t.Errorf("took %s", took)
					}
					if got := c; got.Reached != x.reached || (got.AttemptRecord.Err == nil) != (err == nil || x.body) {
						t.Errorf("the attempt says %v, %v", got.Reached, got.AttemptRecord.Err)
					}
					synctest.Wait()
					if s := w.Stats(); s.InUse != 0 {
						t.Errorf("left: %+v", s)
					}
					up.set(false, healthy)
					if _, err := call(); err != nil {
						t.Errorf("the call after it: %v", err)
					}
					w.Close()
					up.close()
				})
			})
		}
	}
}

// A request whose body is still coming in meets an endpoint that hangs up: it is
// told in the time that takes, over TLS as without.
func TestUploadOverTLSMeetsTheEnd(t *testing.T) {
	a := certtest.New(t, "ca")
	synctest.Test(t, func(t *testing.T) {
		b := newBenchTLS(t, func(_ *upstream, _ conn, r reader) {
			_, _ = r.ReadString('\n')
			time.Sleep(100 * time.Millisecond)
		}, transport.Config{TLS: &transport.TLS{CA: []string{a.File}}}, a.Server("orders.test", nil))
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
