package plain_test

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/liftmesh/lift"
	"github.com/liftmesh/lift/mesh"
	"github.com/liftmesh/lift/registry/static"
	"github.com/liftmesh/lift/sidecar/plain"
	"github.com/liftmesh/lift/transport"
)

// A stream holds the only connection that an endpoint may have: the next caller is told
// of the limit with 503, which endpoint it was, and how long it waited.
func TestFullEndpoint(t *testing.T) {
	upstream := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_ = http.NewResponseController(w).Flush()
		<-r.Context().Done()
	}))
	t.Cleanup(upstream.Close)
	m := mesh.New(mesh.Options{Services: []mesh.ServiceConfig{{
		Name: "orders", Registry: static.New([]lift.Endpoint{{Addr: upstream.Listener.Addr().String()}}),
		Transport: transport.Config{MaxConnections: 1, Wait: 50 * time.Millisecond},
	}}})
	t.Cleanup(m.Close)
	addr, _ := serve(t, plain.Config{Caller: m, Services: []string{"orders"}})
	stream := dial(t, addr)
	stream.say("GET /events HTTP/1.1\r\nHost: orders\r\nLift-Timeout: 1m\r\n\r\n")
	if _, err := stream.r.ReadString('\n'); err != nil {
		t.Fatal(err)
	}
	c := dial(t, addr)
	c.say("POST / HTTP/1.1\r\nHost: orders\r\nContent-Length: 2\r\n\r\n{}")
	resp, body := c.answer(http.MethodPost)
	e := errorOf(t, resp, body).Error
	if resp.StatusCode != http.StatusServiceUnavailable || e.Code != "busy" || e.MayHaveActed || !strings.Contains(e.Message, "connections.max") {
		t.Fatalf("%d %s", resp.StatusCode, body)
	}
	if len(e.Attempts) != 1 || e.Attempts[0].Outcome != "limited" || e.Attempts[0].Queued < 50 || e.Attempts[0].Endpoint != upstream.Listener.Addr().String() {
		t.Errorf("attempts: %+v", e.Attempts)
	}
	_ = stream.Close()
}
