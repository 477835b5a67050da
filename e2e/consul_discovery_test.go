//go:build e2e && linux

package e2e_test

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/liftmesh/lift"
	"github.com/liftmesh/lift/registry/consul"
	"github.com/liftmesh/lift/registry/registrytest"
	"github.com/liftmesh/lift/sdk"
)

type instanceOf struct{ Instance string }

// asks calls a service by GET and returns which instance answered.
func asks(client *sdk.Client, service string) (string, error) {
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	got, err := sdk.Get[instanceOf](ctx, client, service, "/")
	return got.Instance, err
}

// known is who serves, as the sidecar tells it.
func known(t *testing.T, client *sdk.Client, service string) lift.ServiceStatus {
	t.Helper()
	all, err := client.Services(within(t, patience), service)
	if err != nil {
		t.Fatal(err)
	}
	return all[0]
}

// wantKnown waits until exactly these ids serve.
func wantKnown(t *testing.T, client *sdk.Client, service string, ids ...string) lift.ServiceStatus {
	t.Helper()
	var st lift.ServiceStatus
	waitFor(t, fmt.Sprintf("%s is served by %q", service, ids), func() bool {
		st = known(t, client, service)
		var got []string
		for _, e := range st.Endpoints {
			got = append(got, e.ID)
		}
		return !st.Told.IsZero() && slices.Equal(got, ids)
	})
	return st
}

func TestConsulDiscovery(t *testing.T) {
	t.Parallel()
	up := startUpstreams(t, nil, "A", "B")
	agent := startConsul(t, "")
	s := startSidecar(t, fmt.Sprintf(`
registry: {consul: {address: %q}}
services:
  orders: {from: consul}
  v2: {from: consul, consul: {service: orders, tags: [v2, eu]}}
  near: {from: consul, consul: {query: near-orders}}
`, agent.URL))
	client := s.dial(t)
	wantKnown(t, client, "orders")
	if _, err := asks(client, "orders"); !errors.Is(err, lift.NoEndpoints) {
		t.Errorf("nobody serves: %v", err)
	}
	waitFor(t, "the missing query is told of", func() bool {
		return strings.Contains(known(t, client, "near").Error, `no prepared query "near-orders"`)
	})

	// Registered, with weight, tags and zone.
	agent.Register("a", up[0].Addr, entry{"Weights": entry{"Passing": 3, "Warning": 1}, "Tags": []string{"v1", "eu"}, "Meta": entry{"zone": "z1"}})
	agent.Register("b", up[1].Addr, entry{"Tags": []string{"v2", "eu"}, "Check": entry{"CheckID": "b", "TTL": "10m", "Status": "passing"}})
	began := time.Now()
	st := wantKnown(t, client, "orders", "a", "b")
	t.Logf("two new instances were known after %s", time.Since(began).Round(time.Millisecond))
	if a := st.Endpoints[0]; a.Weight != 3 || a.Zone != "z1" || !slices.Equal(a.Tags, []string{"v1", "eu"}) || a.Addr != up[0].Addr {
		t.Errorf("a is %+v", a)
	}
	wantKnown(t, client, "v2", "b")
	if got, err := asks(client, "v2"); err != nil || got != "B" {
		t.Errorf("by tags: %s, %v", got, err)
	}

	// Failing, well, in maintenance, well, removed: the blocking query tells of it.
	for _, step := range []struct {
		what string
		do   func()
		want []string
	}{
		{"failing", func() { agent.does(http.MethodPut, "/v1/agent/check/fail/b", nil) }, []string{"a"}},
		{"well", func() { agent.does(http.MethodPut, "/v1/agent/check/pass/b", nil) }, []string{"a", "b"}},
		{"in maintenance", func() { agent.does(http.MethodPut, "/v1/agent/service/maintenance/a?enable=true", nil) }, []string{"b"}},
		{"back", func() { agent.does(http.MethodPut, "/v1/agent/service/maintenance/a?enable=false", nil) }, []string{"a", "b"}},
		{"removed", func() { agent.Deregister("b") }, []string{"a"}},
	} {
		step.do()
		began := time.Now()
		wantKnown(t, client, "orders", step.want...)
		t.Logf("%s: known after %s", step.what, time.Since(began).Round(time.Millisecond))
	}
	wantKnown(t, client, "v2")

	agent.does(http.MethodPost, "/v1/query", entry{"Name": "near-orders", "Service": entry{"Service": "orders", "OnlyPassing": true}})
	wantKnown(t, client, "near", "a")
	if got, err := asks(client, "near"); err != nil || got != "A" {
		t.Errorf("by a prepared query: %s, %v", got, err)
	}
}

