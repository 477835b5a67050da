//go:build e2e && linux

package e2e_test

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/liftmesh/lift/sdk"
)

// sidecarProcess is a lift-extension that runs outside Lambda.
type sidecarProcess struct {
	*child
	socket string
	file   string // lift.yaml
}

// startSidecar starts lift-extension with the configuration on a socket of its
// own, and waits until it serves. It has the race detector if the tests do.
func startSidecar(t *testing.T, config string) *sidecarProcess {
	t.Helper()
	return startSidecarAt(t, filepath.Join(t.TempDir(), "lift.sock"), config)
}

func startSidecarAt(t *testing.T, socket, config string) *sidecarProcess {
	t.Helper()
	return launchSidecar(t, socket, config, bin.TestExtension).serving(t)
}

// startShipped is startSidecar with the program as it ships, whose memory is
// worth a look.
func startShipped(t *testing.T, config string) *sidecarProcess {
	t.Helper()
	return launchSidecar(t, filepath.Join(t.TempDir(), "lift.sock"), config, bin.Extension).serving(t)
}

// launchSidecar starts lift-extension by a command that ends in its path, and
// waits for nothing.
func launchSidecar(t *testing.T, socket, config string, command ...string) *sidecarProcess {
	t.Helper()
	file := filepath.Join(t.TempDir(), "lift.yaml")
	if err := os.WriteFile(file, []byte(config), 0o600); err != nil {
		t.Fatal(err)
	}
	c := startChild(t, []string{"LIFT_CONFIG=" + file, "LIFT_SOCKET=" + socket}, command[0], command[1:]...)
	return &sidecarProcess{c, socket, file}
}

// serving waits until the sidecar serves.
func (s *sidecarProcess) serving(t *testing.T) *sidecarProcess {
	t.Helper()
	waitFor(t, "the sidecar serves", func() bool {
		if !s.running() {
			t.Fatal("the sidecar has ended")
		}
		return s.out.has(`"msg":"serving"`)
	})
	return s
}

func (s *sidecarProcess) pid() int { return s.cmd.Process.Pid }

// signal sends the process a signal.
func (s *sidecarProcess) signal(t *testing.T, sig syscall.Signal) {
	t.Helper()
	if err := s.cmd.Process.Signal(sig); err != nil {
		t.Fatal(err)
	}
}

// kill ends the process as an accident would.
func (s *sidecarProcess) kill(t *testing.T) {
	t.Helper()
	s.signal(t, syscall.SIGKILL)
	s.exited(t)
}

// says fails the test unless the log holds each of the parts.
func (s *sidecarProcess) says(t *testing.T, parts ...string) {
	t.Helper()
	for _, part := range parts {
		if !strings.Contains(s.out.String(), part) {
			t.Errorf("the sidecar does not say %q", part)
		}
	}
}

// dial returns a client of the sidecar that is closed with the test.
func (s *sidecarProcess) dial(t *testing.T, opts ...sdk.Option) *sdk.Client {
	t.Helper()
	c, err := sdk.Dial(s.socket, opts...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.Close() })
	return c
}

// descriptors returns how many files the process has open.
func (s *sidecarProcess) descriptors(t *testing.T) int {
	t.Helper()
	all, err := os.ReadDir(fmt.Sprintf("/proc/%d/fd", s.pid()))
	if err != nil {
		t.Fatal(err)
	}
	return len(all)
}

// resident returns the memory that the process holds, in bytes.
func (s *sidecarProcess) resident(t *testing.T) int {
	t.Helper()
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/statm", s.pid()))
	if err != nil {
		t.Fatal(err)
	}
	pages, err := strconv.Atoi(strings.Fields(string(text))[1])
	if err != nil {
		t.Fatal(err)
	}
	return pages * os.Getpagesize()
}

// within is a context for calls that must not hang.
func within(t *testing.T, d time.Duration) context.Context {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), d)
	t.Cleanup(cancel)
	return ctx
}

// endpoints writes addresses as lift.yaml wants them.
func endpoints(addrs ...string) string {
	quoted := make([]string, len(addrs))
	for i, a := range addrs {
		quoted[i] = strconv.Quote(a)
	}
	return "[" + strings.Join(quoted, ", ") + "]"
}
