package transport_test

import (
	"bufio"
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"io"
	"log/slog"
	"net"
	"os"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/liftmesh/lift"
	"github.com/liftmesh/lift/internal/certtest"
	"github.com/liftmesh/lift/transport"
)

func TestTLSName(t *testing.T) {
	a := certtest.New(t, "ca")
	for name, test := range map[string]struct{ addr, host, server, sni, cert string }{
		"the address":            {"orders.test:443", "", "", "orders.test", "orders.test"},
		"the host":               {"10.0.0.7:443", "orders.internal", "", "orders.internal", "orders.internal"},
		"the host without port":  {"10.0.0.7:443", "orders.internal:8443", "", "orders.internal", "orders.internal"},
		"the server's name":      {"10.0.0.7:443", "orders.internal", "payments.internal", "payments.internal", "payments.internal"},
		"an IP address":          {"10.0.0.7:443", "", "", "", "10.0.0.7"},
		"an IPv6 address":        {"[fd00::7]:443", "", "", "", "fd00::7"},
		"an IPv6 host":           {"10.0.0.7:443", "[fd00::7]", "", "", "fd00::7"},
		"an IPv6 host with port": {"10.0.0.7:443", "[fd00::7]:443", "", "", "fd00::7"},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				var sni string
				up := &upstream{next: healthy, tls: a.Server(test.cert, func(c *tls.Config) {
					c.GetConfigForClient = func(h *tls.ClientHelloInfo) (*tls.Config, error) {
						sni = h.ServerName
						return nil, nil //nolint:nilnil // crypto/tls's contract: go on with this one
					}
				})}
				p := transport.NewPool(test.addr, transport.Options{Dial: up.dial, Config: transport.Config{
					Host: test.host, TLS: &transport.TLS{CA: []string{a.File}, ServerName: test.server},
				}})
				resp, err := p.RoundTrip(tryOf(&lift.Call{}))
				if err != nil {
					t.Fatal(err)
				}
				wantHello(t, resp)
				if sni != test.sni {
					t.Errorf("asked for %q, want %q", sni, test.sni)
				}
				p.Close()
				up.close()
			})
		})
	}
}

