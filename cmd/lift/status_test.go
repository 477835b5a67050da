package main

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/liftmesh/lift"
	liftv1 "github.com/liftmesh/lift/proto/lift/v1"
	"github.com/liftmesh/lift/sidecar"
)

// troubled is a sidecar in which everything that can be wrong is.
func troubled() *liftv1.StatusResponse {
	at := moment1()
	ago := func(d time.Duration) int64 { return at.Add(-d).UnixNano() }
	const day = 24 * time.Hour
	return &liftv1.StatusResponse{
		Version: "v0.3.1", Pid: 4711, AtUnixNanos: ago(0), StartedUnixNanos: ago(3 * day),
		ConfigFile: "/etc/lift/lift.yaml", Environment: "prod", ConfigUnixNanos: ago(5 * time.Hour),
		LastReload: &liftv1.Reload{
			AtUnixNanos: ago(3 * time.Minute), Trigger: "the file has changed",
			Refused: "lift.yaml:12:14: services.orders.timeout: \"2\" has no unit; want a duration such as 2s\nlift.yaml:14:3: tmeout: unknown key",
		},
		ReloadsApplied: 2, ReloadsRefused: 1,
		Doors: []*liftv1.Door{
			{Kind: "api", Address: "/run/lift/lift.sock", Calls: 3},
			{Kind: "plain", Address: "127.0.0.1:4140"},
			{Kind: "plain", Address: "127.0.0.1:4141", Service: "orders", Error: "address already in use"},
		},
		Peers: []*liftv1.Peer{
			{Software: "lift-go v0.3.0", Pid: 42, SinceUnixNanos: ago(2 * time.Hour), Calls: 1},
			{Software: "lift-go v0.3.0", Pid: 42, SinceUnixNanos: ago(time.Hour), Calls: 2},
			{Software: "lift-go v0.2.0", SinceUnixNanos: ago(time.Minute)},
			{Software: "lift-go v0.2.0", SinceUnixNanos: ago(time.Minute)},
		},
		Sources: []*liftv1.ServiceSource{
			{Service: "billing", From: "dns", Error: "lookup billing.internal: no server answers", ToldUnixNanos: ago(2 * time.Minute), Endpoints: 2},
			{Service: "broken", Broken: "lift.yaml:9: it says nothing of where it comes from"},
			{Service: "new", From: "consul"},
			{Service: "orders", From: "static", ToldUnixNanos: ago(5 * time.Hour), Endpoints: 3},
		},
		Certificates: []*liftv1.Certificate{
			{File: "/etc/lift/old.pem", Kind: "client", Subject: "shop", NotAfterUnixNanos: ago(2 * day), Services: []string{"billing", "orders"}},
			{File: "/etc/lift/ca.pem", Kind: "ca", Subject: "our authority", NotAfterUnixNanos: ago(-6 * day), Services: []string{"orders"}},
			{File: "/etc/lift/good.pem", Kind: "client", Subject: "shop", NotAfterUnixNanos: ago(-90 * day), Services: []string{"new"}},
		},
	}
}

func well() *liftv1.StatusResponse {
	st := troubled()
	st.LastReload.Refused = ""
	st.Doors, st.Sources, st.Certificates = st.Doors[:2], st.Sources[3:], st.Certificates[2:]
	return st
}

// telling starts a sidecar with this status.
func telling(t *testing.T, st *liftv1.StatusResponse) (socket string) {
	t.Helper()
	cfg := sidecar.Config{
		Socket: filepath.Join(t.TempDir(), "s"), Caller: &told{all: example()},
		Status: func() *liftv1.StatusResponse { return st },
	}
	s, err := sidecar.Listen(cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.Close)
	go func() { _ = s.Serve(t.Context()) }()
	return cfg.Socket
}

func lifted(t *testing.T, args ...string) (code int, out, errs string) {
	t.Helper()
	var o, e bytes.Buffer
	code = run(t.Context(), args, streams{nil, &o, &e}, nothing)
	return code, o.String(), e.String()
}

