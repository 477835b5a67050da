package main

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/liftmesh/lift/cmd/lift/rpctest"
)

// shop is the instance that the page has in mind.
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

// Each command of docs/cli.md says what the page says that it says, times apart.
func TestPage(t *testing.T) {
	for _, program := range []string{"sh", "python3"} {
		if _, err := exec.LookPath(program); err != nil {
			t.Skip("left out: there is no " + program + " on this machine")
		}
	}
	page, err := os.ReadFile("../../docs/cli.md")
	if err != nil {
		t.Fatal(err)
	}
	web := httptest.NewServer(http.HandlerFunc(shop))
	defer web.Close()
	addrs := strings.NewReplacer("10.0.1.7:8080", web.Listener.Addr().String(), "10.0.1.9:9090", grpcServer(t, rpctest.V1))
	blocks := strings.Split(string(page), "```")
	socket := meshed(t, addrs.Replace(strings.TrimPrefix(blocks[1], "yaml")))

	// The test binary is lift where it is called so.
	bin := t.TempDir()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(self, filepath.Join(bin, "lift")); err != nil {
		t.Fatal(err)
	}
	ran := 0
	for i := 3; i+2 < len(blocks); i += 2 {
		program, isProgram := strings.CutPrefix(blocks[i], "sh\n")
		if !isProgram {
			continue
		}
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		// Both outputs in one place, as on a terminal.
		cmd := exec.CommandContext(ctx, "sh", "-c", "exec 2>&1\n"+program)
		cmd.Dir = filepath.Dir(rpctest.File(t))
		cmd.Env = append(os.Environ(), "LIFT_SOCKET="+socket, fmt.Sprintf("PATH=%s:%s", bin, os.Getenv("PATH")))
		got, err := cmd.Output()
		cancel()
		if err != nil {
			t.Errorf("%v:\n%s\n%s", err, program, got)
		}
		if got, want := timeless(string(got)), timeless(addrs.Replace(strings.TrimPrefix(blocks[i+2], "text\n"))); got != want {
			t.Errorf("%s\nprints\n%s\nwant\n%s", program, got, want)
		}
		ran++
	}
	if ran < 5 {
		t.Errorf("%d programs of the page ran", ran)
	}
}

// timeless leaves out times, the widths that addresses take, and where the two
// outputs meet.
func timeless(text string) string {
	text = regexp.MustCompile(`\b\d+(\.\d+)?(µs|ms|s)\b`).ReplaceAllString(text, "<time>")
	return strings.Join(strings.Fields(strings.ReplaceAll(text, "fresh", "warm")), " ")
}
