//go:build e2e && linux

package e2e_test

import (
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"strings"
	"syscall"
	"testing"
	"time"
)

// The life of a program that its sidecar announces: well, not well, well again, lost
// by Consul and announced anew, taken back at the signal to end.
func TestConsulRegister(t *testing.T) {
	t.Parallel()
	up := startUpstream(t, "A")
	host, port, err := net.SplitHostPort(up.Addr)
	if err != nil {
		t.Fatal(err)
	}
	agent := startConsul(t, "")
	s := startSidecar(t, fmt.Sprintf(`
registry: {consul: {address: %q}}
register:
  {service: orders, port: %s, address: %q, id: a, tags: [v2], zone: z1, weight: 3, check: {http: "http://%s/", interval: 1s}}
services: {orders: {from: consul, consul: {tags: [v2]}}}
`, agent.URL, port, host, up.Addr))
	client := s.dial(t)
	agent.wantState("orders", "a", "passing")
	st := wantKnown(t, client, "orders", "a") // one that is announced by Lift is found by Lift
	if e := st.Endpoints[0]; e.Addr != up.Addr || e.Weight != 3 || e.Zone != "z1" {
		t.Errorf("it is announced as %+v", e)
	}

	up.Status(http.StatusServiceUnavailable)
	agent.wantState("orders", "a", "critical")
	up.Status(http.StatusOK)
	agent.wantState("orders", "a", "passing")
	up.Kill()
	agent.wantState("orders", "a", "critical")
	up.Start()
	agent.wantState("orders", "a", "passing")

	// Consul is restarted and knows nothing any more.
	agent.Kill()
	waitFor(t, "the sidecar misses Consul", func() bool { return s.out.has("does not take the instance's sign of life") })
	agent.Start()
	agent.wantState("orders", "a", "passing")
	s.says(t, "consul has lost the instance; announcing it again")
	var got []struct {
		Service struct {
			Address string
			Tags    []string
		}
	}
	if err := json.Unmarshal([]byte(agent.does(http.MethodGet, "/v1/health/service/orders?passing", nil)), &got); err != nil || len(got) != 1 || got[0].Service.Address != host || len(got[0].Service.Tags) != 1 {
		t.Errorf("announced again: %+v, %v", got, err)
	}

	// Gone at once, while the drain still goes on for a client that is connected.
	waitFor(t, "the set is known again", func() bool { got, err := asks(client, "orders"); return err == nil && got == "A" })
	s.signal(t, syscall.SIGTERM)
	began := time.Now()
	agent.wantState("orders", "a", "")
	if text := agent.does(http.MethodGet, "/v1/catalog/service/orders", nil); strings.TrimSpace(text) != "[]" {
		t.Errorf("still in the catalog: %s", text)
	}
	t.Logf("gone %s after the signal", time.Since(began).Round(time.Millisecond))
	if code := s.exited(t); code != 0 {
		t.Errorf("exit code %d", code)
	}
}

// A sidecar that dies without a word: its program counts as dead after the TTL.
// One that starts before Consul announces when that is there.
func TestConsulRegisterWithoutConsulAndWithoutGoodbye(t *testing.T) {
	t.Parallel()
	up := startUpstream(t, "A")
	host, port, err := net.SplitHostPort(up.Addr)
	if err != nil {
		t.Fatal(err)
	}
	agent := newConsul(t, "")
	s := startSidecar(t, fmt.Sprintf("registry: {consul: {address: %q}}\nregister: {service: orders, port: %s, address: %q, id: a, check: {tcp: %q, interval: 1s}}\nservices: {}\n", agent.URL, port, host, up.Addr))
	waitFor(t, "the sidecar misses Consul", func() bool { return s.out.has("registering the program failed; trying again") })
	agent.Start()
	agent.wantState("orders", "a", "passing")
	s.kill(t)
	agent.wantState("orders", "a", "critical")
}
