//go:build e2e && linux

package e2e_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// Places where no socket can be: the sidecar ends with 1 and one line that says
// where, why and what to do.
func TestSocketPlaces(t *testing.T) {
	t.Parallel()
	const config = "services: {orders: {from: static, endpoints: [\"127.0.0.1:1\"]}}\n"
	dir := t.TempDir()
	file := filepath.Join(dir, "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	mounted := filepath.Join(dir, "mounted")
	if err := os.Mkdir(mounted, 0o700); err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct {
		name, socket string
		mount        string // options of a tmpfs in the folder mounted, in a mount namespace
		says         []string
	}{
		{"below a file", filepath.Join(file, "lift.sock"), "", []string{file, "is no folder"}},
		{"a file is there", file, "", []string{file, "is there and is no socket", "remove it"}},
		{"a folder is there", mounted, "", []string{mounted, "is there and is no socket"}},
		{"path too long", "/tmp/" + strings.Repeat("x", 200) + "/lift.sock", "", []string{"LIFT_SOCKET", "want at most 103", "unix socket"}},
		{"read-only", filepath.Join(mounted, "lift.sock"), "ro", []string{mounted, "read-only", "socket:"}},
		{"folder in a read-only one", filepath.Join(mounted, "sub", "lift.sock"), "ro", []string{mounted, "read-only", "socket:"}},
		{"full", filepath.Join(mounted, "lift.sock"), "size=4k,nr_inodes=1", []string{mounted, "full", "free some"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			var wrapper []string
			if tt.mount != "" {
				wrapper = []string{"unshare", "--user", "--map-root-user", "--mount", "sh", "-c", `mount -t tmpfs -o "$1" lift "$2" && shift 2 && exec "$@"`, "sh", tt.mount, mounted}
				if out, err := exec.Command(wrapper[0], append(wrapper[1:], "true")...).CombinedOutput(); err != nil { //nolint:gosec // our own words
					t.Skipf("a file system of this test's own cannot be mounted here: %v: %s", err, out)
				}
			}
			s := launchSidecar(t, tt.socket, config, append(wrapper, bin.Extension)...)
			if code := s.exited(t); code != 1 {
				t.Errorf("exit code %d", code)
			}
			s.says(t, tt.says...)
			if n := len(s.out.matching(`"level":"ERROR"`)); n != 1 {
				t.Errorf("%d lines at ERROR for one fault", n)
			}
		})
	}
}

func TestMissingFolderOfTheSocketIsMade(t *testing.T) {
	t.Parallel()
	room := startWaitingRoom(t)
	s := startSidecarAt(t, filepath.Join(t.TempDir(), "a", "b", "lift.sock"), room.config())
	mustCall(t, s.dial(t))
	info, err := os.Stat(filepath.Dir(s.socket))
	if err != nil || info.Mode().Perm() != 0o700 {
		t.Errorf("the folder: %v, %v", info.Mode(), err)
	}
}
