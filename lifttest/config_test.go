package lifttest_test

import (
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/liftmesh/lift"
	"github.com/liftmesh/lift/lifttest"
)

// fatal returns what f fails its test with, "" if it does not.
func fatal(t *testing.T, f func(t testing.TB)) string {
	t.Helper()
	w := &failing{TB: t}
	done := make(chan struct{})
	go func() {
		defer close(done)
		f(w)
	}()
	<-done
	return w.fatal
}

type failing struct {
	testing.TB
	fatal string
}

func (w *failing) Fatalf(format string, args ...any) {
	w.fatal = fmt.Sprintf(format, args...)
	runtime.Goexit()
}

// The file's policies hold, whatever only production has.
func TestFromConfigTakesThePolicies(t *testing.T) {
	t.Setenv("LIFT_ENV", "")
	synctest.Test(t, func(t *testing.T) {
		m := lifttest.FromConfig(t, "testdata/lift.yaml")
		orders := m.Service("Orders", echo, lifttest.Endpoints(3))
		for _, e := range orders.Endpoints() {
			e.Break(lifttest.Hang())
		}
		began := time.Now()
		req, _ := http.NewRequestWithContext(t.Context(), http.MethodGet, "http://orders/", nil)
		_, err := m.Client().HTTPClient().Do(req)
		if took := time.Since(began); lift.CodeOf(err) != lift.AttemptTimeout || took < 300*time.Millisecond || took > 400*time.Millisecond {
			t.Errorf("two attempts of 150 ms took %s: %v", took, err)
		}

		seen := make(chan string, 1)
		payments := m.Service("payments", http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			seen <- r.Host + r.URL.Path
			w.WriteHeader(http.StatusServiceUnavailable)
		}), lifttest.Endpoints(3))
		resp, err := m.Client().HTTPClient().Get("http://payments/7")
		if err != nil {
			t.Fatal(err)
		}
		_ = resp.Body.Close()
		calls := 0
		for _, e := range payments.Endpoints() {
			calls += e.Calls()
		}
		if got := <-seen; got != "payments.internal/v2/7" || calls != 1 {
			t.Errorf("%d endpoints saw %s", calls, got)
		}

		m.Service("invoices", echo)
		resp, err = m.Client().HTTPClient().Post("http://invoices/7", "text/plain", strings.NewReader("a"))
		if err != nil {
			t.Fatal(err)
		}
		if _ = resp.Body.Close(); resp.StatusCode != http.StatusOK {
			t.Errorf("a service that is a function in production: %s", resp.Status)
		}
	})
}

func TestFromConfigTakesTheEnvironment(t *testing.T) {
	t.Setenv("LIFT_ENV", "patient")
	synctest.Test(t, func(t *testing.T) {
		m := lifttest.FromConfig(t, "testdata/lift.yaml")
		m.Service("orders", echo).Endpoint(0).Break(lifttest.Slow(9 * time.Second))
		if got, err := post(t.Context(), m, "late"); err != nil || got != "late" {
			t.Errorf("got %q, %v", got, err)
		}
	})
}

func TestFromConfigFailsForMistakes(t *testing.T) {
	t.Setenv("LIFT_ENV", "")
	for name, tt := range map[string]struct{ yaml, says string }{
		"no YAML":          {"services: [", "the configuration is not valid"},
		"an unknown key":   {"services:\n  orders: {from: static, endpoints: [\"h:1\"], timout: 1s}", "lift.yaml:2:46: services.orders.timout: unknown key"},
		"a wrong default":  {"defaults: {timeout: 1}\nservices:\n  orders: {from: static, endpoints: [\"h:1\"]}", "defaults.timeout"},
		"of all services":  {"services:\n  orders: {from: static, endpoints: [\"h:1\"], breaker: {consecutive: many}}", "services.orders.breaker.consecutive"},
		"only what is not": {"services:\n  orders: {from: dns}\n  pay: {from: static, endpoints: [nowhere]}\n  bill: {from: static, endpoints: [\"h:1\"], tls: {ca: /none}}", ""},
	} {
		t.Run(name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "lift.yaml")
			if err := os.WriteFile(path, []byte(tt.yaml), 0o600); err != nil {
				t.Fatal(err)
			}
			got := fatal(t, func(t testing.TB) { lifttest.FromConfig(t, path) })
			if tt.says == "" && got != "" || !strings.Contains(got, tt.says) {
				t.Errorf("got %q, want %q", got, tt.says)
			}
		})
	}
	if got := fatal(t, func(t testing.TB) { lifttest.FromConfig(t, "testdata/none.yaml") }); !strings.Contains(got, "none.yaml") {
		t.Errorf("got %q", got)
	}
	got := fatal(t, func(t testing.TB) { lifttest.FromConfig(t, "testdata/lift.yaml").Service("odrers", echo) })
	if want := `testdata/lift.yaml has no service "odrers"; it has invoices, orders, payments`; !strings.Contains(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
}
