package emulator_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/liftmesh/lift/emulator"
)

func TestWhatEndsAnInvocation(t *testing.T) {
	tests := map[string]struct {
		function, extension, payload string
		timeout                      time.Duration
		kind, body                   string
		reset                        string // the SHUTDOWN's reason; "" if the environment lives on
	}{
		"handler error":    {"fn", "ext", `{"do":"error"}`, 0, "Unhandled", `{"errorMessage":"no","errorType":"errorString"}`, ""},
		"answer too large": {"fn", "ext", `{"do":"big","ms":6291557}`, 0, "Unhandled", `Function.ResponseSizeTooLarge`, ""},
		"panic":            {"fn", "ext", `{"do":"panic"}`, 0, "Unhandled", `{"errorMessage":"oh","errorType":"panic"}`, "failure"},
		"exit":             {"fn", "ext", `{"do":"exit"}`, 0, "Runtime.ExitError", `exit status 7`, "failure"},
		"answer and exit":  {"fn", "ext", `{"do":"answer-and-exit"}`, 0, "Runtime.ExitError", `{"do":"answer-and-exit"}`, "failure"},
		"function hangs":   {"fn", "ext", `{"do":"hang"}`, 500 * time.Millisecond, "Sandbox.Timedout", `Task timed out after 0.50 seconds`, "timeout"},
		"stubborn one":     {"fn-stubborn", "ext", `{"do":"hang"}`, 500 * time.Millisecond, "Sandbox.Timedout", `Task timed out after 0.50 seconds`, "timeout"},
		"extension hangs":  {"fn", "ext-hang", `{"do":"echo"}`, 500 * time.Millisecond, "Sandbox.Timedout", `{"do":"echo"}`, "none"},
		"extension exits":  {"fn", "ext-exit0", `{"do":"sleep","ms":5000}`, 0, "Extension.Crash", `Error: exit status 0`, "none"},
		"exit/error":       {"fn", "ext-exiterror", `{"do":"sleep","ms":5000}`, 0, "Extension.ExitError", `Extension.NoConfig: no config`, "none"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			cfg, log := config(t, test.function, test.extension)
			cfg.ShutdownBudget = 500 * time.Millisecond
			if test.timeout > 0 {
				cfg.Timeout = test.timeout
			}
			e := start(t, cfg)
			before := e.Reports()
			res := invoke(t, e, test.payload)
			if res.FunctionError != test.kind || !strings.Contains(string(res.Payload), test.body) {
				t.Errorf("result = %q %s", res.FunctionError, res.Payload)
			}
			if test.reset == "" {
				works(t, e)
				if e.Reports()[0].PID != before[0].PID {
					t.Error("it was reset")
				}
				return
			}
			if s := e.State(); s != emulator.Cold {
				t.Errorf("state = %s", s)
			}
			for _, r := range before {
				if alive(r.PID) {
					t.Errorf("%s outlived the reset", r.Name)
				}
			}
			if got := log.matching(`"shutdownReason":"` + test.reset + `"`); test.reset != "none" && len(got) != 1 {
				t.Errorf("SHUTDOWN events with reason %s: %q", test.reset, got)
			}
			if test.extension == "ext" {
				if next := invoke(t, e, `{"do":"pid"}`); !next.Init || next.FunctionError != "" && test.timeout == 0 {
					t.Errorf("next = %+v", next)
				}
			}
		})
	}
}

