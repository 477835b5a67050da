package main

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// patience bounds every wait for what must come; the machine may be busy.
const patience = 30 * time.Second

// liftRun is a `lift run` in a folder of its own, beside the stand-in of
// lift-extension.
type liftRun struct {
	t        *testing.T
	dir      string
	cmd      *exec.Cmd
	out, err output
	done     chan struct{}
}

// output collects what a process writes.
type output struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (o *output) Write(p []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.b.Write(p)
}

func (o *output) String() string {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.b.String()
}

// startRun starts `lift run -- sh -c script`. change may give it a terminal.
func startRun(t *testing.T, script string, change func(*exec.Cmd)) *liftRun {
	t.Helper()
	dir, err := os.MkdirTemp("/tmp", "lift-run-test-") //nolint:usetesting // T.TempDir is too long for a socket
	if err != nil {
		t.Fatal(err)
	}
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"lift", "lift-extension"} {
		if err := os.Symlink(self, filepath.Join(dir, name)); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.WriteFile(filepath.Join(dir, "lift.yaml"), []byte("socket: "+dir+"/s\nservices: {orders: {from: static, endpoints: [\"127.0.0.1:9\"]}}\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	r := &liftRun{t: t, dir: dir, done: make(chan struct{})}
	r.cmd = exec.Command(filepath.Join(dir, "lift"), "run", "--", "sh", "-c", script)
	r.cmd.Dir = dir
	r.cmd.Env = append(os.Environ(), "PATH="+dir+":"+os.Getenv("PATH"), "DIARY="+dir+"/diary", "TMPDIR="+dir, "GORACE=atexit_sleep_ms=0")
	r.cmd.Stdout, r.cmd.Stderr = &r.out, &r.err
	r.cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true} // away from the terminal that runs the tests
	r.cmd.WaitDelay = time.Second                          // what a killed lift leaves behind may hold its outputs
	if change != nil {
		change(r.cmd)
	}
	if err := r.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	go func() {
		defer close(r.done)
		_ = r.cmd.Wait()
	}()
	t.Cleanup(func() {
		_ = r.cmd.Process.Kill()
		<-r.done
		for _, name := range []string{"sidecar.pid", "program.pid", "child.pid"} {
			if pid := r.pid(name); pid > 0 {
				_ = syscall.Kill(pid, syscall.SIGKILL)
			}
		}
		_ = os.RemoveAll(dir)
	})
	return r
}

// file is the content of a file in the folder, "" for none.
func (r *liftRun) file(name string) string {
	content, _ := os.ReadFile(filepath.Join(r.dir, name))
	return string(content)
}

// pid is the one in the file, once it is there.
func (r *liftRun) pid(name string) int {
	pid, _ := strconv.Atoi(strings.TrimSpace(r.file(name)))
	return pid
}

func (r *liftRun) eventually(what string, cond func() bool) {
	r.t.Helper()
	for limit := time.Now().Add(patience); !cond(); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(limit) {
			r.t.Fatalf("never: %s\nout: %s\nerr: %s\ndiary: %s", what, &r.out, &r.err, r.file("diary"))
		}
	}
}

// ends waits for the end of lift and demands its exit code.
func (r *liftRun) ends(code int) {
	r.t.Helper()
	select {
	case <-r.done:
		if got := r.cmd.ProcessState.ExitCode(); got != code {
			r.t.Errorf("exit code %d, want %d\nout: %s\nerr: %s", got, code, &r.out, &r.err)
		}
	case <-time.After(patience):
		r.t.Fatalf("lift does not end\nout: %s\nerr: %s", &r.out, &r.err)
	}
}

func (r *liftRun) signal(sig syscall.Signal) { _ = r.cmd.Process.Signal(sig) }

// dead reports whether a process has ended; a zombie has.
func dead(pid int) bool {
	if errors.Is(syscall.Kill(pid, 0), syscall.ESRCH) {
		return true
	}
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	return err != nil || strings.Contains(string(stat), ") Z ")
}

const drained = "sidecar: serves\nsidecar: terminated\nsidecar: has drained\n"

// A signal reaches the program and what it has started. The sidecar is told to end
// only when they have.
func TestRunPassesSignalsOn(t *testing.T) {
	for sig, name := range map[syscall.Signal]string{
		syscall.SIGTERM: "TERM", syscall.SIGINT: "INT", syscall.SIGHUP: "HUP", syscall.SIGQUIT: "QUIT", syscall.SIGUSR1: "USR1", syscall.SIGUSR2: "USR2",
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			inner := fmt.Sprintf(`trap "echo inner heard %s >>heard" %s; touch up; until [ -s heard ]; do sleep 0.02; done`, name, name)
			r := startRun(t, fmt.Sprintf(`trap "echo outer heard %s" %s; sh -c '%s'; cp diary diary.then; exit 9`, name, name, inner), nil)
			r.eventually("the program runs", func() bool { return r.file("diary") != "" && fileExists(r.dir+"/up") })
			r.signal(sig)
			r.ends(9)
			if r.file("heard") != "inner heard "+name+"\n" || r.out.String() != "outer heard "+name+"\n" {
				t.Errorf("inner: %q, outer: %q", r.file("heard"), &r.out)
			}
			if then := r.file("diary.then"); then != "sidecar: serves\n" {
				t.Errorf("when the program ended the sidecar's diary was %q", then)
			}
			if got := r.file("diary"); got != drained {
				t.Errorf("the sidecar's diary is %q", got)
			}
			if pid := r.pid("sidecar.pid"); !dead(pid) {
				t.Error("the sidecar outlived lift")
			}
		})
	}
}

