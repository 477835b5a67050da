//go:build e2e

// Package dns_test runs lift-extension over a DNS server that comes, changes its
// mind, goes and comes back.
package dns_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	miekg "github.com/miekg/dns"

	"github.com/liftmesh/lift"
	"github.com/liftmesh/lift/sdk"
)

// patience is how long what should take seconds at most may take.
const patience = 20 * time.Second

type answer struct{ Instance string }

func TestStandaloneOverDNS(t *testing.T) {
	port := startInstances(t, "127.0.0.2", "127.0.0.3")
	server := newNameServer(t)
	sidecar := startSidecar(t, fmt.Sprintf(`
defaults: {timeout: 5s}
services:
  orders:
    from: dns
    dns: {name: orders.internal, port: %s, servers: ["%s"]}
  by-srv:
    from: dns
    dns: {name: _http._tcp.orders.internal, type: srv, servers: ["%[2]s"]}
`, port, server.addr))
	client, err := sdk.Dial(sidecar.socket)
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	both := []string{"orders", "by-srv"}
	call := func(service string) (string, error) {
		ctx, cancel := context.WithTimeout(context.Background(), patience)
		defer cancel()
		got, err := sdk.Get[answer](ctx, client, service, "/")
		return got.Instance, err
	}
	records := func(instance string) []string {
		return []string{
			"orders.internal. 1 IN A " + instance,
			"_http._tcp.orders.internal. 1 IN SRV 1 1 " + port + " orders.internal.",
		}
	}
	arrives := func(instance string) {
		t.Helper()
		for _, service := range both {
			waitUntil(t, service+" is served by "+instance, func() bool {
				got, err := call(service)
				return err == nil && got == instance
			})
		}
	}

	// A call that is made while there is no DNS yet waits for it.
	first := make(chan error, 1)
	go func() {
		_, err := call("orders")
		first <- err
	}()
	waitUntil(t, "the sidecar misses DNS", func() bool { return strings.Contains(sidecar.String(), "the registry fails") })
	server.start(t, records("127.0.0.2")...)
	if err := <-first; err != nil {
		t.Fatalf("the first call: %v", err)
	}
	arrives("127.0.0.2")

	server.set(t, records("127.0.0.3")...)
	arrives("127.0.0.3")

	// DNS is gone: the last set serves on, well past its TTL.
	server.stop(t)
	failed := strings.Count(sidecar.String(), "the registry fails")
	waitUntil(t, "both watches miss DNS", func() bool { return strings.Count(sidecar.String(), "the registry fails") >= failed+2 })
	for end := time.Now().Add(3 * time.Second); time.Now().Before(end); time.Sleep(20 * time.Millisecond) {
		for _, service := range both {
			if got, err := call(service); err != nil || got != "127.0.0.3" {
				t.Fatalf("%s without DNS: %q, %v", service, got, err)
			}
		}
	}
	server.start(t, records("127.0.0.2")...)
	arrives("127.0.0.2")

	// Nobody is a set as well.
	server.set(t)
	waitUntil(t, "nobody serves orders", func() bool {
		_, err := call("orders")
		return errors.Is(err, lift.NoEndpoints)
	})
	server.set(t, records("127.0.0.3")...)
	arrives("127.0.0.3")
}

// startInstances starts one HTTP server on each address, all on one port.
func startInstances(t *testing.T, hosts ...string) (port string) {
	t.Helper()
	port = "0"
	for _, host := range hosts {
		l, err := net.Listen("tcp", net.JoinHostPort(host, port))
		if err != nil {
			t.Skipf("want addresses of the loopback besides 127.0.0.1: %v", err)
		}
		_, port, _ = net.SplitHostPort(l.Addr().String())
		s := &http.Server{ReadHeaderTimeout: patience, Handler: http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", "application/json")
			_, _ = fmt.Fprintf(w, `{"instance":%q}`, host)
		})}
		go s.Serve(l)
		t.Cleanup(func() { s.Close() })
	}
	return port
}

// nameServer is a DNS server on an address of its own, up or down.
type nameServer struct {
	addr string
	mu   sync.Mutex
	rrs  []miekg.RR
	up   []*miekg.Server
}

