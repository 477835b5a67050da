//go:build e2e && linux

package e2e_test

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/liftmesh/lift/sdk"
)

// user is who a process runs as.
type user struct{ uid, group uint32 }

func (u user) command(t *testing.T, path string, args ...string) *exec.Cmd {
	t.Helper()
	cmd := exec.CommandContext(within(t, patience), path, args...)
	cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: u.uid, Gid: u.uid, Groups: []uint32{u.group}}}
	cmd.Env = []string{"HOME=/"}
	return cmd
}

// The sidecar runs as one user, applications as others: who is in the socket's
// group comes in, and nobody else does.
func TestOtherUsers(t *testing.T) {
	t.Parallel()
	if os.Geteuid() != 0 {
		t.Skip("left out: it takes root to run processes as other users")
	}
	const group = 64321
	owner, member, stranger := user{64001, group}, user{64002, group}, user{64003, 64003}

	room := startWaitingRoom(t)
	dir, err := os.MkdirTemp("", "lift-users-") //nolint:usetesting // t.TempDir lies in a folder that is its owner's alone
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	in := func(name string) string { return filepath.Join(dir, name) }
	for path, from := range map[string]string{"lift-extension": bin.Extension, "lift": bin.Lift} {
		program, err := os.ReadFile(from)
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(in(path), program, 0o755); err != nil { //nolint:gosec // everybody runs it
			t.Fatal(err)
		}
	}
	text := fmt.Sprintf("socket: %s\nsocket_mode: \"0660\"\nsocket_group: \"%d\"\nplain: [\"unix:%s\"]\n%s", in("run/lift.sock"), group, in("run/plain.sock"), room.config())
	if err := os.WriteFile(in("lift.yaml"), []byte(text), 0o644); err != nil { //nolint:gosec // everybody reads it
		t.Fatal(err)
	}
	for path, mode := range map[string]os.FileMode{"": 0o755, "run": 0o751} {
		if path != "" {
			if err := os.Mkdir(in(path), mode); err != nil {
				t.Fatal(err)
			}
		}
		if err := os.Chmod(in(path), mode); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Chown(in("run"), int(owner.uid), int(owner.uid)); err != nil {
		t.Fatal(err)
	}

	sidecar := owner.command(t, in("lift-extension"))
	sidecar.Env = append(sidecar.Env, "LIFT_CONFIG="+in("lift.yaml"))
	out := newLines(t)
	pipe, err := sidecar.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := sidecar.Start(); err != nil {
		t.Fatal(err)
	}
	read := make(chan struct{})
	go func() { defer close(read); out.read(pipe, "lift-extension") }()
	t.Cleanup(func() {
		_ = sidecar.Process.Signal(syscall.SIGTERM)
		<-read
		if err := sidecar.Wait(); err != nil {
			t.Errorf("the sidecar's end: %v", err)
		}
	})
	out.find(`"msg":"serving"`)

	for name, tt := range map[string]struct {
		who user
		may bool
	}{"the owner": {owner, true}, "a member of the group": {member, true}, "a stranger": {stranger, false}} {
		for _, args := range [][]string{{"lift-extension", "health", "--socket", in("run/lift.sock")}, {"lift", "call", "--fail", "--socket", in("run/lift.sock"), "orders", "/"}} {
			said, err := tt.who.command(t, in(args[0]), args[1:]...).CombinedOutput()
			if (err == nil) != tt.may {
				t.Errorf("%s, %s: %v\n%s", name, args[0], err, said)
			}
			if !tt.may && !strings.Contains(string(said), "permission denied") {
				t.Errorf("%s is not told why: %s", name, said)
			}
		}
	}
	for _, socket := range []string{"lift.sock", "plain.sock"} {
		info, err := os.Lstat(in("run/" + socket))
		if err != nil {
			t.Fatal(err)
		}
		if stat := info.Sys().(*syscall.Stat_t); stat.Gid != group || info.Mode().Perm() != 0o660 {
			t.Errorf("%s: group %d, mode %s", socket, stat.Gid, info.Mode())
		}
	}
}

// Containers that share a network and no volume: the SDK by the loopback.
func TestLiftAPIByTCP(t *testing.T) {
	t.Parallel()
	room := startWaitingRoom(t)
	at := ownAddr(t)
	s := startSidecar(t, fmt.Sprintf("api: [%q]\n%s", at, room.config()))
	client, err := sdk.Dial(at)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = client.Close() })
	mustCall(t, client)
	run(t, nil, bin.Extension, "health", "--socket", at).wants(t, 0, []string{"serving"}, nil)
	run(t, []string{"LIFT_SOCKET=" + at}, bin.Lift, "call", "orders", "/").wants(t, 0, []string{"room"}, nil)

	// A reload takes it away, and brings it back.
	s.reload(t, room.config(), reloaded)
	run(t, nil, bin.Extension, "health", "--socket", at).wants(t, 1, nil, []string{"no sidecar answers at " + at})
	s.reload(t, fmt.Sprintf("api: [%q]\n%s", at, room.config()), reloaded)
	waitFor(t, "the client finds it back", func() bool {
		_, err := sdk.Get[answer](within(t, patience), client, "orders", "/")
		return err == nil
	})
}
