//go:build e2e && linux

package e2e_test

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/liftmesh/lift"
	"github.com/liftmesh/lift/internal/certtest"
	"github.com/liftmesh/lift/sdk"
)

// seen is what an endpoint tells of the request that it got.
type seen struct {
	Proto, Host, Path, Name, Client string
}

// tell is such an endpoint; secure is its TLS, nil for none.
func tell(t *testing.T, secure *tls.Config) (srv *httptest.Server, calls *atomic.Int64) {
	t.Helper()
	calls = new(atomic.Int64)
	srv = httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		calls.Add(1)
		client, name := "", ""
		if r.TLS != nil {
			name = r.TLS.ServerName
			for _, c := range r.TLS.PeerCertificates {
				client = c.Subject.CommonName
			}
		}
		_, _ = fmt.Fprintf(w, `{"Proto":%q,"Host":%q,"Path":%q,"Name":%q,"Client":%q}`, r.Proto, r.Host, r.RequestURI, name, client)
	}))
	srv.Config.ErrorLog = log.New(io.Discard, "", 0) // of handshakes that are meant to fail
	if srv.TLS = secure; secure == nil {
		srv.Start()
	} else {
		srv.EnableHTTP2 = true
		srv.StartTLS()
	}
	t.Cleanup(srv.Close)
	return srv, calls
}

// Real sidecar, real sockets: what goes through over TLS, and what each way to
// fail says. A handshake that fails reaches nobody.
func TestTLSUpstreams(t *testing.T) {
	t.Parallel()
	a, other := certtest.New(t, "ca"), certtest.New(t, "another")
	client := a.Issue(nil, "client")
	mutual := func(c *tls.Config) {
		c.NextProtos, c.ClientAuth, c.ClientCAs = nil, tls.RequireAndVerifyClientCert, a.Pool()
	}
	sound, _ := tell(t, a.Server("orders.internal", mutual))
	byAddress, _ := tell(t, a.Server("127.0.0.1", func(c *tls.Config) { c.NextProtos = nil }))
	plain, _ := tell(t, nil)
	bad := map[string]struct {
		secure *tls.Config
		tls    string
		says   []string
	}{
		"authority": {other.Server("orders.internal", nil), "ca: %[1]q, server_name: orders.internal", []string{"nobody who is trusted", "tls.ca"}},
		"name":      {a.Server("shop.internal", nil), "ca: %[1]q, server_name: orders.internal", []string{"not for orders.internal", "tls.server_name"}},
		"expired": {a.Server("", func(c *tls.Config) {
			c.Certificates = []tls.Certificate{a.Issue(func(c *x509.Certificate) { c.NotAfter = time.Now().Add(-time.Hour) }, "orders.internal").Certificate}
		}), "ca: %[1]q, server_name: orders.internal", []string{"has expired", "renew it"}},
		"no certificate": {a.Server("orders.internal", mutual), "ca: %[1]q, server_name: orders.internal", []string{"demands a client certificate", "tls.cert"}},
		"version": {a.Server("orders.internal", func(c *tls.Config) { c.MaxVersion = tls.VersionTLS12 }),
			"ca: %[1]q, server_name: orders.internal, min_version: 1.3", []string{"no version that is allowed"}},
		"plain port": {nil, "ca: %[1]q, server_name: orders.internal", []string{"speaks plain HTTP where TLS was expected", "remove tls"}},
		"port":       {a.Server("orders.internal", nil), "", []string{"that port speaks TLS", "add tls"}},
	}
	config := fmt.Sprintf(`services:
  mutual: {from: static, endpoints: [%[1]q], tls: {ca: %[2]q, cert: %[3]q, key: %[4]q, server_name: orders.internal}}
  gateway: {from: url, url: "%[5]s/prod/", tls: {ca: %[2]q}}
  local: {from: url, url: "%[6]s/v1", host: shop.internal}
`, sound.Listener.Addr(), a.File, client.CertFile, client.KeyFile, byAddress.URL, plain.URL)
	counts := map[string]*atomic.Int64{}
	for name, b := range bad {
		srv, calls := tell(t, b.secure)
		counts[name] = calls
		config += fmt.Sprintf("  %s: {from: static, endpoints: [%q]", strings.ReplaceAll(name, " ", "-"), srv.Listener.Addr())
		if b.tls != "" {
			config += ", tls: {" + fmt.Sprintf(b.tls, a.File) + "}"
		}
		config += "}\n"
	}
	c := startSidecar(t, config).dial(t)
	for service, want := range map[string]seen{
		"mutual":  {"HTTP/1.1", sound.Listener.Addr().String(), "/things?id=7", "orders.internal", "client"},
		"gateway": {"HTTP/2.0", byAddress.Listener.Addr().String(), "/prod/things?id=7", "", ""},
		"local":   {"HTTP/1.1", "shop.internal", "/v1/things?id=7", "", ""},
	} {
		for range 3 {
			got, err := sdk.Post[seen](within(t, patience), c, service, "/things?id=7", struct{}{})
			if err != nil || got != want {
				t.Errorf("%s: got %+v, %v; want %+v", service, got, err, want)
			}
		}
	}
	for name, b := range bad {
		_, err := sdk.Post[seen](within(t, patience), c, strings.ReplaceAll(name, " ", "-"), "/", struct{}{})
		e, ok := errors.AsType[*lift.Error](err)
		if !ok || e.Reached != lift.NotReached || counts[name].Load() != 0 {
			t.Errorf("%s: %v; %d calls seen", name, err, counts[name].Load())
		}
		for _, says := range append(b.says, e.Endpoint) {
			if !strings.Contains(fmt.Sprint(err), says) {
				t.Errorf("%s: it does not say %q: %v", name, says, err)
			}
		}
	}
}