// A handshake that fails reaches nobody, and says what would put it right.
func TestTLSFails(t *testing.T) {
	a, other := certtest.New(t, "ca"), certtest.New(t, "another")
	client := a.Issue(nil, "client")
	mutual := func(c *tls.Config) { c.ClientAuth, c.ClientCAs = tls.RequireAndVerifyClientCert, a.Pool() }
	speak := func(says string) peer {
		return func(_ *upstream, c conn, r reader) {
			_, _ = r.ReadByte()
			go func() { _, _ = io.Copy(io.Discard, r) }()
			_, _ = io.WriteString(c, says)
			time.Sleep(time.Minute)
		}
	}
	at12 := func(c *tls.Config) { c.MaxVersion = tls.VersionTLS12 }
	for name, test := range map[string]struct {
		server *tls.Config
		peer   peer
		tls    *transport.TLS
		code   lift.Code
		says   []string
		after  time.Duration
	}{
		"unknown authority": {server: other.Server("orders.test", nil), says: []string{"nobody who is trusted vouches", "tls.ca"}},
		"another name":      {server: a.Server("payments.test", nil), says: []string{"certificate is not for orders.test", "payments.test", "tls.server_name"}},
		"expired": {server: a.Server("", func(c *tls.Config) {
			c.Certificates = []tls.Certificate{a.Issue(func(c *x509.Certificate) { c.NotAfter = certtest.Begin.Add(time.Hour) }, "orders.test").Certificate}
		}), says: []string{"has expired", "renew it"}},
		"not valid yet": {server: a.Server("", func(c *tls.Config) {
			c.Certificates = []tls.Certificate{a.Issue(func(c *x509.Certificate) { c.NotBefore = certtest.End.Add(-time.Hour) }, "orders.test").Certificate}
		}), says: []string{"not valid yet"}},
		"not a server's": {server: a.Server("", func(c *tls.Config) {
			c.Certificates = []tls.Certificate{a.Issue(func(c *x509.Certificate) { c.ExtKeyUsage = []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth} }, "orders.test").Certificate}
		}), says: []string{"not valid for a server"}},
		"old version": {server: a.Server("orders.test", at12), tls: &transport.TLS{MinVersion: tls.VersionTLS13}, says: []string{"no version that is allowed", "tls.min_version"}},
		"no protocol": {server: a.Server("orders.test", func(c *tls.Config) { c.NextProtos = []string{"other"} }), says: []string{`none of ["http/1.1"]`, "set protocol"}},
		"demands a certificate, 1.2": {server: a.Server("orders.test", func(c *tls.Config) { mutual(c); at12(c) }),
			says: []string{"demands a client certificate", "tls.cert"}},
		"demands a certificate, 1.3": {server: a.Server("orders.test", mutual), says: []string{"demands a client certificate", "tls.cert"}},
		"demands another's, 1.2": {server: a.Server("orders.test", func(c *tls.Config) { mutual(c); at12(c); c.ClientCAs = other.Pool() }),
			tls: &transport.TLS{Cert: client.CertFile, Key: client.KeyFile}, says: []string{"does not accept our certificate", "tls.cert"}},
		"demands another's, 1.3": {server: a.Server("orders.test", func(c *tls.Config) { mutual(c); c.ClientCAs = other.Pool() }),
			tls: &transport.TLS{Cert: client.CertFile, Key: client.KeyFile}, says: []string{"certificate", "tls.cert"}},
		"plain HTTP":  {peer: speak("HTTP/1.1 400 Bad Request\r\n\r\n"), says: []string{"speaks plain HTTP where TLS was expected", "remove tls"}},
		"garbage":     {peer: speak("SSH-2.0-OpenSSH_9.6\r\n"), says: []string{"does not speak TLS", `"SSH-2"`}},
		"hangs up":    {peer: func(_ *upstream, _ conn, r reader) { _, _ = r.ReadByte() }, says: []string{"hung up within the TLS handshake", "remove tls"}},
		"silent":      {peer: func(_ *upstream, _ conn, r reader) { _, _ = io.Copy(io.Discard, r) }, says: []string{"no TLS handshake in time", "connect_timeout"}, after: 500 * time.Millisecond},
		"no such CA":  {server: a.Server("orders.test", nil), tls: &transport.TLS{CA: []string{"/none.pem"}}, code: lift.Misconfigured, says: []string{"/none.pem: there is no such file"}},
		"CA is a key": {server: a.Server("orders.test", nil), tls: &transport.TLS{CA: []string{client.KeyFile}}, code: lift.Misconfigured, says: []string{"holds no certificate"}},
		"another key": {server: a.Server("orders.test", nil), tls: &transport.TLS{Cert: client.CertFile, Key: other.Issue(nil, "other").KeyFile}, code: lift.Misconfigured, says: []string{"other.key: the key is not that of the first certificate in", "client.crt"}},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				p := test.peer
				if p == nil {
					p = healthy
				}
				cfg := transport.Config{ConnectTimeout: 500 * time.Millisecond, TLS: test.tls}
				if cfg.TLS == nil {
					cfg.TLS = &transport.TLS{}
				}
				if cfg.TLS.CA == nil {
					cfg.TLS.CA = []string{a.File}
				}
				b := newBenchTLS(t, p, cfg, test.server)
				c, began := b.call("POST", lift.BytesBody([]byte("body"))), time.Now()
				_, err := b.RoundTrip(c)
				if test.code == "" {
					test.code = lift.Unavailable
				}
				wantError(t, err, test.code)
				for _, words := range append(test.says, "orders.test:80") {
					if !strings.Contains(err.Error(), words) {
						t.Errorf("no %q in %v", words, err)
					}
				}
				if took := time.Since(began); took != test.after {
					t.Errorf("took %s", took)
				}
				if c.Reached != lift.NotReached || b.up.seen() != 0 {
					t.Errorf("reached: %v, %d requests seen", c.Reached, b.up.seen())
				}
				synctest.Wait()
				if s := b.Stats(); s.Open != 0 {
					t.Errorf("left: %+v", s)
				}
			})
		})
	}
}

