//go:build e2e && linux

package e2e_test

import (
	"fmt"
	"io/fs"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/liftmesh/lift/config"
)

// examples builds the programs of examples/ and returns the folder they are in.
func examples(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	cmd := exec.CommandContext(within(t, 5*patience), "go", "build", "-o", dir+"/", "../examples/...") //nolint:gosec // our own words
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("building the examples: %v\n%s", err, out)
	}
	return dir
}

func TestExamplesRun(t *testing.T) {
	t.Parallel()
	dir := examples(t)
	for _, name := range []string{"inprocess", "layer", "sdk", "standalone"} {
		if _, err := os.Stat(filepath.Join(dir, name)); err != nil {
			t.Errorf("examples/%s was not built: %v", name, err)
		}
	}

	t.Run("inprocess", func(t *testing.T) {
		got := run(t, nil, filepath.Join(dir, "inprocess"))
		got.wants(t, 0, nil, nil)
		lines := strings.Split(strings.TrimSpace(got.out), "\n")
		greeting := regexp.MustCompile(`^hello from b after [12] attempt\(s\)$`)
		for _, line := range lines {
			if !greeting.MatchString(line) {
				t.Errorf("it says %q", line)
			}
		}
		if len(lines) != 10 {
			t.Errorf("%d lines", len(lines))
		}
	})

	t.Run("standalone", func(t *testing.T) {
		env := append(os.Environ(), "LIFT_SOCKET="+filepath.Join(socketDir(t), "s"), "TMPDIR=/tmp")
		for _, name := range []string{"ORDERS_A", "ORDERS_B", "LIFT_PLAIN"} {
			env = append(env, name+"="+freeAddress(t))
		}
		for _, tt := range []struct {
			command []string
			code    int
			out     []string
		}{
			{nil, 0, []string{`typed: {"path":"/orders/17","instance":"ORDERS_`, `http: {"path":"/orders/17"`, "post: "}},
			{[]string{"sh", "-c", `lift services; curl -s -H 'Lift-Service: orders' $LIFT_URL/orders/7; exit 4`}, 4, []string{"orders: from static, 2 endpoints, ", `{"path":"/orders/7"`}},
		} {
			cmd := exec.CommandContext(within(t, 5*patience), filepath.Join(dir, "standalone"), tt.command...) //nolint:gosec // our own words
			cmd.Env = env
			var errs strings.Builder
			cmd.Stderr = &errs
			out, _ := cmd.Output()
			ran{string(out), errs.String(), cmd.ProcessState.ExitCode()}.wants(t, tt.code, tt.out, nil)
		}
	})

	t.Run("sdk", func(t *testing.T) {
		var addrs []string
		for range 2 {
			u := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				w.Header().Set("Content-Type", "application/json")
				fmt.Fprintf(w, `{"path":%q}`, r.URL.Path)
			}))
			t.Cleanup(u.Close)
			addrs = append(addrs, u.Listener.Addr().String())
		}
		s := startSidecar(t, fmt.Sprintf("services: {orders: {from: static, endpoints: %s}}\n", endpoints(addrs...)))
		got := run(t, []string{"LIFT_SOCKET=" + s.socket}, filepath.Join(dir, "sdk"))
		got.wants(t, 0, []string{`typed: {"path":"/orders/17"}`, "  tried 127.0.0.1:", `http: {"path":"/orders/17"}`, "post: "}, nil)
		s.kill(t)
		got = run(t, []string{"LIFT_SOCKET=" + s.socket}, filepath.Join(dir, "sdk"))
		got.wants(t, 0, []string{"typed: no_sidecar; may have acted: false"}, nil)
	})
}

// freeAddress is one of the loopback where nobody listens yet.
func freeAddress(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().String()
}