// Client certificates change under a running sidecar, half of them first: no call
// fails, and the new one is shown once both are there.
func TestTLSCertificatesRotate(t *testing.T) {
	t.Parallel()
	a := certtest.New(t, "ca")
	srv, _ := tell(t, a.Server("orders.internal", func(c *tls.Config) {
		c.ClientAuth, c.ClientCAs = tls.RequireAndVerifyClientCert, a.Pool()
	}))
	dir := t.TempDir()
	cert, key := filepath.Join(dir, "client.pem"), filepath.Join(dir, "client.key")
	put := func(to, from string) {
		t.Helper()
		text, err := os.ReadFile(from)
		if err == nil {
			err = os.WriteFile(to+".new", text, 0o600)
		}
		if err == nil {
			err = os.Rename(to+".new", to)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	first, second := a.Issue(nil, "first"), a.Issue(nil, "second")
	put(cert, first.CertFile)
	put(key, first.KeyFile)
	s := startSidecar(t, fmt.Sprintf(`services:
  orders: {from: static, endpoints: [%q], tls: {ca: %q, cert: %q, key: %q, server_name: orders.internal}, connections: {max_age: 10ms}}
`, srv.Listener.Addr(), a.File, cert, key))
	c := s.dial(t)
	calls := func() (name string) {
		t.Helper()
		got, err := sdk.Post[seen](within(t, patience), c, "orders", "/", struct{}{})
		if err != nil {
			t.Fatal(err)
		}
		return got.Client
	}
	if name := calls(); name != "first" {
		t.Errorf("called as %q", name)
	}
	put(cert, second.CertFile)
	waitFor(t, "the half is told of", func() bool {
		if name := calls(); name != "first" {
			t.Errorf("called as %q", name)
		}
		return s.out.has("cannot be used; the old ones stay")
	})
	put(key, second.KeyFile)
	waitFor(t, "the new certificate is shown", func() bool { return calls() == "second" })
}

// Connections that died under TLS while the process was stopped cost no call.
func TestTLSFreeze(t *testing.T) {
	t.Parallel()
	a := certtest.New(t, "ca")
	for _, protocol := range []string{"http", "h2"} {
		t.Run(protocol, func(t *testing.T) {
			srv, _ := tell(t, a.Server("orders.internal", func(c *tls.Config) { c.NextProtos = nil }))
			s := startSidecar(t, fmt.Sprintf(`services:
  orders: {from: static, endpoints: [%q], protocol: %s, retry: {attempts: 1}, tls: {ca: %q, server_name: orders.internal}}
`, srv.Listener.Addr(), protocol, a.File))
			c := s.dial(t)
			for i := range 10 {
				failed := make(chan error, 4)
				for range cap(failed) {
					go func() {
						_, err := sdk.Post[seen](within(t, patience), c, "orders", "/", struct{}{})
						failed <- err
					}()
				}
				for range cap(failed) {
					if err := <-failed; err != nil {
						t.Errorf("round %d: %v", i+1, err)
					}
				}
				s.signal(t, syscall.SIGSTOP)
				srv.CloseClientConnections()
				s.signal(t, syscall.SIGCONT)
			}
		})
	}
}
