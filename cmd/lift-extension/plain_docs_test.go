package main

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// shop is the instance that the page about the plain door has in mind.
func shop(w http.ResponseWriter, r *http.Request) {
	switch r.Method + " " + r.URL.Path {
	case "GET /orders/17":
		_, _ = io.WriteString(w, `{"id":"17","state":"shipped"}`+"\n")
	case "POST /orders":
		w.WriteHeader(http.StatusCreated)
		_, _ = io.Copy(w, r.Body)
	case "GET /events":
		w.Header().Set("Content-Type", "text/event-stream")
		for i := range 2 {
			_, _ = fmt.Fprintf(w, "data: %d\n\n", i+1)
			_ = http.NewResponseController(w).Flush()
		}
	default:
		http.NotFound(w, r)
	}
}

// Each command of docs/plain-http.md does what the page says, by the
// configuration that the page gives.
func TestPlainPage(t *testing.T) {
	page, err := os.ReadFile("../../docs/plain-http.md")
	if err != nil {
		t.Fatal(err)
	}
	upstream := httptest.NewServer(http.HandlerFunc(shop))
	defer upstream.Close()
	dir, own, all := t.TempDir(), freePort(t), freePort(t)
	here := strings.NewReplacer("/tmp/lift/plain.sock", filepath.Join(dir, "plain.sock"), "127.0.0.1:4140", all, "127.0.0.1:4201", own,
		"10.0.1.7:8080", upstream.Listener.Addr().String()).Replace(string(page))
	blocks := strings.Split(here, "```")
	cfg := parse(t, "socket: %q\n%s", filepath.Join(dir, "lift.sock"), strings.TrimPrefix(blocks[1], "yaml"))
	ctx, end := context.WithCancel(t.Context())
	code := make(chan int, 1)
	go func() { code <- build(cfg, slog.New(slog.DiscardHandler)).standalone(ctx, nil) }()
	defer func() {
		end()
		<-code
	}()
	for deadline := time.Now().Add(10 * time.Second); ; {
		if c, err := net.Dial("tcp", own); err == nil {
			_ = c.Close()
			break
		}
		if time.Now().After(deadline) {
			t.Fatal("the door does not open")
		}
	}
	ran := 0
	for i := 1; i+2 < len(blocks); i += 2 {
		language, program, _ := strings.Cut(blocks[i], "\n")
		command := map[string][]string{"sh": {"sh", "-ec"}, "python": {"python3", "-c"}, "js": {"node", "-e"}}[language]
		if command == nil {
			continue
		}
		needs := command[0]
		if language == "sh" {
			needs = "curl"
		}
		if _, err := exec.LookPath(needs); err != nil {
			t.Logf("left out: there is no %s on this machine", needs)
			continue
		}
		limited, cancel := context.WithTimeout(t.Context(), time.Minute)
		cmd := exec.CommandContext(limited, command[0], command[1], program)
		cmd.Env = withoutProxies(os.Environ())
		got, err := cmd.CombinedOutput()
		cancel()
		want := strings.TrimPrefix(blocks[i+2], "text\n")
		// What a program prints ends its lines as it likes.
		if err != nil || strings.Join(strings.Fields(string(got)), " ") != strings.Join(strings.Fields(want), " ") {
			t.Errorf("%s: %v\n%s\nprints\n%s\nwant\n%s", needs, err, program, got, want)
		}
		ran++
	}
	t.Logf("%d programs of the page ran", ran)
}

func withoutProxies(env []string) []string {
	var out []string
	for _, e := range env {
		name, _, _ := strings.Cut(e, "=")
		if !strings.HasSuffix(strings.ToLower(name), "_proxy") {
			out = append(out, e)
		}
	}
	return out
}