// A function of the examples on the local Lambda, with lift-extension as it ships.
func TestLocalInvoke(t *testing.T) {
	t.Parallel()
	function := filepath.Join(examples(t), "layer")
	orders := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		fmt.Fprintf(w, `{"id":%q,"state":"shipped"}`, filepath.Base(r.URL.Path))
	}))
	t.Cleanup(orders.Close)
	file := filepath.Join(t.TempDir(), "lift.yaml")
	write(t, file, fmt.Sprintf("services: {orders: {from: static, endpoints: %s}}\n", endpoints(orders.Listener.Addr().String())))
	const answer = `{"id":"17","state":"shipped"}` + "\n"
	for name, args := range map[string][]string{
		"lift-extension":         {"--extension", bin.Extension},
		"a folder of extensions": {"--extensions", filepath.Dir(bin.Extension)},
		"frozen in between":      {"--extension", bin.Extension, "-n", "2", "--freeze", "4s"}, // longer than a connection is trusted
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got := run(t, []string{"TMPDIR=/tmp"}, bin.Lift, append(append([]string{"local", "invoke", "--config", file, "-d", `{"id":"17"}`}, args...), "--", function)...)
			got.wants(t, 0, nil, []string{"REPORT RequestId: ", "Init Duration: "})
			if got.out != answer && got.out != answer+answer {
				t.Errorf("standard output is %q", got.out)
			}
		})
	}
}

// The configurations that a reader may copy are sound: those of the examples,
// with their variables unset, and those in the documents.
func TestConfigurationsOfExamplesAndDocs(t *testing.T) {
	t.Parallel()
	unset := func(string) (string, bool) { return "", false }
	files, err := filepath.Glob("../examples/*/lift.yaml")
	if err != nil || len(files) < 2 {
		t.Fatalf("found %v, %v", files, err)
	}
	for _, file := range files {
		cfg, problems := config.Load(file, unset)
		if len(problems) > 0 || len(cfg.Services) == 0 {
			t.Errorf("%s: %d services, problems:\n%v", file, len(cfg.Services), problems)
		}
	}

	// What a document does not say is where its hosts are, and in which region.
	hosts := func(name string) (string, bool) {
		if strings.HasSuffix(name, "_HOST") {
			return "10.0.0.1", true
		}
		if name == "AWS_REGION" { // set in Lambda
			return "eu-west-1", true
		}
		return "", false
	}
	pages := []string{"../README.md"}
	err = filepath.WalkDir("../docs", func(path string, d fs.DirEntry, err error) error {
		if err == nil && filepath.Ext(path) == ".md" {
			pages = append(pages, path)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	snippets := 0
	for _, page := range pages {
		text, err := os.ReadFile(page) //nolint:gosec // our own
		if err != nil {
			t.Fatal(err)
		}
		for _, block := range yamlBlocks(string(text)) {
			if !strings.Contains(block, "services:") {
				continue
			}
			snippets++
			environments := []string{""}
			for _, found := range regexp.MustCompile(`(?m)^ {2}(\w+):`).FindAllStringSubmatch(after(block, "environments:"), -1) {
				environments = append(environments, found[1])
			}
			for _, environment := range environments {
				cfg, problems := config.Parse(page, []byte(block), func(name string) (string, bool) {
					if name == "LIFT_ENV" {
						return environment, environment != ""
					}
					return hosts(name)
				})
				problems = slices.DeleteFunc(problems, func(p config.Problem) bool { // a page brings no certificates
					return strings.Contains(p.What, "there is no such file")
				})
				if len(problems) > 0 || len(cfg.Services) == 0 && !strings.Contains(block, "services: {}") {
					t.Errorf("%s: %d services in environment %q, problems (lines of the snippet):\n%v\n%s", page, len(cfg.Services), environment, problems, block)
				}
			}
		}
	}
	if snippets < 2 {
		t.Errorf("only %d snippets were found", snippets)
	}
}

// yamlBlocks are the fenced blocks of YAML in a page of Markdown.
func yamlBlocks(text string) (blocks []string) {
	for _, part := range strings.Split("\n"+text, "\n```yaml\n")[1:] {
		block, _, _ := strings.Cut(part, "\n```")
		blocks = append(blocks, block+"\n")
	}
	return blocks
}

func after(text, mark string) string {
	_, rest, _ := strings.Cut(text, mark)
	return rest
}