func TestExtensionThatDiesWhileIdle(t *testing.T) {
	cfg, _ := config(t, "fn", "ext")
	e := start(t, cfg)
	works(t, e)
	r, _ := e.Report("ext")
	if err := syscall.Kill(r.PID, syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	waitFor(t, "the end is seen", func() bool { r, _ := e.Report("ext"); return r.Exit == "signal: killed" })
	if res := works(t, e); !res.Init {
		t.Error("the next invocation ran in the old environment")
	}
}

func TestGrandchildrenDieWithTheGroup(t *testing.T) {
	cfg, log := config(t, "fn", "ext-child")
	e := start(t, cfg)
	var pid int
	if _, err := fmt.Sscanf(log.find("child"), "extension ext-child: child %d", &pid); err != nil {
		t.Fatal(err)
	}
	if err := e.Shutdown(t.Context(), ""); err != nil {
		t.Fatal(err)
	}
	waitFor(t, "the grandchild is gone or a zombie of init", func() bool {
		stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
		return err != nil || strings.Contains(string(stat), ") Z ")
	})
}

func TestShutdownOrder(t *testing.T) {
	t.Run("a function that takes SIGTERM", func(t *testing.T) {
		cfg, log := config(t, "fn-term", "ext-tail")
		e := start(t, cfg)
		works(t, e)
		if err := e.Shutdown(t.Context(), "SandboxTerminated"); err != nil {
			t.Fatal(err)
		}
		log.find("function: got SIGTERM")
		log.find(`"shutdownReason":"SandboxTerminated"`)
		log.find("extension ext-tail: flushed")
		fn, _ := e.Report("function")
		ext, _ := e.Report("ext-tail")
		if !fn.Exited.Before(ext.Exited) || ext.Exit != "exit status 0" {
			t.Errorf("function %s, extension %s %s", fn.Exited, ext.Exited, ext.Exit)
		}
	})
	t.Run("a function that does not", func(t *testing.T) {
		cfg, log := config(t, "fn-stubborn", "ext-tail")
		cfg.ShutdownBudget = time.Second
		e := start(t, cfg)
		began := time.Now()
		if err := e.Shutdown(t.Context(), ""); err != nil {
			t.Fatal(err)
		}
		if took := time.Since(began); took < 300*time.Millisecond {
			t.Errorf("the function had %s", took)
		}
		log.find("extension ext-tail: flushed")
		if r, _ := e.Report("function"); r.Exit != "signal: killed" {
			t.Errorf("function: %s", r.Exit)
		}
	})
	t.Run("no extension: no SIGTERM", func(t *testing.T) {
		cfg, log := config(t, "fn-term")
		e := start(t, cfg)
		if err := e.Shutdown(t.Context(), ""); err != nil {
			t.Fatal(err)
		}
		if r, _ := e.Report("function"); r.Exit != "signal: killed" || len(log.matching("SIGTERM")) != 0 {
			t.Errorf("function: %s", r.Exit)
		}
	})
	t.Run("an internal extension only: SIGTERM", func(t *testing.T) {
		cfg, log := config(t, "fn-internal")
		e := start(t, cfg)
		works(t, e)
		if r, ok := e.Report("inside"); !ok || !r.Internal || r.PID != 0 {
			t.Errorf("report = %+v, %v", r, ok)
		}
		if err := e.Shutdown(t.Context(), ""); err != nil {
			t.Fatal(err)
		}
		log.find("function: got SIGTERM")
	})
	t.Run("not registered for SHUTDOWN: killed at once", func(t *testing.T) {
		cfg, _ := config(t, "fn", "ext-invoke-only")
		e := start(t, cfg)
		works(t, e)
		if err := e.Shutdown(t.Context(), ""); err != nil {
			t.Fatal(err)
		}
		if r, _ := e.Report("ext-invoke-only"); r.Exit != "signal: killed" {
			t.Errorf("extension: %s", r.Exit)
		}
	})
	t.Run("SHUTDOWN ignored: killed at the deadline", func(t *testing.T) {
		cfg, log := config(t, "fn", "ext-ignores")
		cfg.ShutdownBudget = 300 * time.Millisecond
		e := start(t, cfg)
		began := time.Now()
		if err := e.Shutdown(t.Context(), ""); err != nil {
			t.Fatal(err)
		}
		if took := time.Since(began); took < 300*time.Millisecond || took > 3*time.Second {
			t.Errorf("took %s", took)
		}
		log.find("ext-ignores did not end in time")
	})
	t.Run("context over: all killed", func(t *testing.T) {
		cfg, _ := config(t, "fn", "ext-ignores")
		cfg.ShutdownBudget = time.Minute
		e, err := emulator.Start(t.Context(), cfg)
		if err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
		defer cancel()
		if err := e.Shutdown(ctx, ""); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("error = %v", err)
		}
	})
	t.Run("frozen", func(t *testing.T) {
		cfg, log := config(t, "fn", "ext")
		cfg.FreezeWhenIdle = true
		e := start(t, cfg)
		if err := e.Shutdown(t.Context(), ""); err != nil {
			t.Fatal(err)
		}
		log.find(`"shutdownReason":"spindown"`)
	})
}

func TestShutdownDuringAnInvocation(t *testing.T) {
	cfg, log := config(t, "fn", "ext")
	e := start(t, cfg)
	ended := make(chan error, 1)
	go func() {
		_, err := e.Invoke(context.Background(), []byte(`{"do":"hang"}`))
		ended <- err
	}()
	log.find("invoked")
	if s := e.State(); s != emulator.Busy {
		t.Errorf("state = %s", s)
	}
	if err := e.Shutdown(t.Context(), ""); err != nil {
		t.Fatal(err)
	}
	if err := <-ended; !errors.Is(err, emulator.ErrClosed) {
		t.Errorf("error = %v", err)
	}
	if _, err := e.Invoke(t.Context(), nil); !errors.Is(err, emulator.ErrClosed) {
		t.Errorf("error = %v", err)
	}
	if err := e.Freeze(); !errors.Is(err, emulator.ErrClosed) {
		t.Errorf("error = %v", err)
	}
	if s := e.State(); s != emulator.Stopped {
		t.Errorf("state = %s", s)
	}
}