const troubledText = `lift-extension v0.3.1, pid 4711, up 3d, serving
configuration: /etc/lift/lift.yaml (prod), read 5h ago
last reload: 3m ago (the file has changed), refused; the configuration above
  stays in force
  lift.yaml:12:14: services.orders.timeout: "2" has no unit; want a duration
  such as 2s
  lift.yaml:14:3: tmeout: unknown key

listens on           for                 calls
/run/lift/lift.sock  the Lift API        3
127.0.0.1:4140       any HTTP client     0
127.0.0.1:4141       the service orders  -
    not open; trying again: address already in use

peer            pid  calls  connected
lift-go v0.3.0  42   3      2h ago
lift-go v0.2.0  -    0      1m0s ago
lift-go v0.2.0  -    0      1m0s ago

service  from    endpoints  registry
billing  dns     2          told 2m ago
    the registry does not answer: lookup billing.internal: no server answers
broken   -       0          -
    its configuration is broken: lift.yaml:9: it says nothing of where it comes
    from
new      consul  0          has not answered yet
orders   static  3          told 5h ago

certificate         kind       expires
/etc/lift/old.pem   client     2025-12-31
    shop expired 2d ago; used for billing, orders
/etc/lift/ca.pem    authority  2026-01-08
    our authority expires in 6d; used for orders
/etc/lift/good.pem  client     2026-04-02

Needs attention:
  the last reload was refused
  127.0.0.1:4141 is not open
  the registry of billing does not answer
  the configuration of broken is broken
  /etc/lift/old.pem expired 2d ago
  /etc/lift/ca.pem expires in 6d
`

func TestStatus(t *testing.T) {
	if code, out, errs := lifted(t, "status", "--socket", telling(t, troubled())); code != exitRefused || out != troubledText || errs != "" {
		t.Errorf("code %d, %s\n%s", code, errs, out)
	}
	if code, out, errs := lifted(t, "status", "--socket", telling(t, well())); code != exitOK || strings.Contains(out, "attention") || errs != "" {
		t.Errorf("code %d, %s\n%s", code, errs, out)
	}
	code, out, errs := lifted(t, "status", "--json", "--socket", telling(t, troubled()))
	var got processJSON
	if err := json.Unmarshal([]byte(out), &got); code != exitRefused || errs != "" || err != nil {
		t.Fatalf("code %d, %s, %v", code, errs, err)
	}
	if len(got.Problems) != 6 || got.PID != 4711 || got.UptimeS != 3*24*3600 || got.State != "serving" || !got.At.Equal(moment1()) ||
		got.LastReload == nil || got.LastReload.Refused == "" || got.Config.Refused != 1 || len(got.Doors) != 3 || len(got.Peers) != 4 ||
		got.Registries[0].AgeS != 120 || got.Registries[1].Told != nil || got.Certificates[1].Kind != "ca" {
		t.Errorf("%s", out)
	}
	if code, out, errs := lifted(t, "status", "--socket", filepath.Join(t.TempDir(), "none")); code != exitFailed || out != "" || strings.Count(errs, "\n") != 1 {
		t.Errorf("no sidecar: code %d, %s%s", code, errs, out)
	}
}

// Each problem alone is one for the exit code.
func TestStatusProblems(t *testing.T) {
	for name, change := range map[string]func(st, bad *liftv1.StatusResponse){
		"draining":              func(st, _ *liftv1.StatusResponse) { st.Draining = true },
		"broken":                func(st, _ *liftv1.StatusResponse) { st.Broken = "no file" },
		"a refused reload":      func(st, bad *liftv1.StatusResponse) { st.LastReload = bad.LastReload },
		"a closed door":         func(st, bad *liftv1.StatusResponse) { st.Doors = bad.Doors },
		"a silent registry":     func(st, bad *liftv1.StatusResponse) { st.Sources = bad.Sources[:1] },
		"a broken service":      func(st, bad *liftv1.StatusResponse) { st.Sources = bad.Sources[1:2] },
		"an expired chain":      func(st, bad *liftv1.StatusResponse) { st.Certificates = bad.Certificates[:1] },
		"an expiring authority": func(st, bad *liftv1.StatusResponse) { st.Certificates = bad.Certificates[1:2] },
	} {
		st := well()
		change(st, troubled())
		if got := statusOf(st).Problems; len(got) != 1 {
			t.Errorf("%s: %q", name, got)
		}
	}
	st := well()
	st.Sources = troubled().Sources[2:] // one has not answered yet, as after a start
	if got := statusOf(st).Problems; len(got) != 0 {
		t.Errorf("%q", got)
	}
}

