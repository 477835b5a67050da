package sdk_test

import (
	"context"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/liftmesh/lift"
	"github.com/liftmesh/lift/mesh"
	"github.com/liftmesh/lift/registry/static"
	"github.com/liftmesh/lift/sdk"
)

// In process, the mesh's observer is told of each call that the SDK makes once, at its
// true end, and of those that the SDK refuses.
func TestEndsOfCallsInProcess(t *testing.T) {
	more := make(chan struct{})
	instance := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/stream" {
			_ = http.NewResponseController(w).Flush()
			<-more
		}
		_, _ = io.WriteString(w, `{"id":1}`)
	}))
	defer instance.Close()
	type end struct {
		lift.Ending
		tries int
	}
	ends := make(chan end, 10)
	m := mesh.New(mesh.Options{
		Services: []mesh.ServiceConfig{{Name: "orders", Registry: static.New([]lift.Endpoint{{Addr: instance.Listener.Addr().String()}}), Timeout: 10 * time.Second}},
		OnEnd:    func(c *lift.Call, e lift.Ending) { ends <- end{e, len(c.Attempts())} },
	})
	defer m.Close()
	client := sdk.New(m)
	next := func(name string, code lift.Code, status, tries int) {
		t.Helper()
		select {
		case e := <-ends:
			if lift.CodeOf(e.Err) != code || e.Status != status || e.tries != tries {
				t.Errorf("%s: %+v", name, e)
			}
		case <-time.After(10 * time.Second):
			t.Fatalf("%s: no end is told", name)
		}
		if len(ends) > 0 {
			t.Errorf("%s: one more end is told: %+v", name, <-ends)
		}
	}

	type order struct{ ID int }
	if _, err := sdk.Get[order](t.Context(), client, "orders", "/"); err != nil {
		t.Fatal(err)
	}
	next("JSON", "", 200, 1)
	if _, err := sdk.Get[order](t.Context(), client, "nobody", "/"); !errors.Is(err, lift.UnknownService) {
		t.Error(err)
	}
	next("an unknown service", lift.UnknownService, 0, 0)
	over, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := sdk.Get[order](over, client, "orders", "/"); !errors.Is(err, lift.CallCanceled) {
		t.Error(err)
	}
	next("a context that is over", lift.CallCanceled, 0, 0)

	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "http://orders/stream", strings.NewReader(""))
	if err != nil {
		t.Fatal(err)
	}
	resp, err := client.HTTPClient().Do(req)
	if err != nil {
		t.Fatal(err)
	}
	if len(ends) != 0 {
		t.Error("an end is told at the head")
	}
	close(more)
	if _, err := io.Copy(io.Discard, resp.Body); err != nil {
		t.Error(err)
	}
	_ = resp.Body.Close()
	next("a stream", "", 200, 1)
}
