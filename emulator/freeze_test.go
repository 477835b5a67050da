package emulator_test

import (
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/liftmesh/lift/emulator"
)

// standing reports whether the process is stopped, as /proc says it.
func standing(t *testing.T, pid int) bool {
	t.Helper()
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		t.Skip("needs /proc")
	}
	_, rest, _ := strings.Cut(string(stat), ") ")
	return strings.HasPrefix(rest, "T")
}

func allStanding(t *testing.T, e *emulator.Emulator, want bool) {
	t.Helper()
	for _, r := range e.Reports() {
		waitFor(t, fmt.Sprintf("%s standing: %v", r.Name, want), func() bool { return standing(t, r.PID) == want })
	}
}

func TestFreezeAndThaw(t *testing.T) {
	cfg, _ := config(t, "fn", "ext")
	e := start(t, cfg)
	if err := e.Thaw(emulator.Gap{}); !errors.Is(err, emulator.ErrNotFrozen) {
		t.Errorf("error = %v", err)
	}
	for range 2 { // twice does no harm
		if err := e.Freeze(); err != nil {
			t.Fatal(err)
		}
	}
	for _, r := range e.Reports() {
		if !standing(t, r.PID) {
			t.Errorf("%s runs", r.Name)
		}
	}
	if s := e.State(); s != emulator.Frozen {
		t.Errorf("state = %s", s)
	}
	if err := e.Thaw(emulator.Gap{}); err != nil {
		t.Fatal(err)
	}
	allStanding(t, e, false)
	if err := e.Freeze(); err != nil {
		t.Fatal(err)
	}
	if res := works(t, e); res.Cold && res.Init {
		t.Error("a thaw is no new start")
	}
	allStanding(t, e, false)
}

func TestFreezeWhenIdle(t *testing.T) {
	cfg, log := config(t, "fn", "ext", "ext-shutdown-only")
	cfg.FreezeWhenIdle = true
	e := start(t, cfg)
	for n := 1; n <= 3; n++ {
		if s := e.State(); s != emulator.Frozen {
			t.Fatalf("state = %s", s)
		}
		allStanding(t, e, true)
		works(t, e)
		if got := len(log.matching("thawed")); got != n {
			t.Errorf("%d thaws after %d invocations", got, n)
		}
	}
}

func TestFreezeNeedsAnEnvironment(t *testing.T) {
	cfg, _ := config(t, "fn")
	cfg.Lazy = true
	if err := start(t, cfg).Freeze(); !errors.Is(err, emulator.ErrNotRunning) {
		t.Errorf("error = %v", err)
	}
}

func offsets(t *testing.T, path string) (wall, mono time.Duration) {
	t.Helper()
	b, err := os.ReadFile(path)
	if err != nil || len(b) != 16 {
		t.Fatalf("%d bytes, %v", len(b), err)
	}
	return time.Duration(binary.NativeEndian.Uint64(b)), time.Duration(binary.NativeEndian.Uint64(b[8:]))
}

func TestThawMovesTheClocks(t *testing.T) {
	cfg, log := config(t, "fn", "ext")
	cfg.ClockFile = filepath.Join(t.TempDir(), "clock")
	e := start(t, cfg)
	if w, m := offsets(t, cfg.ClockFile); w != 0 || m != 0 {
		t.Fatalf("offsets = %s, %s", w, m)
	}
	if err := e.Freeze(); err != nil {
		t.Fatal(err)
	}
	if err := e.Thaw(emulator.Gap{Length: time.Hour}); err != nil {
		t.Fatal(err)
	}
	if w, m := offsets(t, cfg.ClockFile); w != time.Hour || m != time.Hour {
		t.Errorf("monotonic runs on: offsets = %s, %s", w, m)
	}
	if err := e.Freeze(); err != nil {
		t.Fatal(err)
	}
	frozen := time.Now()
	waitFor(t, "some time has passed", func() bool { return time.Since(frozen) > 20*time.Millisecond })
	before := time.Now()
	res := works2(t, e, emulator.WithGap(emulator.Gap{Length: time.Minute, MonotonicStands: true}))
	w, m := offsets(t, cfg.ClockFile)
	if back := time.Hour - m; w != time.Hour+time.Minute || back < 20*time.Millisecond || back > time.Second {
		t.Errorf("monotonic stands: offsets = %s, %s", w, m)
	}
	// The function lives in real time, the extension an hour and a minute later.
	line := log.find(`"requestId":"` + res.RequestID)
	ms := stamp(t, line, `"deadlineMs":`)
	if left := time.UnixMilli(ms).Sub(before); left < patience+w-time.Second || left > patience+w+time.Second {
		t.Errorf("the extension's deadline is in %s", left)
	}
}

func works2(t *testing.T, e *emulator.Emulator, opts ...emulator.Option) *emulator.Result {
	t.Helper()
	res := invoke(t, e, `{"do":"echo"}`, opts...)
	if res.FunctionError != "" {
		t.Fatalf("result = %+v", res)
	}
	return res
}

func TestFreezeHoldsRelays(t *testing.T) {
	up := newUpstream(t)
	relay := newRelay(t, up.addr())
	cfg, _ := config(t, "fn")
	cfg.FreezeWhenIdle = true
	cfg.Relays = []*emulator.Relay{relay}
	cfg.Gap = emulator.Gap{Network: emulator.Reset}
	e := start(t, cfg)
	if err := e.Thaw(emulator.Gap{}); err != nil {
		t.Fatal(err)
	}
	client := dial(t, relay)
	client.echo("a")
	if err := e.Freeze(); err != nil {
		t.Fatal(err)
	}
	client.send("b")
	client.hearsNothing()
	works(t, e) // thaws with Config.Gap
	client.isReset()
}
