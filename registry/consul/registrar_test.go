package consul

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/hashicorp/consul/api"

	"github.com/liftmesh/lift/registry"
)

// agent is the part of Consul's agent that instances are announced to.
type agent struct {
	mu       sync.Mutex
	services map[string]api.AgentServiceRegistration
	status   map[string]string // by check
	puts     int
	updates  int
	down     bool
}

func newAgent(f *fake) *agent {
	a := &agent{services: map[string]api.AgentServiceRegistration{}, status: map[string]string{}}
	f.answer = a.serve
	return a
}

func (a *agent) serve(w http.ResponseWriter, r *http.Request) {
	a.mu.Lock()
	defer a.mu.Unlock()
	_, id, _ := strings.Cut(strings.TrimPrefix(r.URL.Path, "/v1/agent/"), "/")
	_, last, _ := strings.Cut(id, "/")
	switch {
	case a.down:
		w.WriteHeader(500)
		_, _ = io.WriteString(w, "down")
	case id == "register":
		var s api.AgentServiceRegistration
		if err := json.NewDecoder(r.Body).Decode(&s); err != nil || r.URL.Query().Get("replace-existing-checks") != "true" {
			w.WriteHeader(400)
			return
		}
		a.puts++
		a.services[s.ID] = s
		if s.Check != nil {
			a.status[s.Check.CheckID] = s.Check.Status
		}
	case strings.HasPrefix(id, "deregister/"):
		if _, ok := a.services[last]; !ok {
			w.WriteHeader(404)
			_, _ = io.WriteString(w, `Unknown service ID "`+last+`"`)
			return
		}
		delete(a.services, last)
		delete(a.status, "lift:"+last)
	case strings.HasPrefix(id, "update/"):
		if _, ok := a.status[last]; !ok {
			w.WriteHeader(404)
			_, _ = io.WriteString(w, "Unknown check ID")
			return
		}
		var u struct{ Status, Output string }
		_ = json.NewDecoder(r.Body).Decode(&u)
		a.updates++
		a.status[last] = u.Status
	default:
		if _, ok := a.services[id]; !ok {
			w.WriteHeader(404)
			return
		}
		a.updates++
		_, _ = io.WriteString(w, "{}")
	}
}

func (a *agent) want(t *testing.T, when, status string, services int) {
	t.Helper()
	synctest.Wait()
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.status["lift:orders-1"] != status || len(a.services) != services {
		t.Errorf("%s: %q, %d services; want %q, %d", when, a.status["lift:orders-1"], len(a.services), status, services)
	}
}

// instance takes connections, or does not.
type instance struct {
	mu   sync.Mutex
	well bool
}

func (i *instance) set(well bool) { i.mu.Lock(); defer i.mu.Unlock(); i.well = well }

func (i *instance) dial(context.Context, string, string) (net.Conn, error) {
	i.mu.Lock()
	defer i.mu.Unlock()
	if !i.well {
		return nil, errors.New("connection refused")
	}
	ours, theirs := net.Pipe()
	return ours, theirs.Close()
}

func orders() registry.Instance {
	return registry.Instance{
		ID: "orders-1", Service: "orders", Addr: "[fd00::7]:8080", Zone: "z1", Weight: 3, Tags: []string{"v2"}, Meta: map[string]string{"a": "b"},
		Check: registry.Check{TCP: "127.0.0.1:8080", Host: "127.0.0.1", Interval: 5 * s, RemoveAfter: 10 * time.Minute},
	}
}

func TestRegistrarsLife(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFake(t)
		a, i := newAgent(f), &instance{well: true}
		var log strings.Builder
		c := f.client(t, nil)
		c.probeDial = i.dial
		r := c.Registrar(slog.New(slog.NewTextHandler(&log, nil)))
		if err := r.Register(t.Context(), orders()); err != nil {
			t.Fatal(err)
		}
		a.want(t, "announced", "passing", 1)
		got := a.services["orders-1"]
		if got.Name != "orders" || got.Address != "fd00::7" || got.Port != 8080 || got.Meta["zone"] != "z1" || got.Meta["a"] != "b" || got.Tags[0] != "v2" ||
			got.Weights.Passing != 3 || got.Check.TTL != "20s" || got.Check.DeregisterCriticalServiceAfter != "10m0s" {
			t.Errorf("announced %+v %+v", got, got.Check)
		}
		time.Sleep(time.Minute)
		synctest.Wait()
		if a.updates < 11 || a.puts != 1 {
			t.Errorf("%d signs of life in a minute, announced %d times", a.updates, a.puts)
		}
		i.set(false)
		time.Sleep(6 * s)
		a.want(t, "not well", "critical", 1)
		i.set(true)
		time.Sleep(6 * s)
		a.want(t, "well again", "passing", 1)

		a.mu.Lock()
		clear(a.services)
		clear(a.status)
		a.mu.Unlock()
		time.Sleep(6 * s)
		a.want(t, "after Consul began anew", "passing", 1)

		a.mu.Lock()
		a.down = true
		a.mu.Unlock()
		time.Sleep(time.Hour)
		a.mu.Lock()
		a.down = false
		a.mu.Unlock()
		time.Sleep(6 * s)
		a.want(t, "after Consul was away", "passing", 1)

		if err := r.Deregister(t.Context(), "orders-1"); err != nil {
			t.Error(err)
		}
		a.want(t, "taken back", "", 0)
		time.Sleep(time.Minute)
		a.want(t, "long after", "", 0)
		if err := r.Deregister(t.Context(), "orders-1"); err != nil {
			t.Errorf("once more: %v", err)
		}
		for _, line := range []string{"announced in Consul", "the instance is not healthy", "connection refused", "healthy again", "has lost the instance", "does not take", "takes signs of life again"} {
			if n := strings.Count(log.String(), line); n != 1 {
				t.Errorf("%q is logged %d times in\n%s", line, n, log.String())
			}
		}
		c.transport.CloseIdleConnections()
	})
}