func TestMutualTLS(t *testing.T) {
	a := certtest.New(t, "ca")
	client := a.Issue(nil, "client")
	for _, version := range []uint16{tls.VersionTLS12, tls.VersionTLS13} {
		t.Run(tls.VersionName(version), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				b := newBenchTLS(t, healthy, transport.Config{TLS: &transport.TLS{CA: []string{a.File}, Cert: client.CertFile, Key: client.KeyFile}}, a.Server("orders.test", func(c *tls.Config) {
					c.MinVersion, c.MaxVersion, c.ClientAuth, c.ClientCAs = version, version, tls.RequireAndVerifyClientCert, a.Pool()
				}))
				for range 3 {
					b.mustCall(t, "POST")
				}
				if n := b.up.dials(); n != 1 {
					t.Errorf("%d connections", n)
				}
			})
		})
	}
}

// Files that change are taken over by the next connection; broken ones are not,
// and are told of once.
func TestTLSReload(t *testing.T) {
	a, other := certtest.New(t, "ca"), certtest.New(t, "another")
	first, second := a.Issue(nil, "first"), a.Issue(nil, "second")
	in := func(to, from string) {
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
	dir := t.TempDir()
	ca, cert, key := dir+"/ca.pem", dir+"/client.pem", dir+"/client.key"
	in(ca, a.File)
	in(cert, first.CertFile)
	in(key, first.KeyFile)
	synctest.Test(t, func(t *testing.T) {
		var log bytes.Buffer
		var name string
		b := &bench{up: &upstream{next: healthy}, clock: newClock()}
		serve := func(by *certtest.Authority) {
			b.up.mu.Lock()
			defer b.up.mu.Unlock()
			b.up.tls = by.Server("orders.test", func(c *tls.Config) {
				c.ClientAuth, c.ClientCAs = tls.RequireAndVerifyClientCert, a.Pool()
				c.VerifyConnection = func(s tls.ConnectionState) error {
					name = s.PeerCertificates[0].Subject.CommonName
					return nil
				}
			})
		}
		serve(a)
		b.Pool = transport.NewPool("orders.test:80", transport.Options{
			Config: transport.Config{TLS: &transport.TLS{CA: []string{ca}, Cert: cert, Key: key}}, Now: b.clock.now, Dial: b.up.dial,
			Log: slog.New(slog.NewTextHandler(&log, nil)),
		})
		defer b.up.close()
		defer b.Close()
		call := func(want string) {
			t.Helper()
			b.clock.jump(time.Minute, time.Minute) // too old: a fresh connection
			b.mustCall(t, "POST")
			if name != want {
				t.Errorf("called as %q, want %q", name, want)
			}
		}
		call("first")
		in(cert, second.CertFile) // its key is not here yet
		call("first")
		call("first")
		if got := strings.Count(log.String(), "cannot be used"); got != 1 {
			t.Errorf("told %d times:\n%s", got, &log)
		}
		in(key, second.KeyFile)
		call("second")
		if err := os.Remove(key); err != nil {
			t.Fatal(err)
		}
		call("second")
		in(key, second.KeyFile)
		call("second")
		in(ca, other.File)
		serve(other)
		call("second")
		if strings.Contains(log.String(), "PRIVATE") {
			t.Error("the log holds a key")
		}
	})
}

// A second connection to the same endpoint resumes the session of the first;
// another endpoint has its own.
func TestTLSResumes(t *testing.T) {
	a := certtest.New(t, "ca")
	for _, version := range []uint16{tls.VersionTLS12, tls.VersionTLS13} {
		t.Run(tls.VersionName(version), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				resumed := make(chan bool, 1)
				secure := &transport.TLS{CA: []string{a.File}, ServerName: "orders.test"}
				pool := func(addr string) (*transport.Pool, *upstream) {
					up := &upstream{next: healthy, tls: a.Server("orders.test", func(c *tls.Config) {
						c.MinVersion, c.MaxVersion = version, version
						c.VerifyConnection = func(s tls.ConnectionState) error {
							resumed <- s.DidResume
							return nil
						}
					})}
					return transport.NewPool(addr, transport.Options{Config: transport.Config{TLS: secure, MaxIdle: time.Nanosecond, SafeIdle: time.Nanosecond}, Dial: up.dial}), up
				}
				one, oneUp := pool("a:1")
				two, twoUp := pool("b:1")
				for i, step := range []struct {
					*transport.Pool
					want bool
				}{{one, false}, {one, true}, {two, false}, {one, true}, {two, true}} {
					resp, err := step.RoundTrip(tryOf(&lift.Call{}))
					if err != nil {
						t.Fatal(err)
					}
					wantHello(t, resp)
					if got := <-resumed; got != step.want {
						t.Errorf("connection %d: resumed %v", i+1, got)
					}
					synctest.Wait()
					time.Sleep(time.Second)
				}
				one.Close()
				two.Close()
				oneUp.close()
				twoUp.close()
			})
		})
	}
}

