package main

import (
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/liftmesh/lift/cmd/lift/rpctest"
)

// shop is the instance behind the page's orders.
func shop(w http.ResponseWriter, r *http.Request) {
	w.Header()["Date"] = nil
	switch r.Method + " " + r.URL.Path {
	case "GET /orders/17":
		w.Header().Set("Content-Type", "application/json")
		_ = http.NewResponseController(w).Flush() // no length: one field has one order
		_, _ = io.WriteString(w, `{"id":"17","state":"shipped"}`+"\n")
	case "GET /unended":
		_, _ = io.WriteString(w, "no newline")
	case "POST /orders":
		content, _ := io.ReadAll(r.Body)
		_, _ = io.WriteString(w, strings.TrimSpace(string(content))+"\n")
	default:
		http.NotFound(w, r)
	}
}

// page is a page of docs/ and what its commands need: the services of its lift.yaml
// behind a sidecar, and the programs in the folder bin.
type page struct {
	text  string
	addrs *strings.Replacer // the page's addresses by ours
	dir   string            // where the commands run
	env   []string
}

func openPage(t *testing.T, file string) *page {
	t.Helper()
	for _, program := range []string{"sh", "python3", "curl"} {
		if _, err := exec.LookPath(program); err != nil {
			t.Skip("left out: there is no " + program + " on this machine")
		}
	}
	text, err := os.ReadFile("../../docs/" + file)
	if err != nil {
		t.Fatal(err)
	}
	web := httptest.NewServer(http.HandlerFunc(shop))
	t.Cleanup(web.Close)
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	_ = l.Close()
	p := &page{text: string(text), dir: t.TempDir()}
	p.addrs = strings.NewReplacer("10.0.1.7:8080", web.Listener.Addr().String(), "10.0.1.9:9090", grpcServer(t, rpctest.V1), "127.0.0.1:4140", l.Addr().String())
	config := p.addrs.Replace(strings.TrimPrefix(strings.Split(p.text, "```")[1], "yaml"))
	proto, err := os.ReadFile(rpctest.File(t))
	if err != nil {
		t.Fatal(err)
	}
	for name, content := range map[string]string{"lift.yaml": config, "orders.proto": string(proto), "function.py": functionOf(t, p.addrs)} {
		if err := os.WriteFile(filepath.Join(p.dir, name), []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	// The test binary is lift, and a stand-in of lift-extension, where it is called so.
	bin := t.TempDir()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"lift", "lift-extension"} {
		if err := os.Symlink(self, filepath.Join(bin, name)); err != nil {
			t.Fatal(err)
		}
	}
	p.env = append(os.Environ(), "PATH="+bin+":"+os.Getenv("PATH"), "LIFT_SOCKET="+meshed(t, config), "STANDIN=http", "GORACE=atexit_sleep_ms=0")
	return p
}

// functionOf is the function that docs/emulator.md writes into function.py.
func functionOf(t *testing.T, addrs *strings.Replacer) string {
	t.Helper()
	text, err := os.ReadFile("../../docs/emulator.md")
	if err != nil {
		t.Fatal(err)
	}
	_, rest, _ := strings.Cut(string(text), "cat >function.py <<'END'\n")
	function, _, found := strings.Cut(rest, "END\n")
	if !found {
		t.Fatal("docs/emulator.md has no function.py")
	}
	return addrs.Replace(function)
}

// sh runs a program of the page. Both outputs come in one place, as on a terminal.
func (p *page) sh(t *testing.T, program string) (out string, code int) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, "sh", "-c", "exec 2>&1\n"+p.addrs.Replace(program))
	cmd.Dir, cmd.Env = p.dir, p.env
	if strings.Contains(program, "lift run") { // which brings its own sidecar
		dir, err := os.MkdirTemp("/tmp", "lift-") //nolint:usetesting // T.TempDir is too long for a socket
		if err != nil {
			t.Fatal(err)
		}
		defer os.RemoveAll(dir)
		cmd.Env = append(cmd.Env, "LIFT_SOCKET="+dir+"/s")
	}
	got, err := cmd.Output()
	if _, exited := errors.AsType[*exec.ExitError](err); err != nil && !exited {
		t.Fatalf("%v:\n%s", err, program)
	}
	return string(got), cmd.ProcessState.ExitCode()
}

// Each program of a page prints what the page says, times apart.
func TestPages(t *testing.T) {
	for file, programs := range map[string]int{"cli.md": 6, "emulator.md": 1} {
		t.Run(file, func(t *testing.T) { testPage(t, openPage(t, file), programs) })
	}
}

func testPage(t *testing.T, p *page, programs int) {
	t.Helper()
	blocks := strings.Split(p.text, "```")
	ran := 0
	for i := 3; i+2 < len(blocks); i += 2 {
		program, isProgram := strings.CutPrefix(blocks[i], "sh\n")
		if !isProgram {
			continue
		}
		got, code := p.sh(t, program)
		if want := p.addrs.Replace(strings.TrimPrefix(blocks[i+2], "text\n")); code != 0 || timeless(got) != timeless(want) {
			t.Errorf("%s\nprints (exit code %d)\n%s\nwant\n%s", program, code, got, want)
		}
		ran++
	}
	if ran < programs {
		t.Errorf("%d programs of the page ran", ran)
	}
}

// Each row of the page's table of exit codes is true, and a failure is one line.
func TestPageOfExitCodes(t *testing.T) {
	p := openPage(t, "cli.md")
	_, table, _ := strings.Cut(p.text, "## Exit codes\n")
	rows := regexp.MustCompile("(?m)^\\| `(lift.*?)` \\| (\\d+) \\|").FindAllStringSubmatch(table, -1)
	if len(rows) < 20 {
		t.Fatalf("the table has %d rows", len(rows))
	}
	for _, row := range rows {
		t.Run(row[1], func(t *testing.T) {
			out, code := p.sh(t, row[1])
			if want, _ := strconv.Atoi(row[2]); code != want {
				t.Errorf("exit code %d, the page says %d:\n%s", code, want, out)
			}
		})
	}
}

// timeless leaves out times, the widths that addresses take, and where the two
// outputs meet.
func timeless(text string) string {
	text = regexp.MustCompile(`\b\d+(\.\d+)?(µs|ms|s)\b`).ReplaceAllString(text, "<time>")
	return strings.Join(strings.Fields(strings.ReplaceAll(text, "fresh", "warm")), " ")
}
