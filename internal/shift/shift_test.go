package shift_test

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/liftmesh/lift"
	"github.com/liftmesh/lift/internal/shift"
)

func TestShift(t *testing.T) {
	path := filepath.Join(t.TempDir(), "clock")
	w, err := shift.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	now, err := shift.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	check := func(wall, mono time.Duration) {
		t.Helper()
		actual, shifted := lift.Now(), now()
		if d := shifted.Wall.Sub(actual.Wall) - wall; d < 0 || d > time.Second {
			t.Errorf("the wall clock is off by %s", d)
		}
		if d := shifted.Mono - actual.Mono - mono; d < 0 || d > time.Second {
			t.Errorf("the monotonic clock is off by %s", d)
		}
	}
	check(0, 0)
	before := now()
	w.Add(time.Hour, 0)
	check(time.Hour, 0)
	if !now().Straddles(before) {
		t.Error("no freeze is seen")
	}
	w.Add(time.Minute, -time.Second)
	check(time.Hour+time.Minute, -time.Second)
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	check(time.Hour+time.Minute, -time.Second)
	if w, err = shift.Create(path); err != nil { // the old mapping sees the new file
		t.Fatal(err)
	}
	defer w.Close()
	check(0, 0)
}

func TestOpenRefuses(t *testing.T) {
	folder := t.TempDir()
	if _, err := shift.Open(filepath.Join(folder, "none")); err == nil || !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("error = %v", err)
	}
	short := filepath.Join(folder, "short")
	if err := os.WriteFile(short, []byte("1"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := shift.Open(short); err == nil || !strings.Contains(err.Error(), "1 bytes, not 16") {
		t.Errorf("error = %v", err)
	}
	if _, err := shift.Create(folder); err == nil {
		t.Error("a folder became a clock file")
	}
}
