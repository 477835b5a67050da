package config

import (
	"context"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/liftmesh/lift"
	"github.com/liftmesh/lift/balancer"
	"github.com/liftmesh/lift/mesh"
	"github.com/liftmesh/lift/resilience"
	"github.com/liftmesh/lift/sidecar"
	"github.com/liftmesh/lift/sidecar/plain"
	"github.com/liftmesh/lift/transport"
)

// env is a Lookup over name, value, name, value ...
func env(pairs ...string) Lookup {
	return func(name string) (string, bool) {
		for i := 0; i+1 < len(pairs); i += 2 {
			if pairs[i] == name {
				return pairs[i+1], true
			}
		}
		return "", false
	}
}

func sound1(t *testing.T, text string, lookup Lookup) *Config {
	t.Helper()
	c, problems := Parse("lift.yaml", []byte(text), lookup)
	if err := problems.Err(); err != nil {
		t.Fatal(err)
	}
	if c.Broken != nil {
		t.Fatal(c.Broken)
	}
	return c
}

func endpointsOf(t *testing.T, s *mesh.ServiceConfig) []lift.Endpoint {
	t.Helper()
	for set, err := range s.Registry.Watch(context.Background(), s.Name) {
		if err != nil {
			t.Fatal(err)
		}
		return set
	}
	return nil
}

func TestEveryKeyArrives(t *testing.T) {
	c := sound1(t, `
socket: /run/lift.sock
socket_mode: 0660
socket_group: app
plain: ["unix:/run/plain.sock", "127.0.0.1:4140"]
log: {level: debug, format: text}
limits: {peers: 5, calls_per_peer: 6, calls: 7, connections: 11, connects: 3, header: 8KiB, body: 9MiB, buffered: 10MiB}
lambda: {init_wait: 1s}
services:
  orders:
    from: static
    endpoints: ["10.0.1.7:8443;zone=use1-az1;weight=2"]
    listen: "[::1]:4201"
    protocol: h2c
    idempotent: true
    host: orders.internal:8443
    path_prefix: /v2
    timeout: 1m30s
    attempt_timeout: 3s
    retry: {attempts: 4, backoff: 5ms, backoff_max: 6ms, budget: {ratio: .25, floor_per_second: 1, burst: 2}}
    breaker: {answers: count, consecutive: 7, failure_ratio: 0.75, min_calls: 8, window: 9s, open_for: 2s..3s}
    balancer: {strategy: consistent_hash, hash: {header: X-User, path: true, load: 2}}
    connections: {connect_timeout: 10ms, safe_idle: 11ms, max_idle: 12ms, max_age: 14s, max: 13, wait: 17ms, max_idle_count: 12, max_header: 15KiB, whole: 16B}
    warm: 2
`, env())
	s := c.Services[0]
	want := mesh.ServiceConfig{
		Name: "orders", From: "static", Marks: s.Marks, Registry: s.Registry, Timeout: 90 * time.Second, AttemptTimeout: 3 * time.Second,
		Retry: resilience.RetryConfig{
			Attempts: 4, Backoff: 5 * time.Millisecond, BackoffMax: 6 * time.Millisecond,
			Budget: resilience.BudgetConfig{Ratio: 0.25, FloorPerSecond: 1, Burst: 2},
		},
		Breaker: resilience.BreakerConfig{
			Answers: resilience.Count, Consecutive: 7, FailureRatio: 0.75, MinCalls: 8, Window: 9 * time.Second,
			OpenFor: 2 * time.Second, OpenForMax: 3 * time.Second,
		},
		Balancer: balancer.Config{Strategy: balancer.ConsistentHash, Hash: balancer.HashConfig{Header: "X-User", Path: true, Load: 2}}, Idempotent: true,
		Transport: transport.Config{
			Protocol: transport.H2C, Host: "orders.internal:8443", PathPrefix: "/v2",
			ConnectTimeout: 10 * time.Millisecond, SafeIdle: 11 * time.Millisecond, MaxIdle: 12 * time.Millisecond, MaxAge: 14 * time.Second,
			MaxConnections: 13, Wait: 17 * time.Millisecond, MaxIdleConnections: 12, MaxHeader: 15 << 10, Whole: 16,
		},
		Warm: 2,
	}
	if got, want := fmt.Sprintf("%+v", s), fmt.Sprintf("%+v", want); got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
	if got := endpointsOf(t, &s); len(got) != 1 || !got[0].Equal(lift.Endpoint{Addr: "10.0.1.7:8443", Zone: "use1-az1", Weight: 2}) {
		t.Errorf("endpoints %+v", got)
	}
	limits := sidecar.Limits{MaxPeers: 5, MaxCallsPerPeer: 6, MaxCalls: 7, MaxHeader: 8 << 10, MaxBody: 9 << 20, MaxBuffered: 10 << 20}
	if c.Socket != "/run/lift.sock" || c.SocketMode != fs.FileMode(0o660) || c.SocketGroup != "app" ||
		c.Log != (Log{slog.LevelDebug, "text"}) || c.Limits != limits || c.Connections != 11 || c.Connects != 3 || c.InitWait != time.Second {
		t.Errorf("globals %+v", c)
	}
	doors := []plain.Address{{Network: "unix", Addr: "/run/plain.sock"}, {Network: "tcp", Addr: "127.0.0.1:4140"}, {Network: "tcp", Addr: "[::1]:4201", Service: "orders"}}
	if !slices.Equal(c.Plain, doors) {
		t.Errorf("plain %+v", c.Plain)
	}
}

