//go:build e2e && linux

package e2e_test

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// Each command of docs/consul.md works, with a Consul that has ACLs.
func TestConsulPage(t *testing.T) {
	t.Parallel()
	if _, err := exec.LookPath("curl"); err != nil {
		t.Skip("left out: there is no curl on this machine")
	}
	page, err := os.ReadFile("../docs/consul.md")
	if err != nil {
		t.Fatal(err)
	}
	const root = "1d7a3c6e-0000-4000-8000-000000000002"
	agent := newConsul(t, fmt.Sprintf("acl { enabled = true, default_policy = \"deny\", tokens { initial_management = %q, agent = %[1]q } }", root))
	agent.Token = root
	agent.Start()
	token := filepath.Join(t.TempDir(), "token")
	write(t, token, root)
	blocks := strings.Split(string(page), "```")
	// The page's own configuration, with the agent of this test.
	yaml := strings.NewReplacer("https://consul.internal:8501", agent.URL, "/run/secrets/consul", token).Replace(strings.TrimPrefix(blocks[1], "yaml"))
	s := startSidecar(t, yaml)
	path, err := theConsul()
	if err != nil {
		t.Fatal(err)
	}
	ran := 0
	for i := 1; i < len(blocks); i += 2 {
		script, ok := strings.CutPrefix(blocks[i], "sh\n")
		if !ok {
			continue
		}
		cmd := exec.CommandContext(within(t, patience), "sh", "-ec", script)
		cmd.Env = []string{
			"PATH=" + filepath.Dir(path) + ":" + filepath.Dir(bin.Lift) + ":" + os.Getenv("PATH"), "HOME=" + t.TempDir(),
			"CONSUL_HTTP_ADDR=" + agent.URL, "CONSUL_HTTP_TOKEN=" + root, "LIFT_SOCKET=" + s.socket,
		}
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Errorf("%v\n%s\nprints\n%s", err, script, out)
		}
		ran++
	}
	if ran < 4 {
		t.Errorf("the page has %d pieces with commands", ran)
	}
}