// What is not verified is told once.
func TestTLSUnverified(t *testing.T) {
	a := certtest.New(t, "ca")
	synctest.Test(t, func(t *testing.T) {
		var log bytes.Buffer
		up := &upstream{next: healthy, tls: a.Server("somebody", nil)}
		secure := &transport.TLS{InsecureSkipVerify: true}
		if err := secure.Load(); err != nil { // as at start, where nobody hears
			t.Fatal(err)
		}
		p := transport.NewPool("orders.test:80", transport.Options{
			Config: transport.Config{TLS: secure, MaxConnections: 2}, Dial: up.dial, Log: slog.New(slog.NewTextHandler(&log, nil)),
		})
		if err := p.Warm(t.Context(), 2); err != nil {
			t.Fatal(err)
		}
		if got := strings.Count(log.String(), "level=WARN"); got != 1 || up.dials() != 2 {
			t.Errorf("%d connections, log:\n%s", up.dials(), &log)
		}
		p.Close()
		up.close()
	})
}

// A plain request that comes to a TLS port reaches nobody, however the port says it.
func TestPlainAtTLS(t *testing.T) {
	const page = "<html><head><title>400 The plain HTTP request was sent to HTTPS port</title></head></html>"
	for name, test := range map[string]struct {
		peer    peer
		refused bool
	}{
		"alert":        {answering("\x15\x03\x01\x00\x02\x02\x46"), true},
		"alert, held":  {holding("\x15\x03\x03\x00\x02\x01\x00"), true},
		"Go":           {answering("HTTP/1.0 400 Bad Request\r\n\r\nClient sent an HTTP request to an HTTPS server.\n"), true},
		"nginx":        {answering("HTTP/1.1 400 Bad Request\r\nConnection: close\r\nContent-Length: 93\r\n\r\n" + page + "\r\n\r\n\r\n"), true},
		"an own 400":   {answering("HTTP/1.0 400 Bad Request\r\n\r\n" + strings.Repeat("x", 1000)), false},
		"another's":    {answering("HTTP/1.1 400 Bad Request\r\nContent-Length: 93\r\n\r\n" + page + "\r\n\r\n\r\n"), false},
		"a short, own": {answering("HTTP/1.0 400 Bad Request\r\n\r\nno"), false},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				b := newBench(t, test.peer, transport.Config{})
				c := b.call("POST", nil)
				resp, err := b.RoundTrip(c)
				if !test.refused {
					if err != nil {
						t.Fatal(err)
					}
					content, err := resp.Body.ReadAll(0)
					if err != nil || len(content) != map[string]int{"an own 400": 1000, "another's": 93, "a short, own": 2}[name] {
						t.Errorf("got %d bytes, %v", len(content), err)
					}
					return
				}
				wantError(t, err, lift.BadResponse)
				if !strings.Contains(err.Error(), "speaks TLS") || !strings.Contains(err.Error(), "add tls") || c.Reached != lift.NotReached {
					t.Errorf("reached %v: %v", c.Reached, err)
				}
				synctest.Wait()
				if s := b.Stats(); s.Open != 0 {
					t.Errorf("left: %+v", s)
				}
			})
		})
	}
}

// An alert on a connection that has served before says nothing of who read what.
func TestAlertAfterAnAnswer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, onceThen(answering("\x15\x03\x03\x00\x02\x02\x28")), transport.Config{})
		b.mustCall(t, "POST")
		c := b.call("POST", nil)
		_, err := b.RoundTrip(c)
		wantError(t, err, lift.BadResponse)
		if c.Reached != lift.MayHaveActed {
			t.Errorf("reached %v", c.Reached)
		}
	})
}

