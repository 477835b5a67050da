package main

import (
	"bytes"
	"context"
	"crypto/x509"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/liftmesh/lift/config"
	"github.com/liftmesh/lift/internal/certtest"
	liftv1 "github.com/liftmesh/lift/proto/lift/v1"
	"github.com/liftmesh/lift/sdk"
	"github.com/liftmesh/lift/sidecar"
)

// A standalone sidecar tells how it is from its start to the end of its drain: who
// is connected, where it listens, and what became of its reloads.
func TestStatus(t *testing.T) {
	arrived, release := make(chan struct{}), make(chan struct{})
	upstream := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {
		close(arrived)
		<-release
	}))
	defer upstream.Close()
	ca := certtest.New(t, "authority")
	dir, plain := t.TempDir(), freePort(t)
	socket, file := filepath.Join(dir, "lift.sock"), filepath.Join(dir, "lift.yaml")
	write := func(more string) {
		t.Helper()
		text := fmt.Sprintf("socket: %q\nplain: [%q]\nservices:\n  orders: {from: static, endpoints: [%q], timeout: 1m}\n  secure: {from: static, endpoints: [\"127.0.0.1:1\"], tls: {ca: %q}}\n%s",
			socket, plain, upstream.Listener.Addr(), ca.File, more)
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	write("")
	cfg, problems := config.Load(file, func(string) (string, bool) { return "", false })
	signals, code := make(chan os.Signal, 4), make(chan int, 1)
	p := build(cfg, slog.New(slog.DiscardHandler))
	p.signals = signals
	go func() { code <- p.standalone(t.Context(), problems) }()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	until := func(what string, ok func(*liftv1.StatusResponse) bool) *liftv1.StatusResponse {
		t.Helper()
		for {
			st, err := sidecar.AskStatus(ctx, socket)
			if err == nil && ok(st) {
				return st
			}
			if ctx.Err() != nil {
				t.Fatalf("%s: it does not come to that: %v, %v", what, st, err)
			}
		}
	}

	st := until("both sets are told", func(st *liftv1.StatusResponse) bool {
		return len(st.GetDoors()) == 2 && len(st.GetSources()) == 2 && st.GetSources()[0].GetEndpoints() == 1 && st.GetSources()[1].GetEndpoints() == 1
	})
	if st.GetPid() != int64(os.Getpid()) || st.GetVersion() != version() || st.GetConfigFile() != file || st.GetLambda() || st.GetDraining() ||
		st.GetStartedUnixNanos() == 0 || st.GetAtUnixNanos() < st.GetStartedUnixNanos() || st.GetLastReload() != nil || len(st.GetPeers()) != 0 {
		t.Errorf("%v", st)
	}
	if d := st.GetDoors(); d[0].GetKind() != "api" || d[0].GetAddress() != socket || d[1].GetKind() != "plain" || d[1].GetAddress() != plain || d[1].GetError() != "" {
		t.Errorf("%v", d)
	}
	if s := st.GetSources()[0]; s.GetService() != "orders" || s.GetFrom() != "static" || s.GetToldUnixNanos() == 0 {
		t.Errorf("%v", s)
	}
	if c := st.GetCertificates(); len(c) != 1 || c[0].GetFile() != ca.File || c[0].GetKind() != "ca" || c[0].GetNotAfterUnixNanos() <= st.GetAtUnixNanos() || c[0].GetServices()[0] != "secure" {
		t.Errorf("%v", c)
	}

	client, err := sdk.Dial(socket)
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	called := make(chan error, 1)
	go func() {
		_, err := sdk.Post[struct{}](ctx, client, "orders", "/", nil)
		called <- err
	}()
	<-arrived
	st = until("its peer is there", func(st *liftv1.StatusResponse) bool { return len(st.GetPeers()) == 1 })
	if peer := st.GetPeers()[0]; !strings.HasPrefix(peer.GetSoftware(), "lift-go ") || peer.GetCalls() != 1 || peer.GetAddress() != socket || peer.GetSinceUnixNanos() == 0 {
		t.Errorf("%v", peer)
	}
	if calls := st.GetDoors()[0].GetCalls(); calls != 1 {
		t.Errorf("%d calls run", calls)
	}

	write("timeout: ages\n")
	signals <- syscall.SIGHUP
	st = until("it refuses the reload", func(st *liftv1.StatusResponse) bool { return st.GetReloadsRefused() == 1 })
	last := st.GetLastReload()
	if last.GetTrigger() != "SIGHUP" || !strings.Contains(last.GetRefused(), "lift.yaml:6:1: timeout: ") || last.GetAtUnixNanos() < st.GetConfigUnixNanos() || st.GetReloadsApplied() != 0 {
		t.Errorf("%v", last)
	}
	var said, errs bytes.Buffer
	health := []string{"health", "--socket", socket, "--timeout", "1m"}
	if code := command(health, func(string) (string, bool) { return "", false }, &said, &errs); code != 0 ||
		!strings.HasPrefix(said.String(), "serving; the reload at ") || !strings.Contains(said.String(), "lift.yaml:6:1: timeout: ") {
		t.Errorf("health: code %d, %s%s", code, &said, &errs)
	}
	if body := healthz(ctx, t, plain); !strings.Contains(body, `"status":"ok"`) || !strings.Contains(body, "reload of lift.yaml was refused") {
		t.Errorf("/healthz: %s", body)
	}

	write("drain: {quiet: 100ms}\n")
	signals <- syscall.SIGHUP
	before := st.GetConfigUnixNanos()
	st = until("it takes the next one", func(st *liftv1.StatusResponse) bool { return st.GetReloadsApplied() == 1 })
	if last := st.GetLastReload(); last.GetRefused() != "" || st.GetReloadsRefused() != 1 || st.GetConfigUnixNanos() <= before {
		t.Errorf("%v", st)
	}
	if body := healthz(ctx, t, plain); strings.TrimSpace(body) != `{"status":"ok"}` {
		t.Errorf("/healthz: %s", body)
	}

	signals <- syscall.SIGTERM
	until("it drains", func(st *liftv1.StatusResponse) bool { return st.GetDraining() })
	close(release)
	if err := <-called; err != nil {
		t.Error(err)
	}
	if got := <-code; got != 0 {
		t.Errorf("exit code %d", got)
	}
}

