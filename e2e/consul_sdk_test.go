//go:build e2e && linux

package e2e_test

import (
	"fmt"
	"syscall"
	"testing"

	"github.com/liftmesh/lift"
	"github.com/liftmesh/lift/registry"
)

// A program announces itself by the SDK, is found, outlives its sidecar's restart,
// and is taken back: when it says so, when it is gone, and by the drain.
func TestConsulRegisterByTheSDK(t *testing.T) {
	t.Parallel()
	up := startUpstream(t, "A")
	agent := startConsul(t, "")
	config := fmt.Sprintf("registry: {consul: {address: %q}}\nservices: {orders: {from: consul}}\n", agent.URL)
	s := startSidecar(t, config)
	client := s.dial(t)
	me := registry.Instance{ID: "me", Service: "orders", Addr: up.Addr, Check: registry.Check{TCP: up.Addr}}
	announce := func() {
		t.Helper()
		if err := client.Register(within(t, patience), me); err != nil {
			t.Fatal(err)
		}
		agent.wantState("orders", "me", "passing")
	}
	announce()
	wantKnown(t, client, "orders", "me")
	if err := client.Deregister(within(t, patience), "me"); err != nil {
		t.Error(err)
	}
	agent.wantState("orders", "me", "")

	announce()
	socket := s.socket
	s.kill(t)
	agent.Deregister("me") // what the dead one left
	s = startSidecarAt(t, socket, config)
	agent.wantState("orders", "me", "passing")

	s.signal(t, syscall.SIGTERM)
	agent.wantState("orders", "me", "")
	if code := s.exited(t); code != 0 {
		t.Errorf("exit code %d", code)
	}

	s = startSidecar(t, config)
	gone := s.dial(t)
	if err := gone.Register(within(t, patience), me); err != nil {
		t.Fatal(err)
	}
	agent.wantState("orders", "me", "passing")
	_ = gone.Close()
	agent.wantState("orders", "me", "")

	s = startSidecar(t, "services: {}\n")
	if err := s.dial(t).Register(within(t, patience), me); lift.CodeOf(err) != lift.Misconfigured {
		t.Errorf("without a registry: %v", err)
	}
}
