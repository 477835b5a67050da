package emulator_test

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/liftmesh/lift/emulator"
)

// patience bounds every wait for something that must come.
const patience = 10 * time.Second

// lines keeps what was logged.
type lines struct {
	t    *testing.T
	mu   sync.Mutex
	all  []string
	more chan struct{}
}

func (l *lines) log(source, line string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.all = append(l.all, source+": "+line)
	close(l.more)
	l.more = make(chan struct{})
}

func (l *lines) matching(part string) []string {
	l.mu.Lock()
	defer l.mu.Unlock()
	var found []string
	for _, line := range l.all {
		if strings.Contains(line, part) {
			found = append(found, line)
		}
	}
	return found
}

// find waits for a line that holds part.
func (l *lines) find(part string) string {
	l.t.Helper()
	limit := time.After(patience)
	for {
		l.mu.Lock()
		more := l.more
		l.mu.Unlock()
		if found := l.matching(part); len(found) > 0 {
			return found[0]
		}
		select {
		case <-more:
		case <-limit:
			l.t.Fatalf("no line with %q in:\n%s", part, strings.Join(l.all, "\n"))
		}
	}
}

// links makes a folder in which the test binary lies under each name.
func links(t *testing.T, names ...string) string {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	folder := t.TempDir()
	for _, name := range names {
		if err := os.Symlink(self, filepath.Join(folder, name)); err != nil {
			t.Fatal(err)
		}
	}
	return folder
}

// config runs function with extensions; the log goes to the lines.
func config(t *testing.T, function string, extensions ...string) (emulator.Config, *lines) {
	t.Helper()
	l := &lines{t: t, more: make(chan struct{})}
	t.Cleanup(func() {
		if t.Failed() {
			t.Log("\n" + strings.Join(l.matching(""), "\n"))
		}
	})
	return emulator.Config{
		Function:   filepath.Join(links(t, function), function),
		Extensions: links(t, extensions...),
		Timeout:    patience,
		Env:        map[string]string{"GORACE": "atexit_sleep_ms=0"}, // else each program under -race takes a second to exit
		Log:        l.log,
	}, l
}

func start(t *testing.T, cfg emulator.Config) *emulator.Emulator {
	t.Helper()
	e, err := emulator.Start(context.Background(), cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		var pids []int
		for _, r := range e.Reports() {
			pids = append(pids, r.PID)
		}
		if err := e.Shutdown(context.Background(), ""); err != nil {
			t.Error(err)
		}
		for _, pid := range pids {
			if pid != 0 && alive(pid) {
				t.Errorf("process %d outlived Shutdown", pid)
			}
		}
	})
	return e
}

func alive(pid int) bool { return !errors.Is(syscall.Kill(pid, 0), syscall.ESRCH) }

func invoke(t *testing.T, e *emulator.Emulator, payload string, opts ...emulator.Option) *emulator.Result {
	t.Helper()
	res, err := e.Invoke(context.Background(), []byte(payload), opts...)
	if err != nil {
		t.Fatal(err)
	}
	return res
}

// works demands that the environment answers.
func works(t *testing.T, e *emulator.Emulator) *emulator.Result {
	t.Helper()
	res := invoke(t, e, `{"do":"echo"}`)
	if res.FunctionError != "" || string(res.Payload) != `{"do":"echo"}` {
		t.Fatalf("result = %q %s", res.FunctionError, res.Payload)
	}
	return res
}

func waitFor(t *testing.T, what string, cond func() bool) {
	t.Helper()
	for limit := time.Now().Add(patience); !cond(); time.Sleep(time.Millisecond) {
		if time.Now().After(limit) {
			t.Fatal("never: " + what)
		}
	}
}

func write(t *testing.T, path, text string, mode fs.FileMode) string {
	t.Helper()
	if err := os.WriteFile(path, []byte(text), mode); err != nil {
		t.Fatal(err)
	}
	return path
}