func healthz(ctx context.Context, t *testing.T, addr string) string {
	t.Helper()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+addr+"/healthz", nil)
	if err != nil {
		t.Fatal(err)
	}
	req.Host = "lift"
	req.Close = true
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return string(body)
}

// What is too long for a status is cut, and says so.
func TestStatusIsBounded(t *testing.T) {
	got := bounded(fmt.Errorf("%s\xff", strings.Repeat("a problem\n", 10_000)))
	if len(got) > maxProblems+100 || !strings.HasSuffix(got, "(cut; the log has all)") {
		t.Errorf("%d bytes", len(got))
	}
	if got := bounded(fmt.Errorf("not \xff UTF-8")); got != "not \ufffd UTF-8" {
		t.Errorf("%q", got)
	}
}

// A door that cannot be opened says why.
func TestStatusOfAClosedDoor(t *testing.T) {
	p := build(parse(t, "services: {}\n"), slog.New(slog.DiscardHandler))
	defer p.mesh.Close()
	d := &door{kind: "plain", address: "127.0.0.1:4140", log: p.log, listen: func() (server, error) { return nil, fmt.Errorf("the port is taken") }}
	d.recheck(t.Context())
	p.state.set(func(s *state) { s.lambda, s.doors = true, doors{d} })
	st := p.status()
	if len(st.GetDoors()) != 1 || st.GetDoors()[0].GetError() != "the port is taken" || !st.GetLambda() {
		t.Errorf("%v", st)
	}
}

// The certificates for Consul are told too, with those of services, by their expiry.
func TestStatusOfConsulsCertificates(t *testing.T) {
	ca := certtest.New(t, "authority")
	own := ca.Issue(func(c *x509.Certificate) { c.NotAfter = time.Now().Add(time.Hour) }, "me")
	cfg := parse(t, "registry: {consul: {address: \"https://127.0.0.1:1\", tls: {ca: %q, cert: %q, key: %q}}}\nservices: {orders: {from: static, endpoints: [\"127.0.0.1:1\"], tls: {ca: %q}}}\n",
		ca.File, own.CertFile, own.KeyFile, ca.File)
	p := build(cfg, slog.New(slog.DiscardHandler))
	defer p.mesh.Close()
	var got []string
	for _, c := range p.status().GetCertificates() {
		got = append(got, c.GetKind()+" "+c.GetFile()+" "+c.GetServices()[0])
	}
	if want := []string{"client " + own.CertFile + " registry.consul", "ca " + ca.File + " orders", "ca " + ca.File + " registry.consul"}; !slices.Equal(got, want) {
		t.Errorf("got  %q\nwant %q", got, want)
	}
}
