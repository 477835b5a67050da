package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"
	"unicode/utf8"

	"github.com/liftmesh/lift"
)

// told is a mesh that tells what it is told to.
type told struct {
	lift.CallerFunc

	mu  sync.Mutex
	all []lift.ServiceStatus
}

func (m *told) Services(_ context.Context, names ...string) ([]lift.ServiceStatus, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if len(names) == 0 {
		return m.all, nil
	}
	for _, s := range m.all {
		if s.Name == names[0] {
			return []lift.ServiceStatus{s}, nil
		}
	}
	return nil, &lift.Error{Code: lift.UnknownService, Service: names[0], Err: errors.New("no such service")}
}

// moment1 is when all of example was told.
func moment1() time.Time { return time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC) }

func example() []lift.ServiceStatus {
	at := moment1()
	return []lift.ServiceStatus{
		{Name: "billing", At: at, Broken: "lift.yaml:9:12: services.billing.timeout: \"2\" is no duration with a unit; want a duration such as 2s"},
		{Name: "empty", From: "static", At: at, Told: at.Add(-3 * time.Hour), Endpoints: []lift.EndpointStatus{}},
		{Name: "fresh", From: "dns", At: at, Error: "lookup orders.internal: no server answers"},
		{Name: "orders", From: "consul", At: at, Told: at.Add(-12 * time.Second), Endpoints: []lift.EndpointStatus{
			{Endpoint: lift.Endpoint{Addr: "10.0.1.7:8080", ID: "o-1", Zone: "use1-az1", Weight: 2}, State: "closed", InFlight: 3, Open: 4, Idle: 1, Usual: 1234 * time.Microsecond},
			{Endpoint: lift.Endpoint{Addr: "10.0.1.8:8080"}, State: "open", Until: at.Add(12400 * time.Millisecond), Why: "3 failures in a row, the last: attempt_timeout", Failures: 3},
			{Endpoint: lift.Endpoint{Addr: "10.0.1.9:8080"}, State: "half_open", Why: "refused", InFlight: 1, Open: 1, Usual: 20 * time.Millisecond},
			{Endpoint: lift.Endpoint{Addr: "10.0.1.10:8080"}, State: "closed", Failures: 1},
		}},
	}
}

const exampleText = `billing: its configuration is broken
  lift.yaml:9:12: services.billing.timeout: "2" is no duration with a unit; want
  a duration such as 2s

empty: from static, no endpoints, told 3h ago

fresh: from dns, the registry has not answered yet
  the registry does not answer: lookup orders.internal: no server answers

orders: from consul, 4 endpoints, 1 out, 1 probing, told 12s ago
  endpoint                   state    in flight  conns  usually
  10.0.1.7:8080 use1-az1 x2  healthy          3      4   1.23ms
  10.0.1.8:8080              out              0      0        -
    3 failures in a row, the last: attempt_timeout; probe in 12s
  10.0.1.9:8080              probing          1      1     20ms
    refused
  10.0.1.10:8080             healthy          0      0        -
    1 failure in a row
`

func TestServices(t *testing.T) {
	socket := serving(t, &told{all: example()})
	var out, errs bytes.Buffer
	if code := run(t.Context(), []string{"services", "--socket", socket}, streams{nil, &out, &errs}, nothing); code != exitOK || out.String() != exampleText {
		t.Errorf("exit code %d, %s\n%s", code, &errs, &out)
	}

	out.Reset()
	if code := run(t.Context(), []string{"services", "orders", "--json", "--socket", socket}, streams{nil, &out, &errs}, nothing); code != exitOK {
		t.Errorf("exit code %d, %s", code, &errs)
	}
	var got []serviceJSON
	if err := json.Unmarshal(out.Bytes(), &got); err != nil || len(got) != 1 || len(got[0].Endpoints) != 4 {
		t.Fatalf("%v: %s", err, &out)
	}
	if s := got[0]; s.Name != "orders" || s.From != "consul" || s.AgeMS != 12000 || !s.At.Equal(moment1()) {
		t.Errorf("%+v", s)
	}
	if e := got[0].Endpoints[0]; fmt.Sprintln(e.Address, e.ID, e.Zone, e.Weight, e.State, e.InFlight, e.Connections, e.Idle, e.UsualMS) != "10.0.1.7:8080 o-1 use1-az1 2 closed 3 4 1 1.234\n" {
		t.Errorf("%+v", e)
	}
	if e := got[0].Endpoints[1]; e.Until == nil || e.Failures != 3 || e.Why == "" {
		t.Errorf("%+v", e)
	}

	errs.Reset()
	if code := run(t.Context(), []string{"services", "nobody", "--socket", socket}, streams{nil, &out, &errs}, nothing); code != exitFailed || errs.String() != "lift: nobody: unknown_service: no such service\n" {
		t.Errorf("exit code %d, %s", code, &errs)
	}
}

