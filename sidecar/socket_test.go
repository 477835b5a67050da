package sidecar_test

import (
	"bufio"
	"context"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/liftmesh/lift"
	liftv1 "github.com/liftmesh/lift/proto/lift/v1"
	"github.com/liftmesh/lift/sidecar"
)

func config(path string) sidecar.Config {
	return sidecar.Config{Socket: path, Caller: lift.CallerFunc(echo)}
}

func TestSocketModeAndFolder(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "a", "b")
	for mode, want := range map[os.FileMode]os.FileMode{0: 0o600, 0o660: 0o660} {
		cfg := config(filepath.Join(dir, "lift.sock"))
		cfg.Mode, cfg.Group = mode, fmt.Sprint(os.Getgid())
		srv, err := sidecar.Listen(cfg)
		if err != nil {
			t.Fatal(err)
		}
		info, err := os.Stat(cfg.Socket)
		if err != nil || info.Mode().Perm() != want {
			t.Errorf("socket: %v, %v; want %v", info.Mode(), err, want)
		}
		if info, err := os.Stat(dir); err != nil || info.Mode().Perm() != 0o700 {
			t.Errorf("folder: %v, %v", info, err)
		}
		srv.Close()
		if left, _ := os.ReadDir(dir); len(left) != 0 {
			t.Errorf("left behind: %v", left)
		}
	}
}

func TestSocketRefusals(t *testing.T) {
	dir := t.TempDir()
	file := filepath.Join(dir, "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	living := filepath.Join(dir, "living.sock")
	l, err := net.Listen("unix", living)
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	for _, tt := range []struct{ name, path, group, says string }{
		{"no path", "", "", "no path"},
		{"too long", "/tmp/" + strings.Repeat("x", 103), "", "too long for a unix socket (108 bytes, at most 107)"},
		{"not a socket", file, "", "is no socket"},
		{"a part is no folder", file + "/lift.sock", "", "no folder"},
		{"somebody lives there", living, "", fmt.Sprintf("in use by this process (pid %d)", os.Getpid())},
		{"unknown group", filepath.Join(dir, "g.sock"), "no-such-group-here", "no-such-group-here"},
		{"read-only", "/proc/lift/lift.sock", "", "/proc/lift"},
	} {
		cfg := config(tt.path)
		cfg.Group = tt.group
		srv, err := sidecar.Listen(cfg)
		if err == nil {
			srv.Close()
		}
		if err == nil || !strings.Contains(err.Error(), tt.says) {
			t.Errorf("%s: %v; want one that says %q", tt.name, err, tt.says)
		}
	}
	if srv, err := sidecar.Listen(config("/tmp/" + strings.Repeat("x", 102))); err != nil {
		t.Errorf("the longest path: %v", err)
	} else {
		srv.Close()
	}
}

// TestFileSystemTrouble needs root, for mounts; what it mounts is in a namespace
// of the test's own.
func TestFileSystemTrouble(t *testing.T) {
	for _, tt := range []struct{ name, mount, says string }{
		{"read-only", "mount -t tmpfs -o ro tmpfs $D", "read-only"},
		{"full", "mount -t tmpfs -o nr_inodes=1 tmpfs $D", "full"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			dir := t.TempDir()
			cmd := exec.Command("unshare", "-m", "sh", "-c", tt.mount+" && exec "+os.Args[0]+" -test.run=TestListenHelper") //nolint:gosec // ours
			cmd.Env = append(os.Environ(), "LIFT_TEST_SOCKET="+dir+"/lift.sock", "D="+dir)
			out, err := cmd.CombinedOutput()
			if err != nil && !strings.Contains(string(out), "listen:") {
				t.Skipf("no mounts here: %v, %s", err, out)
			}
			if !strings.Contains(string(out), tt.says) || !strings.Contains(string(out), dir) {
				t.Errorf("%s; want one that says %q", out, tt.says)
			}
		})
	}
}

// TestListenHelper is a sidecar in a process of its own.
func TestListenHelper(t *testing.T) {
	path := os.Getenv("LIFT_TEST_SOCKET")
	if path == "" {
		t.Skip("only as a process of another test")
	}
	_, err := sidecar.Listen(config(path))
	if err != nil {
		fmt.Println("listen:", err)
		return
	}
	fmt.Println("listening")
	if os.Getenv("LIFT_TEST_STAY") != "" {
		_, _ = os.Stdin.Read(make([]byte, 1))
	}
}

