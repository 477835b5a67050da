package main

import (
	"bytes"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// auto is for people on a terminal and for log collectors elsewhere.
func TestLogFormat(t *testing.T) {
	for _, tt := range []struct {
		format   string
		terminal bool
		json     bool
	}{
		{"auto", true, false}, {"auto", false, true},
		{"json", true, true}, {"json", false, true},
		{"text", true, false}, {"text", false, false},
	} {
		var out bytes.Buffer
		slog.New(logHandler(&out, tt.format, tt.terminal, nil)).Info("serving")
		if got := strings.HasPrefix(out.String(), "{"); got != tt.json {
			t.Errorf("log.format: %s, terminal %v: %s", tt.format, tt.terminal, &out)
		}
	}
}

func TestIsTerminal(t *testing.T) {
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	defer w.Close()
	file, err := os.Create(filepath.Join(t.TempDir(), "log"))
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	if isTerminal(w) || isTerminal(file) {
		t.Error("a pipe or a file is taken for a terminal")
	}
	pty, err := os.OpenFile("/dev/ptmx", os.O_RDWR, 0)
	if err != nil {
		t.Skip("left out: no terminal can be made here: ", err)
	}
	defer pty.Close()
	if !isTerminal(pty) {
		t.Error("a terminal is not known")
	}
}

// Lambda's log is JSON whatever its standard output is.
func TestLogInLambda(t *testing.T) {
	cfg := parse(t, "services: {}\n")
	pty, err := os.OpenFile("/dev/ptmx", os.O_RDWR, 0)
	if err != nil {
		t.Skip("left out: no terminal can be made here: ", err)
	}
	defer pty.Close()
	for lambda, want := range map[bool]bool{true: true, false: false} {
		log, _ := newLog(pty, cfg.Log, lambda)
		if _, got := log.Handler().(*slog.JSONHandler); got != want {
			t.Errorf("in Lambda: %v; JSON: %v", lambda, got)
		}
	}
}