// While it watches, a header says the time, totals and rates, and each endpoint
// has its rate.
func TestWatchHasAHeader(t *testing.T) {
	all := example()[3:]
	at := time.Date(2026, 1, 2, 14, 3, 5, 0, time.UTC)
	var r rates
	show := func(err error) []string {
		var b strings.Builder
		if err := r.picture(&b, at, all, err, terminal{}.paint); err != nil {
			t.Fatal(err)
		}
		return strings.Split(b.String(), "\n")
	}
	wants := func(got []string, line int, want string) {
		t.Helper()
		if got[line] != want {
			t.Errorf("line %d is %q, want %q", line, got[line], want)
		}
	}
	header := func(got []string, rate string) {
		t.Helper()
		wants(got, 0, "14:03:05 1 service, 4 endpoints: 2 healthy, 1 out, 1 probing")
		wants(got, 1, "         "+rate)
		wants(got, 2, "")
	}
	header(show(nil), "- attempts/s") // one look makes no rate
	pass := func(d time.Duration, first, second, failed uint64) {
		all[0].At = all[0].At.Add(d)
		all[0].Endpoints[0].Attempts += first
		all[0].Endpoints[1].Attempts += second
		all[0].Endpoints[1].Failed += failed
	}
	pass(2*time.Second, 24_000, 6, 6)
	got := show(nil)
	header(got, "12.0k attempts/s, 0.0% failed")
	wants(got, 4, "  endpoint                   state    in flight  conns  usually   per s")
	wants(got, 5, "  10.0.1.7:8080 use1-az1 x2  healthy          3      4   1.23ms   12.0k")
	wants(got, 6, "  10.0.1.8:8080              out              0      0        -     3.0")
	pass(time.Second, 90, 10, 5)
	header(show(nil), "100 attempts/s, 5.0% failed")
	pass(time.Second, 0, 0, 0)
	header(show(nil), "0 attempts/s")
	all[0].Endpoints[0].Attempts = 3 // another sidecar, which counts anew
	pass(time.Second, 0, 0, 0)
	got = show(nil)
	header(got, "0 attempts/s")
	wants(got, 5, "  10.0.1.7:8080 use1-az1 x2  healthy          3      4   1.23ms       -")

	wants(show(&lift.Error{Code: lift.NoSidecar, Err: errors.New("nobody listens")}), 0, "14:03:05 no_sidecar: nobody listens")
	header(show(nil), "- attempts/s")
}

// Whatever it is told, no line is longer than a terminal, and none moves its
// cursor.
func TestServicesFit(t *testing.T) {
	for _, word := range []string{"x", strings.Repeat("word ", 40), strings.Repeat("long", 60), "\x1b[2J\r\n\u009b", "\xff", strings.Repeat("ü", 90)} {
		s := lift.ServiceStatus{Name: word, From: word, Error: word, Told: moment1(), At: moment1(), Endpoints: []lift.EndpointStatus{
			{Endpoint: lift.Endpoint{Addr: word, Zone: word, Weight: 1000}, State: "half_open", Why: word, InFlight: 12345, Open: 99999, Usual: 123456 * time.Millisecond},
		}}
		broken := lift.ServiceStatus{Name: word, Broken: word}
		var b strings.Builder
		if err := writeServices(&b, []lift.ServiceStatus{s, broken}, &rates{}, terminal{}.paint); err != nil {
			t.Fatal(err)
		}
		for line := range strings.Lines(b.String()) {
			line = strings.TrimSuffix(line, "\n")
			if utf8.RuneCountInString(line) > columns || strings.ContainsAny(line, "\x1b\r\u009b") || !utf8.ValidString(line) {
				t.Errorf("a line of %d columns: %q", utf8.RuneCountInString(line), line)
			}
		}
	}
}

