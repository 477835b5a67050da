//go:build e2e && linux

package e2e_test

import (
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/liftmesh/lift/sdk"
)

// liftRun is a `lift run` of the programs as they ship.
type liftRun struct {
	*child
	dir, socket string
}

// startRun runs sh -c script with a sidecar of that configuration beside it. What
// the script calls up tells that it runs.
func startRun(t *testing.T, config, script string) *liftRun {
	t.Helper()
	r := launchRun(t, socketDir(t), config, script)
	waitFor(t, "the program runs", func() bool {
		_, err := os.Stat(filepath.Join(r.dir, "up"))
		return err == nil || !r.running()
	})
	return r
}

func launchRun(t *testing.T, sockets, config, script string) *liftRun {
	t.Helper()
	r := &liftRun{dir: t.TempDir(), socket: filepath.Join(sockets, "s")}
	file := filepath.Join(r.dir, "lift.yaml")
	write(t, file, config)
	r.child = startChild(t, []string{"TMPDIR=" + sockets}, bin.Lift, "run", "--config", file, "--socket", r.socket, "--extension", bin.Extension, "-v", "--",
		"sh", "-c", "lift="+bin.Lift+"; cd "+r.dir+"; "+script)
	return r
}

// As it is told to end, a program may still call: the sidecar drains after it.
func TestRunDrainsAfterTheProgram(t *testing.T) {
	t.Parallel()
	room := startWaitingRoom(t)
	r := startRun(t, room.config(), `trap '$lift call orders /last >last; exit 3' TERM; touch up; while :; do sleep 0.02; done`)
	_ = r.cmd.Process.Signal(syscall.SIGTERM)
	if code := r.exited(t); code != 3 {
		t.Errorf("exit code %d", code)
	}
	if last, _ := os.ReadFile(filepath.Join(r.dir, "last")); !strings.Contains(string(last), "room") {
		t.Errorf("the last call was answered %q", last)
	}
	if out := r.out.String(); !strings.Contains(out, `"msg":"draining"`) {
		t.Errorf("the sidecar did not drain:\n%s", out)
	}
}

// The drain waits for a call of somebody else; one more signal cuts it.
func TestRunIsHurried(t *testing.T) {
	t.Parallel()
	room := startWaitingRoom(t)
	r := startRun(t, room.config(), `touch up; until [ -e stop ]; do sleep 0.02; done`)
	client, err := sdk.Dial(r.socket)
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	slow := room.slow(t, client, "GET")
	write(t, filepath.Join(r.dir, "stop"), "")
	waitFor(t, "the sidecar drains", func() bool { return r.out.has(`"msg":"draining"`) })
	waitFor(t, "signals hurry it", func() bool { // two that come at once are one
		_ = r.cmd.Process.Signal(syscall.SIGTERM)
		return !r.running()
	})
	if code := r.exited(t); code != 0 {
		t.Errorf("exit code %d", code)
	}
	if err := <-slow; err == nil {
		t.Error("the call was not cut")
	}
}

// A sidecar that cannot listen starts no program, and leaves who listens alone.
func TestRunWhereAnotherListens(t *testing.T) {
	t.Parallel()
	room := startWaitingRoom(t)
	sockets := socketDir(t)
	first := launchRun(t, sockets, room.config(), `touch up; until [ -e stop ]; do sleep 0.02; done; $lift call orders / >last`)
	waitFor(t, "the first program runs", func() bool { _, err := os.Stat(first.dir + "/up"); return err == nil })
	second := launchRun(t, sockets, room.config(), `touch up`)
	if code := second.exited(t); code != 125 {
		t.Errorf("exit code %d", code)
	}
	if _, err := os.Stat(second.dir + "/up"); err == nil {
		t.Error("the second program was started")
	}
	if !strings.Contains(second.out.String(), "lift: the sidecar ended at its start (exit status 1); its last log lines above say why; the program was not started") {
		t.Errorf("it says:\n%s", second.out)
	}

	// So does a plain door that is taken, though the socket is free.
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	third := launchRun(t, socketDir(t), fmt.Sprintf("plain: [%q]\n", l.Addr())+room.config(), `touch up`)
	if code := third.exited(t); code != 125 {
		t.Errorf("exit code %d", code)
	}
	if _, err := os.Stat(third.dir + "/up"); err == nil {
		t.Error("the third program was started")
	}

	write(t, filepath.Join(first.dir, "stop"), "")
	if code := first.exited(t); code != 0 {
		t.Errorf("the first program: exit code %d", code)
	}
}

// After SIGKILL of the sidecar the program's calls go well again.
func TestRunOutlivesItsSidecar(t *testing.T) {
	t.Parallel()
	room := startWaitingRoom(t)
	r := startRun(t, room.config(), `touch up; until [ -e dead ]; do sleep 0.02; done; until $lift call orders / >last; do sleep 0.02; done`)
	killed := false
	waitFor(t, "the sidecar is found", func() bool {
		for _, pid := range childrenOf(r.cmd.Process.Pid) {
			if exe, err := os.Readlink(fmt.Sprintf("/proc/%d/exe", pid)); err == nil && exe == bin.Extension {
				killed = syscall.Kill(pid, syscall.SIGKILL) == nil
			}
		}
		return killed
	})
	waitFor(t, "lift says so", func() bool { return r.out.has("lift: the sidecar ended (signal: killed)") })
	write(t, filepath.Join(r.dir, "dead"), "")
	if code := r.exited(t); code != 0 {
		t.Errorf("exit code %d", code)
	}
	if last, _ := os.ReadFile(filepath.Join(r.dir, "last")); !strings.Contains(string(last), "room") {
		t.Errorf("the last call was answered %q", last)
	}
}

// A lift that is killed takes both along.
func TestRunKilled(t *testing.T) {
	t.Parallel()
	room := startWaitingRoom(t)
	r := startRun(t, room.config(), `trap "" TERM; touch up; while :; do sleep 0.02; done`)
	all := childrenOf(r.cmd.Process.Pid)
	if len(all) != 2 {
		t.Fatalf("children: %v", all)
	}
	_ = r.cmd.Process.Kill()
	for _, pid := range all {
		waitFor(t, "nothing outlives lift", func() bool { return gone(pid) })
	}
}

// childrenOf are the processes that pid has started.
func childrenOf(pid int) (all []int) {
	stats, _ := filepath.Glob("/proc/[0-9]*/stat")
	for _, path := range stats {
		stat, err := os.ReadFile(path) //nolint:gosec // the kernel's
		if err != nil {
			continue
		}
		_, rest, _ := strings.Cut(string(stat), ") ")
		var state string
		var parent, child int
		if _, err := fmt.Sscan(rest, &state, &parent); err != nil || parent != pid {
			continue
		}
		if _, err := fmt.Sscan(string(stat), &child); err == nil {
			all = append(all, child)
		}
	}
	return all
}
