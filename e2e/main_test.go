//go:build e2e && linux

package e2e_test

import (
	"bufio"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"sync"
	"syscall"
	"testing"
	"time"
)

// patience bounds every wait for something that must come. It is generous: the
// machine may be busy with other things.
const patience = 20 * time.Second

// parallel is how many tests run at once, unless -parallel says otherwise: most
// of them wait most of the time.
const parallel = 6

// programs are the paths of what the tests run, built once by TestMain.
type programs struct {
	// Extension is lift-extension as it ships, in a folder of its own that can
	// stand for /opt/extensions, under the name lift.
	Extension string
	// TestExtension is the same with the build tag lifttest: it reads the clock
	// file that LIFT_TEST_CLOCK names. It has the race detector if the tests do.
	// It, too, lies in a folder of its own under the name lift.
	TestExtension string
	// Lift is the command line program.
	Lift string
	// Function is ./testfunction and Upstream is ./upstream, both with the race
	// detector if the tests have it.
	Function, Upstream string
}

// bin holds the programs. Only TestMain writes it.
var bin programs

func TestMain(m *testing.M) {
	flag.Parse()
	asked := false
	flag.Visit(func(f *flag.Flag) { asked = asked || f.Name == "test.parallel" })
	if !asked {
		if err := flag.Set("test.parallel", fmt.Sprint(parallel)); err != nil {
			panic(err)
		}
	}
	if f := flag.Lookup("test.list"); f != nil && f.Value.String() != "" {
		os.Exit(m.Run())
	}
	dir, err := os.MkdirTemp("", "lift-e2e-")
	if err == nil {
		bin, err = compile(dir)
	}
	code := 1
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
	} else {
		code = m.Run()
	}
	if err := os.RemoveAll(dir); err != nil {
		fmt.Fprintln(os.Stderr, err)
	}
	os.Exit(code)
}

// compile builds the programs into dir: those that ship as the layer has them,
// the others as the tests are built.
func compile(dir string) (programs, error) {
	p := programs{
		Extension:     filepath.Join(dir, "plain", "lift"),
		TestExtension: filepath.Join(dir, "clocked", "lift"),
		Lift:          filepath.Join(dir, "shipped", "lift"),
		Function:      filepath.Join(dir, "made", "testfunction"),
		Upstream:      filepath.Join(dir, "made", "upstream"),
	}
	made := []string{"build", "-tags", "lifttest"}
	if withRace {
		made = append(made, "-race")
	}
	made = append(made, "-o", filepath.Join(dir, "made")+"/", "../cmd/lift-extension", "./testfunction", "./upstream")
	shipped := []string{"build", "-trimpath", "-o", filepath.Join(dir, "shipped") + "/", "../cmd/lift-extension", "../cmd/lift"}
	var work sync.WaitGroup
	errs := make([]error, 2)
	work.Go(func() { errs[0] = goBuild(made) })
	work.Go(func() { errs[1] = goBuild(shipped, "CGO_ENABLED=0") })
	work.Wait()
	if err := errors.Join(errs...); err != nil {
		return p, err
	}
	for from, to := range map[string]string{
		filepath.Join(dir, "made", "lift-extension"):    p.TestExtension,
		filepath.Join(dir, "shipped", "lift-extension"): p.Extension,
	} {
		if err := os.Mkdir(filepath.Dir(to), 0o755); err != nil {
			return p, err
		}
		if err := os.Rename(from, to); err != nil {
			return p, err
		}
	}
	return p, nil
}

func goBuild(args []string, env ...string) error {
	cmd := exec.Command("go", args...)
	cmd.Env = append(os.Environ(), env...)
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("go %v: %w\n%s", args, err, out)
	}
	return nil
}

// waitFor polls until cond holds, and fails the test if that takes too long.
func waitFor(t *testing.T, what string, cond func() bool) {
	t.Helper()
	for limit := time.Now().Add(patience); !cond(); time.Sleep(2 * time.Millisecond) {
		if time.Now().After(limit) {
			t.Fatal("never: " + what)
		}
	}
}

// socketDir makes a folder whose path is short enough for a unix socket, and
// checks at the end of the test that no socket was left in it.
func socketDir(t *testing.T) string {
	t.Helper()
	dir, err := os.MkdirTemp("", "lift-") //nolint:usetesting // T.TempDir is named after the test, too long for a socket
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		entries, err := os.ReadDir(dir)
		for _, e := range entries {
			if e.Type()&os.ModeSocket != 0 {
				t.Errorf("the socket %s was left behind", e.Name())
			}
		}
		if err := errors.Join(err, os.RemoveAll(dir)); err != nil {
			t.Error(err)
		}
	})
	return dir
}

// gone reports whether no process has this id any more.
func gone(pid int) bool { return errors.Is(syscall.Kill(pid, 0), syscall.ESRCH) }

// child is a program under test that runs outside of the emulator. Its output is
// kept line by line. It is killed at the end of the test if it still runs.
type child struct {
	cmd  *exec.Cmd
	out  *lines
	done chan struct{} // closed when it has ended and its output was read
}

// startChild starts a program in a process group of its own.
func startChild(t *testing.T, env []string, path string, args ...string) *child {
	t.Helper()
	c := &child{cmd: exec.Command(path, args...), out: newLines(t), done: make(chan struct{})}
	c.cmd.Env = append(slices.Clone(env), "PATH="+os.Getenv("PATH"), "GORACE=atexit_sleep_ms=0")
	c.cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	c.cmd.Stdout, c.cmd.Stderr = w, w
	err = c.cmd.Start()
	_ = w.Close()
	if err != nil {
		t.Fatal(err)
	}
	go func() {
		defer close(c.done)
		c.out.read(r, filepath.Base(path))
		_ = r.Close()
		_ = c.cmd.Wait()
	}()
	t.Cleanup(c.kill)
	return c
}

// kill ends it, also if it is stopped, and waits until it is gone.
func (c *child) kill() {
	if c.running() {
		_ = syscall.Kill(-c.cmd.Process.Pid, syscall.SIGKILL)
	}
	<-c.done
}

// exited waits for the end and returns the exit code; -1 after a signal.
func (c *child) exited(t *testing.T) int {
	t.Helper()
	select {
	case <-c.done:
		return c.cmd.ProcessState.ExitCode()
	case <-time.After(patience):
		t.Fatal("the process does not end")
		return 0
	}
}

func (c *child) running() bool {
	select {
	case <-c.done:
		return false
	default:
		return true
	}
}

func (l *lines) read(r io.Reader, source string) {
	scanner := bufio.NewScanner(r)
	scanner.Buffer(nil, 1<<20)
	for scanner.Scan() {
		l.add(source, scanner.Text())
	}
}