// Zero as a value is not the zero of a field, which means its default.
func TestNoWait(t *testing.T) {
	c := sound1(t, `services: {a: {from: static, endpoints: ["h:1"], connections: {wait: 0s}}}`, env())
	if got := c.Services[0].Transport.Wait; got >= 0 {
		t.Errorf("calls wait %s for a connection", got)
	}
}

func TestDefaultsAreThePackagesOwn(t *testing.T) {
	c := sound1(t, `services: {a: {from: static, endpoints: ["h:1"]}}`, env())
	s := c.Services[0]
	if got, want := s.Retry, (resilience.RetryConfig{}).WithDefaults(); got != want {
		t.Errorf("retry %+v, want %+v", got, want)
	}
	if got, want := s.Breaker, (resilience.BreakerConfig{}).WithDefaults(); got != want {
		t.Errorf("breaker %+v, want %+v", got, want)
	}
	if got, want := s.Transport, (transport.Config{}).WithDefaults(); got != want {
		t.Errorf("transport %+v, want %+v", got, want)
	}
	if s.Timeout != 2*time.Second || s.AttemptTimeout != 0 || s.Balancer.Strategy != balancer.LeastRequest || s.Warm != 0 {
		t.Errorf("service %+v", s)
	}
	if c.Socket != "/tmp/lift/lift.sock" || c.SocketMode != 0o600 || c.Log != (Log{slog.LevelInfo, "auto"}) {
		t.Errorf("globals %+v", c)
	}
}

// defaults < file < overlay < variables; a service before defaults.
func TestPrecedence(t *testing.T) {
	const text = `
socket: /file
log: {level: warn, format: text}
defaults: {timeout: 3s, warm: 1}
services:
  a: {from: static, endpoints: ["h:1"]}
  b: {from: static, endpoints: ["h:1"], timeout: 4s}
environments:
  prod:
    socket: /overlay
    log: {level: error}
    defaults: {timeout: 5s}
    services:
      b: {endpoints: ["h:2"]}
      c: {from: static, endpoints: ["h:3"], timeout: 6s}
  idle: {socket: /idle}
`
	type outcome struct {
		socket, format string
		level          slog.Level
		timeouts       []time.Duration
	}
	for name, test := range map[string]struct {
		env  Lookup
		want outcome
	}{
		"file":      {env(), outcome{"/file", "text", slog.LevelWarn, []time.Duration{3 * time.Second, 4 * time.Second}}},
		"overlay":   {env("LIFT_ENV", "prod"), outcome{"/overlay", "text", slog.LevelError, []time.Duration{5 * time.Second, 4 * time.Second, 6 * time.Second}}},
		"variables": {env("LIFT_ENV", "prod", "LIFT_SOCKET", "/var", "LIFT_LOG_LEVEL", "debug", "LIFT_LOG_FORMAT", "json"), outcome{"/var", "json", slog.LevelDebug, []time.Duration{5 * time.Second, 4 * time.Second, 6 * time.Second}}},
		"empty":     {env("LIFT_ENV", "", "LIFT_SOCKET", ""), outcome{"/file", "text", slog.LevelWarn, []time.Duration{3 * time.Second, 4 * time.Second}}},
	} {
		c := sound1(t, text, test.env)
		got := outcome{c.Socket, c.Log.Format, c.Log.Level, nil}
		for i := range c.Services {
			got.timeouts = append(got.timeouts, c.Services[i].Timeout)
			if c.Services[i].Warm != 1 {
				t.Errorf("%s: %s does not inherit from defaults", name, c.Services[i].Name)
			}
		}
		if !reflect.DeepEqual(got, test.want) {
			t.Errorf("%s: got %+v, want %+v", name, got, test.want)
		}
		if name == "overlay" && endpointsOf(t, &c.Services[1])[0].Addr != "h:2" {
			t.Error("the overlay's endpoints do not take the place of the file's")
		}
	}
}

