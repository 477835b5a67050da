package sdk_test

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	healthpb "google.golang.org/grpc/health/grpc_health_v1"

	"github.com/liftmesh/lift"
	"github.com/liftmesh/lift/lifttest"
	"github.com/liftmesh/lift/sdk"
)

// However a call spells the service's name: it arrives, and errors name one form.
func TestServiceInAnyCase(t *testing.T) {
	m := lifttest.New(t)
	m.Service("Orders", http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write([]byte(`"ok"`)) }))
	socket := t.TempDir() + "/s"
	serve(t, socket, m.Engine())
	for where, client := range map[string]*sdk.Client{"in process": m.Client(), "over a session": dial(t, socket)} {
		for _, name := range []string{"orders", "Orders", "ORDERS"} {
			if got, err := sdk.Get[string](t.Context(), client, name, "/"); err != nil || got != "ok" {
				t.Errorf("%s, %s: got %q, %v", where, name, got, err)
			}
			resp, err := client.HTTPClient().Get("http://" + name + "/")
			if err != nil {
				t.Fatalf("%s, %s: %v", where, name, err)
			}
			_ = resp.Body.Close()
			if known, err := client.Services(t.Context(), name); err != nil || len(known) != 1 || known[0].Name != "orders" {
				t.Errorf("%s, %s: got %v, %v", where, name, known, err)
			}
		}
		_, err := sdk.Get[string](t.Context(), client, "Payments", "/")
		if e := wantCode(t, err, lift.UnknownService); e.Service != "payments" {
			t.Errorf("%s: the error names %q", where, e.Service)
		}
		_, err = healthpb.NewHealthClient(client.Conn("Payments")).Check(t.Context(), &healthpb.HealthCheckRequest{})
		if e := wantCode(t, err, lift.UnknownService); e.Service != "payments" {
			t.Errorf("%s: the status names %q", where, e.Service)
		}
	}
}

func TestDirectInAnyCase(t *testing.T) {
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write([]byte(`"direct"`)) }))
	t.Cleanup(srv.Close)
	gone := lift.CallerFunc(func(c *lift.Call) (*lift.Response, error) { return nil, lift.Errorf(c, lift.NoSidecar, "gone") })
	client := sdk.New(gone, sdk.Direct(map[string]string{"Orders": srv.URL}))
	if got, err := sdk.Get[string](t.Context(), client, "oRDERS", "/"); err != nil || got != "direct" {
		t.Errorf("got %q, %v", got, err)
	}
	_, err := sdk.Dial("", sdk.Direct(map[string]string{"Orders": srv.URL, "orders": srv.URL}))
	if wantCode(t, err, lift.Misconfigured); !strings.Contains(err.Error(), "the service orders twice") {
		t.Errorf("got %v", err)
	}
}