func TestTwoSidecarsOnOneSocket(t *testing.T) {
	path := filepath.Join(t.TempDir(), "lift.sock")
	cmd := exec.Command(os.Args[0], "-test.run=TestListenHelper") //nolint:gosec // ourselves
	cmd.Env = append(os.Environ(), "LIFT_TEST_SOCKET="+path, "LIFT_TEST_STAY=1")
	stdin, _ := cmd.StdinPipe()
	defer stdin.Close()
	stdout, _ := cmd.StdoutPipe()
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	if line, err := bufio.NewReader(stdout).ReadString('\n'); line != "listening\n" {
		t.Fatalf("the other sidecar: %q, %v", line, err)
	}
	// Stopped, as in a freeze, it still lives.
	_ = cmd.Process.Signal(syscall.SIGSTOP)
	_, err := sidecar.Listen(config(path))
	if err == nil || !strings.Contains(err.Error(), fmt.Sprintf("in use by another process (pid %d", cmd.Process.Pid)) {
		t.Errorf("beside a living one: %v", err)
	}
	_ = cmd.Process.Kill()
	_ = cmd.Wait()
	if _, err := os.Lstat(path); err != nil {
		t.Fatalf("the dead one's socket should still be there: %v", err)
	}
	_, socket := start(t, lift.CallerFunc(echo), config(path))
	r := greeted(t, connect(t, socket))
	r.send(call(&liftv1.Call{Id: 1, End: true}))
	if f, err := r.next(); err != nil || f.GetAnswer().GetStatus() != 200 {
		t.Errorf("over the dead one's: %v, %v", f, err)
	}
}

func TestRecheck(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "sub")
	srv, socket := start(t, lift.CallerFunc(echo), config(filepath.Join(dir, "lift.sock")))
	old := greeted(t, connect(t, socket))
	ask := func(what string, r *raw, id uint64) {
		t.Helper()
		r.send(call(&liftv1.Call{Id: id, End: true}))
		if f, err := r.next(); err != nil || f.GetAnswer().GetStatus() != 200 {
			t.Errorf("%s: %v, %v", what, f, err)
		}
	}
	if err := srv.Recheck(); err != nil {
		t.Fatal(err)
	}
	for i, harm := range []func() error{
		func() error { return os.Remove(socket) },
		func() error { return os.RemoveAll(dir) },
		func() error { // replaced by one that died
			_ = os.Remove(socket)
			l, err := net.ListenUnix("unix", &net.UnixAddr{Name: socket})
			if err == nil {
				l.SetUnlinkOnClose(false)
				_ = l.Close()
			}
			return err
		},
	} {
		if err := harm(); err != nil {
			t.Fatal(err)
		}
		if err := srv.Recheck(); err != nil {
			t.Fatal(err)
		}
		ask("an old session", old, uint64(i+1))
		ask("a new session", greeted(t, connect(t, socket)), 1)
	}
	// One that another process has taken is left alone.
	_ = os.Remove(socket)
	l, err := net.Listen("unix", socket)
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	if err := srv.Recheck(); err == nil || !strings.Contains(err.Error(), "in use") {
		t.Errorf("taken by another: %v", err)
	}
	srv.Close()
	if _, err := os.Lstat(socket); err != nil {
		t.Error("the other's socket was removed")
	}
}

func TestRecheckEvery(t *testing.T) {
	cfg := config(filepath.Join(t.TempDir(), "lift.sock"))
	cfg.RecheckEvery = time.Millisecond
	_, socket := start(t, lift.CallerFunc(echo), cfg)
	if err := os.Remove(socket); err != nil {
		t.Fatal(err)
	}
	for deadline := time.Now().Add(10 * time.Second); ; {
		if _, err := os.Lstat(socket); err == nil {
			return
		}
		if time.Now().After(deadline) {
			t.Fatal("the socket was not made anew")
		}
	}
}

func TestListenBeforeServe(t *testing.T) {
	path := filepath.Join(t.TempDir(), "lift.sock")
	srv, err := sidecar.Listen(config(path))
	if err != nil {
		t.Fatal(err)
	}
	conn, err := net.Dial("unix", path) // before Serve
	if err != nil {
		t.Fatal(err)
	}
	_ = conn.Close()
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- srv.Serve(ctx) }()
	greeted(t, connect(t, path))
	cancel()
	if err := <-done; err != nil {
		t.Error(err)
	}
	if _, err := os.Lstat(path); err == nil {
		t.Error("the socket is still there")
	}
}
