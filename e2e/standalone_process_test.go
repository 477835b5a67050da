//go:build e2e

package e2e_test

import (
	"bytes"
	"context"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/liftmesh/lift/sdk"
)

// patience is how long a test waits for what should take a moment: a noisy
// machine is slow, but not that slow.
const patience = 20 * time.Second

// sidecarProcess is a lift-extension that runs outside Lambda.
type sidecarProcess struct {
	*exec.Cmd
	socket string
	log    *transcript
	exited chan struct{} // closed when the process has ended
}

// startSidecar starts lift-extension with the configuration, on a socket of its
// own unless config names one, and waits until it serves.
func startSidecar(t *testing.T, config string) *sidecarProcess {
	t.Helper()
	return startSidecarAt(t, filepath.Join(t.TempDir(), "lift.sock"), config)
}

func startSidecarAt(t *testing.T, socket, config string) *sidecarProcess {
	t.Helper()
	s := launchSidecar(t, socket, config)
	waitUntil(t, "the sidecar serves", func() bool {
		select {
		case <-s.exited:
			t.Fatalf("the sidecar has ended:\n%s", s.log)
		default:
		}
		return strings.Contains(s.log.String(), `"msg":"serving"`)
	})
	return s
}

// launchSidecar starts lift-extension and waits for nothing. wrapper, if given,
// is a command that has it started.
func launchSidecar(t *testing.T, socket, config string, wrapper ...string) *sidecarProcess {
	t.Helper()
	file := filepath.Join(t.TempDir(), "lift.yaml")
	if err := os.WriteFile(file, []byte(config), 0o600); err != nil {
		t.Fatal(err)
	}
	args := append(wrapper, extensionBinary(t)) //nolint:gocritic // a new slice is meant
	s := &sidecarProcess{Cmd: exec.Command(args[0], args[1:]...), socket: socket, log: &transcript{}, exited: make(chan struct{})}
	s.Env = append(outsideLambda(), "LIFT_CONFIG="+file, "LIFT_SOCKET="+socket)
	s.Stdout, s.Stderr = s.log, s.log
	s.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	if err := s.Start(); err != nil {
		t.Fatal(err)
	}
	go func() {
		_ = s.Wait() // ProcessState has it
		close(s.exited)
	}()
	t.Cleanup(func() {
		_ = s.Process.Kill()
		<-s.exited
		if t.Failed() {
			t.Logf("the log of the sidecar (pid %d):\n%s", s.Process.Pid, s.log)
		}
	})
	return s
}

// outsideLambda is this process's environment without what Lift reads.
func outsideLambda() []string {
	var env []string
	for _, e := range os.Environ() {
		if !strings.HasPrefix(e, "LIFT_") && !strings.HasPrefix(e, "AWS_LAMBDA_") {
			env = append(env, e)
		}
	}
	return env
}

// signal sends the process a signal.
func (s *sidecarProcess) signal(t *testing.T, sig os.Signal) {
	t.Helper()
	if err := s.Process.Signal(sig); err != nil {
		t.Fatal(err)
	}
}

// kill ends the process as an accident would.
func (s *sidecarProcess) kill(t *testing.T) {
	t.Helper()
	s.signal(t, syscall.SIGKILL)
	s.code(t)
}

// code waits for the process's end and returns its exit code, -1 after a signal.
func (s *sidecarProcess) code(t *testing.T) int {
	t.Helper()
	select {
	case <-s.exited:
	case <-time.After(patience):
		t.Fatalf("the sidecar (pid %d) does not end:\n%s", s.Process.Pid, s.log)
	}
	return s.ProcessState.ExitCode()
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
	all, err := os.ReadDir(fmt.Sprintf("/proc/%d/fd", s.Process.Pid))
	if err != nil {
		t.Fatal(err)
	}
	return len(all)
}

// resident returns the memory that the process holds, in bytes.
func (s *sidecarProcess) resident(t *testing.T) int {
	t.Helper()
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/statm", s.Process.Pid))
	if err != nil {
		t.Fatal(err)
	}
	pages, err := strconv.Atoi(strings.Fields(string(text))[1])
	if err != nil {
		t.Fatal(err)
	}
	return pages * os.Getpagesize()
}

// transcript is what a process has written. Safe for concurrent use.
type transcript struct {
	mu   sync.Mutex
	text bytes.Buffer
}

// Write implements io.Writer.
func (o *transcript) Write(p []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.text.Write(p)
}

// String returns all that was written so far.
func (o *transcript) String() string {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.text.String()
}

// waitUntil polls until ok, and fails the test if that does not come.
func waitUntil(t *testing.T, what string, ok func() bool) {
	t.Helper()
	for end := time.Now().Add(patience); !ok(); {
		if time.Now().After(end) {
			t.Fatalf("waited %s in vain: %s", patience, what)
		}
		time.Sleep(10 * time.Millisecond)
	}
}

// within is a context for calls that must not hang.
func within(t *testing.T, d time.Duration) context.Context {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), d)
	t.Cleanup(cancel)
	return ctx
}

// freePort returns an address of the loopback on which nobody listens.
func freePort(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close() //nolint:errcheck // nothing was accepted
	return l.Addr().String()
}

// endpoints writes addresses as lift.yaml wants them.
func endpoints(addrs ...string) string {
	for i, a := range addrs {
		addrs[i] = strconv.Quote(a)
	}
	return "[" + strings.Join(addrs, ", ") + "]"
}