// Over real sockets: a connection with a session ticket on it that nobody has read
// yet is alive, and one on which the endpoint has said its end is not.
func TestTLSLiveness(t *testing.T) {
	a := certtest.New(t, "ca")
	client := a.Issue(nil, "client")
	for name, alive := range map[string]bool{"ticket": true, "end": false} {
		t.Run(name, func(t *testing.T) {
			ln, err := net.Listen("tcp", "127.0.0.1:0")
			if err != nil {
				t.Fatal(err)
			}
			secure := a.Server("orders.test", func(c *tls.Config) {
				c.ClientAuth = tls.RequireAnyClientCert // the ticket then comes by itself, after the handshake
			})
			spoken := make(chan struct{}, 2) // the endpoint's last word before the call is on the way
			var serving sync.WaitGroup
			serving.Go(func() {
				for first := true; ; first = false {
					c, err := ln.Accept()
					if err != nil {
						return
					}
					serving.Go(func() {
						defer c.Close()
						s := tls.Server(c, secure)
						if s.Handshake() == nil && first && !alive {
							_ = s.CloseWrite()
						}
						spoken <- struct{}{}
						healthy(&upstream{}, s, bufio.NewReader(s))
					})
				}
			})
			defer serving.Wait()
			defer ln.Close()

			release := make(chan struct{})
			p := transport.NewPool(ln.Addr().String(), transport.Options{
				Config: transport.Config{TLS: &transport.TLS{CA: []string{a.File}, ServerName: "orders.test", Cert: client.CertFile, Key: client.KeyFile}},
				Dial: func(ctx context.Context, network, addr string) (net.Conn, error) {
					c, err := new(net.Dialer).DialContext(ctx, network, addr)
					if err != nil {
						return nil, err
					}
					return &heldBack{TCPConn: c.(*net.TCPConn), release: release}, nil
				},
			})
			defer p.Close()
			if err := p.Warm(t.Context(), 1); err != nil {
				t.Fatal(err)
			}
			<-spoken
			c := tryOf(&lift.Call{Method: "POST", Deadline: time.Now().Add(10 * time.Second)})
			called := make(chan error, 1)
			go func() {
				resp, err := p.RoundTrip(c)
				if err == nil {
					_, err = resp.Body.ReadAll(0)
				}
				called <- err
			}()
			for range 1000 {
				runtime.Gosched() // the call looks at the connection meanwhile
			}
			close(release)
			if err := <-called; err != nil {
				t.Fatal(err)
			}
			if c.Fresh == alive {
				t.Errorf("a fresh connection: %v", c.Fresh)
			}
		})
	}
}

// heldBack is a connection on which nothing is read after the handshake, as long
// as it is not released: what the endpoint sends lies in the kernel.
type heldBack struct {
	*net.TCPConn
	release chan struct{}
	writes  atomic.Int32
}

// Write counts: TLS 1.3's client writes twice in a handshake.
func (h *heldBack) Write(p []byte) (int, error) {
	h.writes.Add(1)
	return h.TCPConn.Write(p)
}

func (h *heldBack) Read(p []byte) (int, error) {
	if h.writes.Load() >= 2 {
		<-h.release
	}
	return h.TCPConn.Read(p)
}

// What is prepared is read once: the files may go without harm.
func TestTLSPrepare(t *testing.T) {
	a := certtest.New(t, "ca")
	secure := &transport.TLS{CA: []string{a.File}, ServerName: "orders.test"}
	if err := secure.Prepare(); err != nil {
		t.Fatal(err)
	}
	if err := (&transport.TLS{}).Prepare(); err != nil {
		t.Error(err)
	}
	if err := os.Remove(a.File); err != nil {
		t.Fatal(err)
	}
	synctest.Test(t, func(t *testing.T) {
		b := newBenchTLS(t, healthy, transport.Config{TLS: secure}, a.Server("orders.test", nil))
		b.mustCall(t, "POST")
	})
}