func TestFaultInOneServiceBreaksItAlone(t *testing.T) {
	c, problems := Parse("lift.yaml", []byte(`
services:
  good: {from: static, endpoints: ["h:1"]}
  bad: {from: static, endpoints: ["h:1"], timeout: 1}
  lost: {from: static}
`), env())
	if c.Broken != nil || len(problems) != 2 {
		t.Fatalf("broken %v, problems %v", c.Broken, problems)
	}
	if c.Services[0].Broken != nil {
		t.Errorf("the sound service is broken: %v", c.Services[0].Broken)
	}
	for i, want := range []string{1: "lift.yaml:4:52: services.bad.timeout: ", 2: "lift.yaml:5:3: services.lost: endpoints is missing"} {
		if i > 0 && (c.Services[i].Broken == nil || !strings.HasPrefix(c.Services[i].Broken.Error(), want)) {
			t.Errorf("%s: broken by %v, want %s…", c.Services[i].Name, c.Services[i].Broken, want)
		}
	}
}

func TestFaultOutsideServicesBreaksAllAndKeepsTheRest(t *testing.T) {
	c, _ := Parse("lift.yaml", []byte(`
socket: /run/x.sock
socket_mode: rw
services: {a: {from: static, endpoints: ["h:1"]}}
`), env())
	if c.Broken == nil || c.Services[0].Broken == nil {
		t.Fatal("want everything broken")
	}
	if c.Socket != "/run/x.sock" || c.SocketMode != 0o600 {
		t.Errorf("socket %s %v: callers find nobody to tell them", c.Socket, c.SocketMode)
	}
}

func TestUnreadable(t *testing.T) {
	dir := t.TempDir()
	big := filepath.Join(dir, "big.yaml")
	if err := os.WriteFile(big, []byte(strings.Repeat("# x\n", MaxFile/4+1)), 0o600); err != nil {
		t.Fatal(err)
	}
	for path, want := range map[string]string{
		filepath.Join(dir, "none.yaml"): "does not exist; check the path",
		dir:                             "is a directory; name the file in it, such as " + dir + "/lift.yaml",
		big:                             "over 1 MiB",
	} {
		c, problems := Load(path, env("LIFT_SOCKET", "/run/v.sock"))
		if len(problems) != 1 || !strings.Contains(problems[0].Error(), want) || !strings.HasPrefix(problems[0].Error(), path+":") {
			t.Errorf("%s: problems %v, want one with %q", path, problems, want)
		}
		if c.Broken == nil || c.Socket != "/run/v.sock" || c.Limits.MaxPeers == 0 {
			t.Errorf("%s: %+v: not usable", path, c)
		}
	}
}

func TestMissing(t *testing.T) {
	_, err := find(env(), func(string) bool { return false })
	c, problems := Missing(err, env())
	if c.Broken == nil || c.Socket == "" || len(problems) != 1 || strings.Contains(problems.Error(), "\n") {
		t.Errorf("broken %v, problems %v", c.Broken, problems)
	}
}

func TestIdleEnvironmentBreaksNothing(t *testing.T) {
	c, problems := Parse("lift.yaml", []byte(`
services: {a: {from: static, endpoints: ["h:1"]}}
environments:
  prod: {socket: "${ONLY_IN_PROD}", tiemout: 1s, services: {a: {warm: -1}}}
`), env())
	if c.Broken != nil || c.Services[0].Broken != nil {
		t.Errorf("broken: %v, %v", c.Broken, c.Services[0].Broken)
	}
	if len(problems) != 2 {
		t.Errorf("want the two faults that do not hang on variables, got %v", problems)
	}
}

func TestDefaultsGiveWay(t *testing.T) {
	s := sound1(t, `services: {a: {from: static, endpoints: ["h:1"], connections: {max: 4, max_idle: 1s}, retry: {backoff_max: 5ms}}}`, env()).Services[0]
	if s.Transport.MaxIdleConnections != 4 || s.Transport.SafeIdle != time.Second || s.Retry.Backoff != 5*time.Millisecond {
		t.Errorf("%+v", s)
	}
}

func TestBOMAndCRLF(t *testing.T) {
	c := sound1(t, "\uFEFFsocket: /run/x.sock\r\nservices:\r\n  a:\r\n    from: static\r\n    endpoints: [\"h:1\"]\r\n", env())
	if c.Socket != "/run/x.sock" || len(c.Services) != 1 {
		t.Errorf("%+v", c)
	}
}
