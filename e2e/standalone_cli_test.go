//go:build e2e && linux

package e2e_test

import (
	"bytes"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// ran is what a program that has ended has said.
type ran struct {
	out, err string
	code     int
}

// run runs a program to its end.
func run(t *testing.T, env []string, path string, args ...string) ran {
	t.Helper()
	var out, errs bytes.Buffer
	cmd := exec.CommandContext(within(t, patience), path, args...)
	cmd.Env, cmd.Dir = slices.Concat(env, []string{"PATH=" + os.Getenv("PATH")}), t.TempDir()
	cmd.Stdout, cmd.Stderr = &out, &errs
	if err := cmd.Run(); err != nil {
		if _, ok := errors.AsType[*exec.ExitError](err); !ok {
			t.Fatalf("%s %v: %v", path, args, err)
		}
	}
	return ran{out.String(), errs.String(), cmd.ProcessState.ExitCode()}
}

// wants fails the test unless the program ended so and said each of the parts.
func (r ran) wants(t *testing.T, code int, out, errs []string) {
	t.Helper()
	if r.code != code {
		t.Errorf("exit code %d, want %d", r.code, code)
	}
	for _, part := range out {
		if !strings.Contains(r.out, part) {
			t.Errorf("standard output does not say %q", part)
		}
	}
	for _, part := range errs {
		if !strings.Contains(r.err, part) {
			t.Errorf("standard error does not say %q", part)
		}
	}
	if t.Failed() {
		t.Logf("standard output:\n%s\nstandard error:\n%s", r.out, r.err)
	}
}

func TestCommandLine(t *testing.T) {
	t.Parallel()
	room := startWaitingRoom(t)
	s := startSidecar(t, room.config())
	dir := t.TempDir()
	good, broken := filepath.Join(dir, "good.yaml"), filepath.Join(dir, "broken.yaml")
	for file, text := range map[string]string{
		good: "services:\n  orders: {from: static, endpoints: [\"${HOST:-10.0.0.1}:80\"], timeout: 5s}\n  payments: {from: static, endpoints: [\"10.0.0.2:${PAYMENTS_SECRET}\"]}\n",
		broken: `sokcet: /tmp/x.sock
services:
  orders:
    from: static
    endpoints: ["10.0.0.1"]
    timeout: 5
  payments:
    from: static
    endpoints: ["${NOWHERE}:80"]
`,
	} {
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	secret := []string{"PAYMENTS_SECRET=4711"}
	sidecar := []string{"LIFT_SOCKET=" + s.socket}
	for _, tt := range []struct {
		name      string
		env, args []string
		code      int
		out, err  []string
	}{
		{"check a good file", secret, []string{"config", "check", good}, 0, []string{"ok: 2 services"}, nil},
		{"check what is found", slices.Concat(secret, []string{"LIFT_CONFIG=" + good}), []string{"config", "check"}, 0, []string{"ok: 2 services"}, nil},
		{"check a broken file", nil, []string{"config", "check", broken}, 1, nil, []string{
			broken + ":1:1: sokcet: unknown key", "did you mean socket?", // all at once
			broken + ":5:", "10.0.0.1", broken + ":6:14: services.orders.timeout", broken + ":9:", "NOWHERE",
		}},
		{"check no file", nil, []string{"config", "check", filepath.Join(dir, "none.yaml")}, 1, nil, []string{"none.yaml"}},
		{"print", secret, []string{"config", "print", good}, 0, []string{"10.0.0.1:80", "timeout: 5s", "default", "***", "good.yaml:2"}, nil},
		{"call", sidecar, []string{"call", "orders", "/"}, 0, []string{`{"instance":"room"}`}, nil},
		{"call, verbose", sidecar, []string{"call", "-v", "orders", "/"}, 0, []string{`{"instance":"room"}`},
			[]string{"attempt 1: " + room.addr() + " ok 200 after ", "answered", "< 200 OK", "< Content-Type: application/json"}},
		{"call nobody", sidecar, []string{"call", "ordres", "/"}, 1, nil, []string{"unknown_service", "orders"}},
		{"call without a sidecar", nil, []string{"call", "--socket", filepath.Join(dir, "none.sock"), "orders"}, 1, nil, []string{"no_sidecar", "none.sock"}},
		{"version", nil, []string{"version"}, 0, []string{"lift ", "go1.", "linux/"}, nil},
		{"nonsense", nil, []string{"cal"}, 2, nil, []string{"cal", "did you mean call", "lift --help"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			got := run(t, tt.env, bin.Lift, tt.args...)
			got.wants(t, tt.code, tt.out, tt.err)
			if strings.Contains(got.out+got.err, "4711") {
				t.Errorf("a secret is shown:\n%s%s", got.out, got.err)
			}
		})
	}
}
