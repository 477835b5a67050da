package mesh_test

import (
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"testing"
	"testing/synctest"
	"time"

	"github.com/liftmesh/lift"
	"github.com/liftmesh/lift/internal/certtest"
	"github.com/liftmesh/lift/mesh"
	"github.com/liftmesh/lift/registry/registrytest"
	"github.com/liftmesh/lift/resilience"
	"github.com/liftmesh/lift/transport"
)

// never is a breaker that stays open for the whole test.
func never() resilience.BreakerConfig {
	return resilience.BreakerConfig{OpenFor: time.Hour, OpenForMax: time.Hour}
}

// A wrong TLS name opens the only endpoint. The reload that puts it right also
// voids the verdict: the next call succeeds at once.
func TestReloadOfTheWayVoidsTheVerdict(t *testing.T) {
	ca := certtest.New(t, "authority")
	server := httptest.NewUnstartedServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}))
	server.Config.ErrorLog = log.New(io.Discard, "", 0)
	server.TLS = ca.Server("b.internal", nil)
	server.StartTLS()
	defer server.Close()
	fake := registrytest.NewFake(lift.Endpoint{Addr: server.Listener.Addr().String()})
	service := func(name string) mesh.ServiceConfig {
		return mesh.ServiceConfig{
			Name: "orders", Registry: fake, Timeout: time.Minute, Breaker: never(), Marks: mesh.Marks{Source: "same", Transport: name},
			Transport: transport.Config{TLS: &transport.TLS{CA: []string{ca.File}, ServerName: name}},
		}
	}
	m := mesh.New(mesh.Options{Services: []mesh.ServiceConfig{service("a.internal")}})
	defer m.Close()
	for range 3 {
		if r := send(m, get()); r.err == nil {
			t.Fatal("a certificate for another name was accepted")
		}
	}
	if state := m.Service("orders").Snapshot().Endpoints[0].State; state != "open" {
		t.Fatalf("the endpoint is %s", state)
	}
	reload(t, m, service("b.internal"))
	if r := send(m, get()); r.err != nil || r.status != 200 {
		t.Errorf("after the reload: %d, %v", r.status, r.err)
	}
	if e := m.Service("orders").Snapshot().Endpoints[0]; e.State != "closed" || e.Failures != 0 {
		t.Errorf("the endpoint is %s with %d failures in a row", e.State, e.Failures)
	}
}

// Attempts that are out by the old way say nothing of the new one.
func TestOldWaysJudgeNoNewOnes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := newNetwork("a:1")
		n.instances["a:1"].set(func(i *instance) { i.hung = make(chan struct{}) })
		fake := registrytest.NewFake(n.endpoints()...)
		service := func(way string) mesh.ServiceConfig {
			return mesh.ServiceConfig{
				Name: "orders", Registry: fake, AttemptTimeout: time.Second, Retry: resilience.RetryConfig{Attempts: 1},
				Breaker: never(), Marks: mesh.Marks{Source: "same", Transport: way},
			}
		}
		m := start(t, n, nil, func(o *mesh.Options) { o.Services[0] = service("old") })
		ended := make(chan result)
		for range 5 {
			go func() { ended <- send(m, get()) }()
		}
		time.Sleep(100 * time.Millisecond)
		reload(t, m, service("new"))
		for range 5 {
			if r := <-ended; r.err == nil {
				t.Error("a call to an endpoint that hangs succeeded")
			}
		}
		if e := m.Service("orders").Snapshot().Endpoints[0]; e.State != "closed" {
			t.Errorf("the endpoint is %s: %s", e.State, e.Why)
		}
	})
}