func TestRegistrarOfAnInstanceThatIsNotWellYet(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFake(t)
		a, i := newAgent(f), &instance{}
		c := f.client(t, nil)
		c.probeDial = i.dial
		r := c.Registrar(nil)
		if err := r.Register(t.Context(), orders()); err != nil {
			t.Fatal(err)
		}
		a.want(t, "announced", "critical", 1)
		i.set(true)
		time.Sleep(6 * s)
		a.want(t, "started", "passing", 1)
		changed := orders()
		changed.Tags = []string{"v3"}
		if err := r.Register(t.Context(), changed); err != nil || a.services["orders-1"].Tags[0] != "v3" {
			t.Errorf("announced again: %v, %+v", err, a.services)
		}
		other := orders()
		other.ID = "orders-2"
		other.Check = registry.Check{TTL: 15 * s}
		plain := orders()
		plain.ID, plain.Check = "orders-3", registry.Check{}
		for _, more := range []registry.Instance{other, plain} {
			if err := r.Register(t.Context(), more); err != nil {
				t.Error(err)
			}
		}
		a.want(t, "three", "passing", 3)
		a.mu.Lock()
		clear(a.services)
		clear(a.status)
		a.mu.Unlock()
		time.Sleep(11 * s)
		a.want(t, "three, after Consul began anew", "passing", 3)
		if err := r.Close(t.Context()); err != nil {
			t.Error(err)
		}
		a.want(t, "closed", "", 0)
	})
}

func TestRegistrarFails(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFake(t)
		c := f.client(t, func(c *Config) { c.Token.Value = "t" })
		c.probeDial = (&instance{well: true}).dial
		r := c.Registrar(nil)
		if err := r.Register(t.Context(), registry.Instance{}); err == nil {
			t.Error("registered what is not valid")
		}
		f.fails(403, "Permission denied")
		const want = `refuses the configured token (403 "Permission denied"); it needs service:write on `
		if err := r.Register(t.Context(), orders()); err == nil || !strings.Contains(err.Error(), want+`"orders"`) {
			t.Errorf("got %v", err)
		}
		if err := r.Deregister(t.Context(), "orders-1"); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("got %v", err)
		}
		if len(r.kept) > 0 {
			t.Error("it is kept up all the same")
		}
		c.transport.CloseIdleConnections()
	})
}

func TestHTTPProbe(t *testing.T) {
	hang := make(chan struct{})
	up := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch r.URL.Path {
		case "/well":
			w.WriteHeader(204)
		case "/moved":
			http.Redirect(w, r, "/well", http.StatusFound)
		case "/hung":
			<-hang
		default:
			w.WriteHeader(503)
		}
	}))
	defer up.Close()
	defer close(hang)
	for path, want := range map[string]string{"/well": "", "/ill": "answers 503; want 2xx", "/moved": "answers 302; want 2xx", "/hung": "no answer within 100ms"} {
		_, err := httpProbe{up.URL + path, s / 10, (&net.Dialer{}).DialContext}.ask(t.Context())
		if (err == nil) != (want == "") || err != nil && !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want %q", path, err, want)
		}
	}
	if _, err := (tcpProbe{up.Listener.Addr().String(), s, (&net.Dialer{}).DialContext}).ask(t.Context()); err != nil {
		t.Error(err)
	}
}

func TestLocalIP(t *testing.T) {
	for _, addr := range []string{"", "http://192.0.2.7:8500"} {
		c, err := New(Config{Address: addr})
		if err != nil {
			t.Fatal(err)
		}
		ip, err := c.LocalIP(t.Context())
		if err != nil {
			t.Skipf("left out: this machine has no way to others: %v", err)
		}
		if ip.IsUnspecified() || ip.IsLoopback() {
			t.Errorf("from %q: %s", addr, ip)
		}
	}
}
