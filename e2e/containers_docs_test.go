//go:build e2e && linux

package e2e_test

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
)

// Each command of docs/containers.md does what the page says, by the
// configuration that the page gives.
func TestContainersPage(t *testing.T) {
	t.Parallel()
	for _, program := range []string{"sh", "curl", "sed"} {
		if _, err := exec.LookPath(program); err != nil {
			t.Skipf("left out: there is no %s on this machine", program)
		}
	}
	page, err := os.ReadFile("../docs/containers.md")
	if err != nil {
		t.Fatal(err)
	}
	orders := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		fmt.Fprintf(w, `{"id":"%s","state":"shipped"}`+"\n", strings.TrimPrefix(r.URL.Path, "/orders/"))
	}))
	t.Cleanup(orders.Close)
	dir, at := t.TempDir(), socketDir(t)
	here := strings.NewReplacer("/run/lift", at, "[127.0.0.1:4140]", fmt.Sprintf("[%q]", ownAddr(t)), "10.0.1.7:8080", orders.Listener.Addr().String())
	blocks := strings.Split(here.Replace(string(page)), "```")
	config := strings.TrimPrefix(blocks[1], "yaml")
	_, plain, _ := strings.Cut(config, `plain: ["`)
	plain, _, _ = strings.Cut(plain, `"`)

	write(t, filepath.Join(dir, "lift.yaml"), config)
	for name, path := range map[string]string{"lift-extension": bin.Extension, "lift": bin.Lift} {
		if err := os.Symlink(path, filepath.Join(dir, name)); err != nil {
			t.Fatal(err)
		}
	}
	// The page's shell has the sidecar's process id and its log.
	env := []string{"LIFT_CONFIG=" + filepath.Join(dir, "lift.yaml"), "PATH=" + dir + ":" + os.Getenv("PATH"), "HOME=" + dir}
	log, err := os.Create(filepath.Join(dir, "lift.log"))
	if err != nil {
		t.Fatal(err)
	}
	sidecar := exec.CommandContext(within(t, 5*patience), bin.TestExtension)
	sidecar.Env, sidecar.Stdout, sidecar.Stderr = env, log, log
	if err := sidecar.Start(); err != nil {
		t.Fatal(err)
	}
	said := func() string {
		text, err := os.ReadFile(log.Name())
		if err != nil {
			t.Fatal(err)
		}
		return string(text)
	}
	t.Cleanup(func() {
		_ = sidecar.Process.Signal(syscall.SIGTERM)
		if err := sidecar.Wait(); err != nil || t.Failed() {
			t.Errorf("its end: %v\n%s", err, said())
		}
		_ = log.Close()
	})
	waitFor(t, "the sidecar serves", func() bool { return strings.Contains(said(), `"msg":"serving"`) })

	ran := 0
	for i := 1; i+2 < len(blocks); i += 2 {
		program, ok := strings.CutPrefix(blocks[i], "sh\n")
		if !ok {
			continue
		}
		cmd := exec.CommandContext(within(t, 3*patience), "sh", "-ec", strings.ReplaceAll(program, "127.0.0.1:4140", plain)) //nolint:gosec // our own words
		cmd.Dir = dir
		cmd.Env = append(slices.Clone(env), fmt.Sprintf("LIFT=%d", sidecar.Process.Pid), "no_proxy=*")
		got, err := cmd.CombinedOutput()
		want := strings.TrimPrefix(blocks[i+2], "text\n")
		if err != nil || string(got) != want {
			t.Errorf("%v\n%s\nprints\n%s\nwant\n%s", err, program, got, want)
		}
		ran++
	}
	if ran != 2 {
		t.Errorf("%d blocks of commands", ran)
	}
}