// Away from a terminal, --watch writes what changes.
func TestWatchWritesChanges(t *testing.T) {
	all := example()[3:]
	var out bytes.Buffer
	show := changeLines(&out)
	var failed error
	for _, step := range []struct {
		change func()
		want   string
	}{
		{func() {}, "orders 10.0.1.10:8080 healthy|orders 10.0.1.7:8080 healthy|orders 10.0.1.8:8080 out: 3 failures in a row, the last: attempt_timeout|orders 10.0.1.9:8080 probing: refused|"},
		{func() {}, ""},
		{func() { all[0].Endpoints[2].State, all[0].Endpoints[2].Why = "closed", "" }, "orders 10.0.1.9:8080 healthy|"},
		{func() { failed = &lift.Error{Code: lift.NoSidecar, Err: errors.New("nobody listens")} }, "lift: no_sidecar: nobody listens|"},
		{func() {}, ""},
		{func() { failed, all[0].Endpoints = nil, all[0].Endpoints[:3] }, "orders 10.0.1.10:8080 gone|"},
		{func() { all[0].Endpoints = nil }, "orders no endpoints|orders 10.0.1.7:8080 gone|orders 10.0.1.8:8080 gone|orders 10.0.1.9:8080 gone|"},
	} {
		step.change()
		if err := show(all, failed); err != nil {
			t.Fatal(err)
		}
		got := ""
		for line := range strings.Lines(out.String()) {
			_, text, _ := strings.Cut(strings.TrimSpace(line), " ")
			got += text + "|"
		}
		if got != step.want {
			t.Errorf("got  %s\nwant %s", got, step.want)
		}
		out.Reset()
	}
}

// A watch looks as often as it is told, goes on where a look fails, and is well
// ended by an interrupt.
func TestWatch(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, interrupt := context.WithCancel(t.Context())
		began, looks := time.Now(), 0
		err := watch(ctx, 2*time.Second,
			func(context.Context) ([]lift.ServiceStatus, error) { looks++; return nil, lift.NoSidecar },
			func(_ []lift.ServiceStatus, err error) error {
				if !errors.Is(err, lift.NoSidecar) {
					t.Errorf("shown: %v", err)
				}
				if looks == 4 {
					interrupt()
				}
				return nil
			})
		if took := time.Since(began); err != nil || looks != 4 || took != 6*time.Second {
			t.Errorf("%d looks in %s, %v", looks, took, err)
		}
	})
}

func TestWatchWritesJSONLines(t *testing.T) {
	var out bytes.Buffer
	show := jsonLines(&out)
	for _, err := range []error{show(example(), nil), show(nil, &lift.Error{Code: lift.NoSidecar, Err: errors.New("nobody listens")})} {
		if err != nil {
			t.Fatal(err)
		}
	}
	first, second, _ := strings.Cut(strings.TrimSpace(out.String()), "\n")
	var all []serviceJSON
	if err := json.Unmarshal([]byte(first), &all); err != nil || len(all) != 4 {
		t.Errorf("%v: %s", err, first)
	}
	if second != `{"error":{"code":"no_sidecar","message":"nobody listens","reached":"not_reached"}}` {
		t.Errorf("of a failed look: %s", second)
	}
}

func TestRedrawCutsToTheTerminal(t *testing.T) {
	picture := strings.Repeat("line\n", 30)
	if got := (terminal{rows: 10}).redraw(picture); strings.Count(got, "\n") != 9 || !strings.Contains(got, "more than fits") {
		t.Errorf("%q", got)
	}
	if got := (terminal{rows: 40}).redraw(picture); strings.Count(got, "\n") != 30 || strings.Contains(got, "more than fits") {
		t.Errorf("%q", got)
	}
}

// A pipe that nobody reads ends the watch with its error.
func TestWatchEndsWithItsReader(t *testing.T) {
	look := func(context.Context) ([]lift.ServiceStatus, error) { return example(), nil }
	r, w := io.Pipe()
	_ = r.Close()
	if err := watch(t.Context(), time.Hour, look, changeLines(w)); !errors.Is(err, io.ErrClosedPipe) {
		t.Errorf("got %v", err)
	}
}