// Whatever a sidecar tells, no line is longer than a terminal, and none moves its
// cursor.
func TestStatusFits(t *testing.T) {
	for _, word := range []string{"", "x", strings.Repeat("word ", 40), strings.Repeat("long", 60), "\x1b[2J\r\n\u009b", strings.Repeat("ü", 90)} {
		st := &liftv1.StatusResponse{
			Version: word, ConfigFile: word, Environment: word, Broken: word + "\n" + word, LastReload: &liftv1.Reload{Trigger: word, Refused: word},
			Doors: []*liftv1.Door{{Kind: word, Address: word, Service: word, Error: word, Calls: 1 << 30}},
			Peers: []*liftv1.Peer{{Software: word, Pid: 1 << 60, Calls: 1 << 30, Address: word}}, Sources: []*liftv1.ServiceSource{
				{Service: word, From: word, Error: word, Endpoints: 1 << 30, ToldUnixNanos: 1}, {Service: word, Broken: word},
			},
			Certificates: []*liftv1.Certificate{{File: word, Kind: word, Subject: word, Services: []string{word, word}}},
		}
		var b strings.Builder
		if err := writeStatus(&b, statusOf(st), terminal{}.paint); err != nil {
			t.Fatal(err)
		}
		for line := range strings.Lines(b.String()) {
			line = strings.TrimSuffix(line, "\n")
			if utf8.RuneCountInString(line) > columns || strings.ContainsAny(line, "\x1b\r\u009b") {
				t.Errorf("a line of %d columns: %q", utf8.RuneCountInString(line), line)
			}
		}
	}
}

// `lift services` says that what it shows is of an older configuration.
func TestServicesAfterARefusedReload(t *testing.T) {
	const says = "the reload at 2026-01-02T03:01:05Z was refused, and the configuration before it"
	socket := telling(t, troubled())
	if code, out, errs := lifted(t, "services", "--socket", socket); code != exitOK || errs != "" || !strings.HasPrefix(out, says) || !strings.HasSuffix(out, exampleText) ||
		!strings.Contains(out, "lift.yaml:12:14:") || !strings.Contains(out, "see lift status") {
		t.Errorf("code %d, %s\n%s", code, errs, out)
	}
	code, out, errs := lifted(t, "services", "--json", "--socket", socket)
	if err := json.Unmarshal([]byte(out), &[]serviceJSON{}); code != exitOK || err != nil || !strings.HasPrefix(errs, "lift: "+says) || strings.Count(errs, "\n") != 1 {
		t.Errorf("code %d, %v, %s\n%s", code, err, errs, out)
	}
	if _, out, errs := lifted(t, "services", "--socket", telling(t, well())); out != exampleText || errs != "" {
		t.Errorf("%s\n%s", errs, out)
	}

	// A watch says it once, and again when it comes back.
	var aloud bytes.Buffer
	said := []string{"", "refused", "refused", "", "refused"}
	show := aside(&aloud, func() string { s := said[0]; said = said[1:]; return s }, func([]lift.ServiceStatus, error) error { return nil })
	for range 5 {
		if err := show(nil, nil); err != nil {
			t.Fatal(err)
		}
	}
	if got := aloud.String(); got != "lift: refused\nlift: refused\n" {
		t.Errorf("%q", got)
	}
}

// The page shows what the command writes.
func TestStatusPage(t *testing.T) {
	page, err := os.ReadFile("../../docs/cli.md")
	if err != nil {
		t.Fatal(err)
	}
	if _, out, _ := lifted(t, "status", "--socket", telling(t, pageStatus())); !strings.Contains(string(page), "```text\n"+out+"```\n") {
		t.Errorf("docs/cli.md does not have\n%s", out)
	}
}

func pageStatus() *liftv1.StatusResponse {
	st := troubled()
	st.Doors, st.Peers, st.Sources, st.Certificates = st.Doors[:2], st.Peers[:2], st.Sources[2:], st.Certificates[1:]
	st.Sources[0] = &liftv1.ServiceSource{Service: "billing", From: "consul", ToldUnixNanos: moment1().Add(-12 * time.Second).UnixNano(), Endpoints: 2}
	return st
}