// Consul is gone for a while: no call fails, and how old the set is can be seen. It
// comes back with nothing: that is the truth then.
func TestConsulGone(t *testing.T) {
	t.Parallel()
	up := startUpstreams(t, nil, "A", "B")
	agent := startConsul(t, "")
	agent.Register("a", up[0].Addr, nil)
	agent.Register("b", up[1].Addr, nil)
	s := startSidecar(t, fmt.Sprintf("registry: {consul: {address: %q}}\nservices: {orders: {from: consul}}\n", agent.URL))
	client := s.dial(t)
	told := wantKnown(t, client, "orders", "a", "b").Told

	agent.Kill()
	waitFor(t, "the sidecar misses Consul", func() bool { return known(t, client, "orders").Error != "" })
	served := map[string]int{}
	for end := time.Now().Add(3 * time.Second); time.Now().Before(end); time.Sleep(2 * time.Millisecond) {
		got, err := asks(client, "orders")
		if err != nil {
			t.Fatalf("without Consul: %v", err)
		}
		served[got]++
	}
	if served["A"] == 0 || served["B"] == 0 {
		t.Errorf("without Consul %v served", served)
	}
	st := known(t, client, "orders")
	if !st.Told.Equal(told) || st.At.Sub(st.Told) < 3*time.Second || !strings.Contains(st.Error, "consul at "+agent.URL) {
		t.Errorf("the set is told of as %s old, Consul as %q", st.At.Sub(st.Told), st.Error)
	}
	s.says(t, `"msg":"the registry fails; the last set stays in use"`)

	agent.Start()
	agent.Register("b", up[1].Addr, nil)
	wantKnown(t, client, "orders", "b")
	if got, err := asks(client, "orders"); err != nil || got != "B" {
		t.Errorf("after Consul's return: %s, %v", got, err)
	}
	s.says(t, `"msg":"the registry is back"`)
}

// The real Consul keeps the contract that all registries keep.
func TestConsulKeepsTheContract(t *testing.T) { // not in parallel: the contract counts the process's goroutines
	agent := startConsul(t, "")
	registrytest.Run(t, func(t *testing.T, first []lift.Endpoint) registrytest.Subject {
		w := &cuttable{}
		client, err := consul.New(consul.Config{Address: agent.URL, Dial: w.dial})
		if err != nil {
			t.Fatal(err)
		}
		in := map[string]bool{}
		update := func(set []lift.Endpoint) {
			w.set(nil)
			now := map[string]bool{}
			for _, ep := range set {
				agent.Register(ep.ID, ep.Addr, entry{"Weights": entry{"Passing": max(ep.Weight, 1), "Warning": 1}})
				now[ep.ID] = true
			}
			for id := range in {
				if !now[id] {
					agent.Deregister(id)
				}
			}
			in = now
			// The agent brings its catalog up to date by and by.
			waitFor(t, "the catalog has what the agent has", func() bool {
				text := agent.does(http.MethodGet, "/v1/health/service/orders?passing", nil)
				return strings.Count(text, `"Weights"`) == len(set)
			})
		}
		update(first)
		t.Cleanup(func() { update(nil) })
		return registrytest.Subject{Registry: client.Registry(consul.Source{}), Update: update, Fail: w.set}
	})
}

// cuttable is a way to Consul that can be cut.
type cuttable struct {
	mu   sync.Mutex
	err  error
	open []net.Conn
}

func (w *cuttable) set(err error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.err = err; err != nil {
		for _, c := range w.open {
			_ = c.Close()
		}
		w.open = nil
	}
}

func (w *cuttable) dial(ctx context.Context, network, addr string) (net.Conn, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.err != nil {
		return nil, w.err
	}
	c, err := (&net.Dialer{}).DialContext(ctx, network, addr)
	if err == nil {
		w.open = append(w.open, c)
	}
	return c, err
}
