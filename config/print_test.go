package config

import (
	"os"
	"strings"
	"testing"
)

func printed(t testing.TB, c *Config) string {
	t.Helper()
	var b strings.Builder
	if err := c.Print(&b); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

func TestPrintSaysWhereFrom(t *testing.T) {
	c := sound1(t, `
socket: ${DIR}/x.sock
defaults: {timeout: 3s}
services:
  a: {from: static, endpoints: ["h:1"]}
  b: {from: static, endpoints: ["${DB_SECRET}", "h:1"], warm: 1}
environments:
  prod: {services: {b: {warm: 2}}}
`, env("DIR", "/run", "DB_SECRET", "hidden:1", "LIFT_ENV", "prod", "LIFT_LOG_LEVEL", "warn"))
	got := printed(t, c)
	for _, want := range []string{
		"socket: \"/run/x.sock\"  # lift.yaml:2, from variable DIR\n",
		"  level: warn  # variable LIFT_LOG_LEVEL\n",
		"  format: auto  # default\n",
		"    timeout: 3s  # lift.yaml:3\n",
		"    # attempt_timeout: half of the call's time  # default\n",
		"        burst: 10  # default\n",
		"    warm: 2  # environment prod, lift.yaml:8\n",
		"    endpoints: \"***\"  # lift.yaml:6, from variable DB_SECRET\n",
	} {
		if !strings.Contains(got, want) {
			t.Errorf("no line %q in\n%s", want, got)
		}
	}
	if strings.Contains(got, "hidden") {
		t.Error("a secret shows")
	}
}

func TestPrintOfABrokenOne(t *testing.T) {
	c, _ := Parse("lift.yaml", []byte("services: {a: {from: static, endpoints: [\"h:1\"]}, b: {}}"), env())
	got := printed(t, c)
	if !strings.Contains(got, "  # \"b\" is broken: lift.yaml:1:51: ") || !strings.Contains(got, "  a:\n") {
		t.Error(got)
	}
}

func ExampleConfig_Print() {
	c, problems := Parse("lift.yaml", []byte("socket: /run/lift.sock"), func(string) (string, bool) { return "", false })
	if problems.Err() != nil {
		return
	}
	_ = c.Print(os.Stdout)
	// Output:
	// # lift.yaml
	// socket: "/run/lift.sock"  # lift.yaml:1
	// socket_mode: "0600"  # default
	// proxy: false  # default
	// log:
	//   level: info  # default
	//   format: auto  # default
	// limits:
	//   peers: 256  # default
	//   calls_per_peer: 1024  # default
	//   calls: 4096  # default
	//   connections: 256  # default
	//   connects: 4  # default
	//   header: 64KiB  # default
	//   body: 4MiB  # default
	//   buffered: 32MiB  # default
	// lambda:
	//   init_wait: 500ms  # default
	// drain:
	//   max: 25s  # default
	//   quiet: 2s  # default
	// services: {}
}
