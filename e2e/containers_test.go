//go:build e2e && linux

package e2e_test

import (
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"go.yaml.in/yaml/v3"
)

const containers = "../examples/containers/"

// The manifests are what their platforms take, by the platforms' own schemas and
// types. Those are a module of their own.
func TestManifestsOfContainers(t *testing.T) {
	t.Parallel()
	// Not from the cache: it does not see that a file outside of the module changed.
	cmd := exec.CommandContext(within(t, 10*time.Minute), "go", "test", "-count=1", "./...")
	cmd.Dir = "manifests"
	cmd.Env = append(os.Environ(), "GOFLAGS=-mod=readonly")
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Errorf("%v\n%s", err, out)
	}
}

// Each lift.yaml of the example is sound, the one inside the ConfigMap too, which
// says the same as the file.
func TestConfigurationsOfContainers(t *testing.T) {
	t.Parallel()
	text, err := os.ReadFile(containers + "kubernetes.yaml")
	if err != nil {
		t.Fatal(err)
	}
	var configMap struct {
		Kind string
		Data map[string]string
	}
	if err := yaml.Unmarshal([]byte(strings.Split(string(text), "\n---\n")[0]), &configMap); err != nil || configMap.Kind != "ConfigMap" {
		t.Fatalf("%v, %s", err, configMap.Kind)
	}
	inside := filepath.Join(t.TempDir(), "lift.yaml")
	write(t, inside, configMap.Data["lift.yaml"])
	var printed []string
	for _, file := range []string{containers + "config/lift.yaml", inside} {
		file, err := filepath.Abs(file)
		if err != nil {
			t.Fatal(err)
		}
		run(t, nil, bin.Lift, "config", "check", file).wants(t, 0, []string{"ok: 1 service"}, nil)
		var values strings.Builder // less where they came from
		for line := range strings.Lines(run(t, nil, bin.Lift, "config", "print", file).out) {
			value, _, _ := strings.Cut(line, "#")
			values.WriteString(strings.TrimRight(value, " \n") + "\n")
		}
		printed = append(printed, values.String())
	}
	if printed[0] != printed[1] {
		t.Errorf("the ConfigMap says\n%s\nand the file\n%s", printed[1], printed[0])
	}
}

// The processes of compose.yaml, without containers around them: the shop starts
// once Lift is healthy, answers by way of it, and, told to end at the same moment
// as Lift, still makes its last calls.
func TestProcessesOfContainers(t *testing.T) {
	t.Parallel()
	dir, at := examples(t), socketDir(t)
	var addrs []string
	for range 3 {
		addr := ownAddr(t)
		startChild(t, []string{"LISTEN=" + addr}, filepath.Join(dir, "orders"))
		addrs = append(addrs, addr)
	}
	for _, addr := range addrs {
		waitFor(t, "orders answers", func() bool { return fetch(t, "http://"+addr+"/orders/1") == `{"id":"1","state":"shipped"}` })
	}
	text, err := os.ReadFile(containers + "config/lift.yaml")
	if err != nil {
		t.Fatal(err)
	}
	plain := ownAddr(t)
	// There is no name server here that knows orders.
	config := strings.NewReplacer("/run/lift", at, "127.0.0.1:4140", `"`+plain+`"`,
		"from: dns\n    dns: {name: \"${ORDERS:-orders}\", port: 8080}", "from: static\n    endpoints: "+endpoints(addrs...)).Replace(string(text))
	file := filepath.Join(t.TempDir(), "lift.yaml")
	write(t, file, config)
	env := []string{"LIFT_CONFIG=" + file}
	lift := &sidecarProcess{child: startChild(t, env, bin.TestExtension)}
	waitFor(t, "Lift is healthy", func() bool { return run(t, env, bin.Extension, "health").code == 0 })
	listen := ownAddr(t)
	shop := startChild(t, []string{"LISTEN=" + listen, "LIFT_SOCKET=" + at + "/lift.sock"}, filepath.Join(dir, "shop"))
	waitFor(t, "the shop answers", func() bool { return fetch(t, "http://"+listen+"/orders/0") != "" })
	for i := 1; i < 20; i++ {
		if got, want := fetch(t, fmt.Sprintf("http://%s/orders/%d", listen, i)), fmt.Sprintf(`{"id":"%d","state":"shipped"}`, i); got != want {
			t.Errorf("order %d: %q", i, got)
		}
	}
	if got := fetch(t, "http://"+plain+"/healthz"); !strings.Contains(got, "ok") {
		t.Errorf("the plain door: %q", got)
	}

	lift.signal(t, syscall.SIGTERM)
	if err := shop.cmd.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	if code := shop.exited(t); code != 0 {
		t.Errorf("the shop ends with %d", code)
	}
	if !shop.out.has("reported 20, failed 0") {
		t.Error("the shop has not made all its last calls")
	}
	if code := lift.exited(t); code != 0 {
		t.Errorf("Lift ends with %d", code)
	}
}

// fetch gets a page, "" if it cannot be had.
func fetch(t *testing.T, url string) string {
	t.Helper()
	req, err := http.NewRequestWithContext(within(t, patience), http.MethodGet, url, nil)
	if err != nil {
		t.Fatal(err)
	}
	client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
	resp, err := client.Do(req)
	if err != nil {
		return ""
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil || resp.StatusCode != http.StatusOK {
		return ""
	}
	return strings.TrimSpace(string(body))
}