func fileExists(path string) bool {
	_, err := os.Stat(path)
	return err == nil
}

// A program that a signal ends gives lift the code that a shell would see.
func TestRunOfAProgramThatIsKilled(t *testing.T) {
	for sig, code := range map[syscall.Signal]int{syscall.SIGKILL: 137, syscall.SIGTERM: 143} {
		t.Run(sig.String(), func(t *testing.T) {
			t.Parallel()
			r := startRun(t, `echo $$ >program.pid; exec sleep 60`, nil)
			r.eventually("the program runs", func() bool { return r.pid("program.pid") > 0 })
			_ = syscall.Kill(r.pid("program.pid"), sig)
			r.ends(code)
			if got := r.file("diary"); got != drained {
				t.Errorf("the sidecar's diary is %q", got)
			}
		})
	}
}

// What a program leaves behind in its group ends with it.
func TestRunSweepsTheProgramsGroup(t *testing.T) {
	t.Parallel()
	r := startRun(t, `(trap "" TERM; touch deaf; while :; do sleep 0.05; done) & echo $! >child.pid; until [ -e deaf ]; do sleep 0.02; done`, nil)
	r.ends(0)
	if pid := r.pid("child.pid"); pid <= 0 || !dead(pid) {
		t.Errorf("process %d outlived lift", pid)
	}
}

// Neither program nor sidecar outlives a lift that is killed; the sidecar drains.
func TestRunThatIsKilled(t *testing.T) {
	t.Parallel()
	r := startRun(t, `echo $$ >program.pid; trap "" TERM; while :; do sleep 0.05; done`, nil)
	r.eventually("the program runs", func() bool { return r.pid("program.pid") > 0 })
	r.signal(syscall.SIGKILL)
	r.ends(-1)
	r.eventually("the program has ended", func() bool { return dead(r.pid("program.pid")) })
	r.eventually("the sidecar has drained", func() bool { return r.file("diary") == drained && dead(r.pid("sidecar.pid")) })
	if left, _ := filepath.Glob(r.dir + "/lift-run-*"); len(left) > 0 {
		t.Errorf("left behind: %v", left)
	}
}

// A sidecar that dies is said and started again, and the program runs on.
func TestRunStartsASidecarAgain(t *testing.T) {
	t.Parallel()
	r := startRun(t, `touch up; until [ -e dead ]; do sleep 0.02; done; until lift services >seen 2>&1; do sleep 0.02; done; exit 4`, nil)
	r.eventually("the program runs", func() bool { return fileExists(r.dir + "/up") })
	_ = syscall.Kill(r.pid("sidecar.pid"), syscall.SIGKILL)
	r.eventually("lift says so", func() bool {
		return strings.Contains(r.err.String(), "lift: the sidecar ended (signal: killed); calls fail until it is back, starting it again in 100ms\n")
	})
	if err := os.WriteFile(r.dir+"/dead", nil, 0o600); err != nil {
		t.Fatal(err)
	}
	r.ends(4)
	if seen := r.file("seen"); !strings.HasPrefix(seen, "orders: ") {
		t.Errorf("the program saw %q", seen)
	}
	if got := r.file("diary"); got != "sidecar: serves\n"+drained {
		t.Errorf("the sidecars' diary is %q", got)
	}
}

// On a terminal the program reads from it, and Ctrl-C, which the terminal sends to
// the whole group, reaches the program once and the sidecar never.
func TestRunOnATerminal(t *testing.T) {
	t.Parallel()
	terminal, tty := pseudoTerminal(t)
	r := startRun(t, `trap "echo INT >>heard" INT; read line; echo "read $line"; touch up; until [ -e stop ]; do sleep 0.02; done; exit 5`, func(c *exec.Cmd) {
		c.Stdin = tty
		c.SysProcAttr = &syscall.SysProcAttr{Setsid: true, Setctty: true}
	})
	_, _ = terminal.WriteString("hello\n")
	r.eventually("the program reads the terminal", func() bool { return fileExists(r.dir + "/up") })
	if got := r.out.String(); got != "read hello\n" {
		t.Errorf("got %q", got)
	}
	_, _ = terminal.WriteString("\x03")
	r.eventually("the program hears of Ctrl-C", func() bool { return r.file("heard") != "" })
	if err := os.WriteFile(r.dir+"/stop", nil, 0o600); err != nil {
		t.Fatal(err)
	}
	r.ends(5)
	if got := r.file("heard"); got != "INT\n" {
		t.Errorf("the program heard %q", got)
	}
	if got := r.file("diary"); got != drained {
		t.Errorf("the sidecar's diary is %q", got)
	}
}

// pseudoTerminal returns both ends of one.
func pseudoTerminal(t *testing.T) (terminal, tty *os.File) {
	t.Helper()
	terminal, err := os.OpenFile("/dev/ptmx", os.O_RDWR|syscall.O_NOCTTY, 0)
	if err != nil {
		t.Skip("no pseudo-terminals here: ", err)
	}
	t.Cleanup(func() { _ = terminal.Close() })
	n, err := unix.IoctlGetInt(int(terminal.Fd()), unix.TIOCGPTN)
	if err == nil {
		err = unix.IoctlSetPointerInt(int(terminal.Fd()), unix.TIOCSPTLCK, 0)
	}
	if err != nil {
		t.Fatal(err)
	}
	tty, err = os.OpenFile(fmt.Sprintf("/dev/pts/%d", n), os.O_RDWR|syscall.O_NOCTTY, 0)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = tty.Close() })
	return terminal, tty
}