func newNameServer(t *testing.T) *nameServer {
	t.Helper()
	p, err := net.ListenPacket("udp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer p.Close()
	n := &nameServer{addr: p.LocalAddr().String()}
	t.Cleanup(func() { n.stop(t) })
	return n
}

func (n *nameServer) start(t *testing.T, records ...string) {
	t.Helper()
	n.set(t, records...)
	for _, network := range []string{"udp", "tcp"} {
		ready, ended := make(chan struct{}), make(chan error, 1)
		s := &miekg.Server{Addr: n.addr, Net: network, Handler: n, NotifyStartedFunc: func() { close(ready) }}
		go func() { ended <- s.ListenAndServe() }()
		select {
		case <-ready:
			n.up = append(n.up, s)
		case err := <-ended:
			t.Fatal(err)
		}
	}
}

func (n *nameServer) stop(t *testing.T) {
	t.Helper()
	for _, s := range n.up {
		if err := s.Shutdown(); err != nil {
			t.Error(err)
		}
	}
	n.up = nil
}

func (n *nameServer) set(t *testing.T, records ...string) {
	t.Helper()
	var rrs []miekg.RR
	for _, s := range records {
		rr, err := miekg.NewRR(s)
		if err != nil {
			t.Fatal(err)
		}
		rrs = append(rrs, rr)
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	n.rrs = rrs
}

// ServeDNS implements miekg.Handler.
func (n *nameServer) ServeDNS(w miekg.ResponseWriter, q *miekg.Msg) {
	n.mu.Lock()
	defer n.mu.Unlock()
	m := new(miekg.Msg)
	m.SetReply(q)
	m.Rcode = miekg.RcodeNameError
	soa, _ := miekg.NewRR("internal. 1 IN SOA a. b. 1 2 3 4 1")
	m.Ns = []miekg.RR{soa}
	for _, rr := range n.rrs {
		if h := rr.Header(); strings.EqualFold(h.Name, q.Question[0].Name) {
			m.Rcode = miekg.RcodeSuccess
			if h.Rrtype == q.Question[0].Qtype {
				m.Answer = append(m.Answer, rr)
			}
		}
	}
	_ = w.WriteMsg(m)
}

// process is a lift-extension that runs outside Lambda, and what it has written.
type process struct {
	socket string
	mu     sync.Mutex
	text   bytes.Buffer
}

// Write implements io.Writer.
func (p *process) Write(b []byte) (int, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.text.Write(b)
}

// String returns what it has written so far.
func (p *process) String() string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.text.String()
}

func startSidecar(t *testing.T, config string) *process {
	t.Helper()
	dir := t.TempDir()
	binary, file := filepath.Join(dir, "lift-extension"), filepath.Join(dir, "lift.yaml")
	if out, err := exec.Command("go", "build", "-o", binary, "github.com/liftmesh/lift/cmd/lift-extension").CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	if err := os.WriteFile(file, []byte(config), 0o600); err != nil {
		t.Fatal(err)
	}
	p := &process{socket: filepath.Join(dir, "lift.sock")}
	cmd := exec.Command(binary)
	for _, e := range os.Environ() {
		if !strings.HasPrefix(e, "LIFT_") && !strings.HasPrefix(e, "AWS_LAMBDA_") {
			cmd.Env = append(cmd.Env, e)
		}
	}
	cmd.Env = append(cmd.Env, "LIFT_CONFIG="+file, "LIFT_SOCKET="+p.socket)
	cmd.Stdout, cmd.Stderr = p, p
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
		if t.Failed() {
			t.Logf("the log of the sidecar:\n%s", p)
		}
	})
	waitUntil(t, "the sidecar serves", func() bool { return strings.Contains(p.String(), `"msg":"serving"`) })
	return p
}

// waitUntil polls until ok, and fails the test if that does not come.
func waitUntil(t *testing.T, what string, ok func() bool) {
	t.Helper()
	for end := time.Now().Add(patience); !ok(); time.Sleep(10 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("waited %s in vain: %s", patience, what)
		}
	}
}
