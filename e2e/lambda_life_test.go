//go:build e2e && linux

package e2e_test

import (
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/liftmesh/lift"
	"github.com/liftmesh/lift/e2e/testfunction/order"
	"github.com/liftmesh/lift/emulator"
	"github.com/liftmesh/lift/layer"
)

// What ends an environment loses one invocation; the next one starts clean, past
// whatever the last life left in /tmp.
func TestEnvironmentEnds(t *testing.T) {
	for _, tt := range []struct {
		name  string
		order order.Order
		kill  bool // lift-extension, by SIGKILL, while the function sleeps
		want  string
		stale bool // the dead process's socket is there when the next one starts
	}{
		{name: "timeout", order: order.Order{Calls: []order.Call{get()}, Sleep: order.Duration(time.Minute)}, want: "Sandbox.Timedout"},
		{name: "exit", order: order.Order{Calls: []order.Call{get()}, End: "exit"}, want: "Runtime.ExitError"},
		{name: "panic", order: order.Order{Calls: []order.Call{get()}, End: "panic"}, want: "Unhandled"},
		{name: "extension killed", order: order.Order{Calls: []order.Call{get()}, Sleep: order.Duration(time.Minute)}, kill: true, want: "Extension.Crash", stale: true},
		{name: "extension killed under a call", order: order.Order{Calls: []order.Call{withPath(get(), "/?sleep=1m")}, Sleep: order.Duration(time.Minute)}, kill: true, want: "Extension.Crash", stale: true},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			up := startUpstream(t, "A")
			e := startLambda(t, ordersAt([]string{up.Addr}, "timeout: 1m"), func(s *setUp) {
				if !tt.kill {
					s.Timeout = 2 * time.Second
				}
			})
			e.works()
			before := e.Reports()
			if tt.kill {
				seen := up.Seen("GET")
				go func() {
					for up.Seen("GET") == seen {
						time.Sleep(5 * time.Millisecond)
					}
					_ = syscall.Kill(liftIn(before).PID, syscall.SIGKILL)
				}()
			}
			if res := e.invoke(tt.order); res.FunctionError != tt.want {
				t.Errorf("the invocation ended with %q, want %s: %s", res.FunctionError, tt.want, res.Payload)
			}
			for _, r := range before {
				waitFor(t, r.Name+" is gone", func() bool { return gone(r.PID) })
			}
			if _, err := os.Lstat(e.socket); (err == nil) != tt.stale {
				t.Errorf("the socket after the end: %v", err)
			}
			if res := e.works(); !res.Init || !res.Cold {
				t.Errorf("no new environment: %+v", res)
			}
			for i, r := range e.Reports() {
				if r.PID == before[i].PID || !r.Exited.IsZero() {
					t.Errorf("%s is no new process: %+v", r.Name, r)
				}
			}
			e.works()
		})
	}
}

func liftIn(reports []emulator.Report) emulator.Report {
	for _, r := range reports {
		if r.Name == "lift" {
			return r
		}
	}
	return emulator.Report{}
}

// A socket that something removes costs no call: what is connected stays so, and
// the next INVOKE has it made anew.
func TestSocketRemovedWhileServing(t *testing.T) {
	t.Parallel()
	up := startUpstream(t, "A")
	e := startLambda(t, ordersAt([]string{up.Addr}), nil)
	e.works()
	if err := os.Remove(e.socket); err != nil {
		t.Fatal(err)
	}
	e.works()
	waitFor(t, "the socket is there again", func() bool { _, err := os.Lstat(e.socket); return err == nil })
}

// What stands in the way of the socket breaks calls, not the environment; once it
// is out of the way the next invocations work.
func TestSocketCannotBeMade(t *testing.T) {
	t.Parallel()
	up := startUpstream(t, "A")
	obstacle := filepath.Join(socketDir(t), "folder")
	write(t, obstacle, "a file where a folder should be")
	e := startLambda(t, ordersAt([]string{up.Addr}), func(s *setUp) { s.Socket = filepath.Join(obstacle, "lift.sock") })
	e.out.find("cannot listen")
	for range 2 {
		_, r := e.does(order.Order{Calls: []order.Call{get()}})
		if a := r.Answers[0]; a.Code != string(lift.NoSidecar) || a.Reached != lift.NotReached.String() {
			t.Fatalf("got %+v", a)
		}
	}
	pid := liftIn(e.Reports()).PID
	if err := os.Remove(obstacle); err != nil {
		t.Fatal(err)
	}
	waitFor(t, "calls work", func() bool { // the SDK looks again after a second at most
		_, r := e.does(order.Order{Calls: []order.Call{get()}})
		return r.Answers[0].Error == ""
	})
	e.works()
	if liftIn(e.Reports()).PID != pid {
		t.Error("it took a new process")
	}
}

// A broken lift.yaml leaves the function alive: calls say what is wrong and
// where, one ERROR line and one metric tell of it at init.
func TestBrokenConfig(t *testing.T) {
	up := startUpstream(t, "A")
	for _, tt := range []struct {
		name string
		yaml string // "": there is no file
		want []string
		rest bool // another service works
	}{
		{name: "not YAML", yaml: "services:\n  orders: [unclosed\n", want: []string{"lift.yaml:2:", "not valid YAML"}},
		{name: "no file", want: []string{"lift.yaml: does not exist"}},
		{name: "one service", yaml: "services:\n  orders:\n    from: static\n    endpoints: [\"" + up.Addr + "\"]\n    timeout: 5 minutes\n" +
			"  well:\n    from: static\n    endpoints: [\"" + up.Addr + "\"]\n", want: []string{"lift.yaml:6:14: services.orders.timeout"}, rest: true},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			e := startLambda(t, tt.yaml, nil)
			well := get()
			well.Service = "well"
			for range 2 {
				_, r := e.does(order.Order{Calls: []order.Call{get(), post(), well}})
				for _, a := range r.Answers[:2] {
					if a.Code != string(lift.Misconfigured) || a.Reached != lift.NotReached.String() {
						t.Errorf("got %+v", a)
					}
					for _, part := range tt.want {
						if !strings.Contains(a.Error, part) {
							t.Errorf("the error does not say %q: %s", part, a.Error)
						}
					}
				}
				if a := r.Answers[2]; (a.Error == "") != tt.rest {
					t.Errorf("the other service: %+v", a)
				}
			}
			if n := len(e.out.matching(`"CloudWatchMetrics"`)); n != 1 {
				t.Errorf("%d lines of metrics", n)
			}
			errs := 0
			for _, r := range e.out.records() {
				if r.Level == "ERROR" {
					errs++
					for _, part := range tt.want {
						if !strings.Contains(r.Problems, part) {
							t.Errorf("the log does not say %q: %s", part, r.Problems)
						}
					}
				}
			}
			if errs != 1 {
				t.Errorf("%d lines of level ERROR", errs)
			}
		})
	}
	t.Run("fail_init", func(t *testing.T) {
		t.Parallel()
		e, err := openLambda(t, "services: 7\n", func(s *setUp) { s.Env["LIFT_ON_BROKEN_CONFIG"] = "fail_init" })
		fault, ok := errors.AsType[*emulator.Fault](err)
		if !ok || !errors.Is(err, emulator.ErrInit) || !strings.Contains(fault.Message, "Extension.BrokenConfig") || !strings.Contains(fault.Message, "lift.yaml:2:") {
			t.Errorf("got %v", err)
		}
		_ = os.Remove(e.socket) // Lambda may kill the process before it has done so
	})
}

// Managed instances: no INVOKE, invocations side by side.
func TestManagedInstances(t *testing.T) {
	t.Parallel()
	const atOnce = 4
	up := startUpstream(t, "A")
	e := startLambda(t, ordersAt([]string{up.Addr}, "timeout: 10s"), func(s *setUp) {
		s.InitType, s.MaxConcurrency = emulator.ManagedInstances, atOnce
	})
	before := up.Seen("GET")
	var all sync.WaitGroup
	pids := make([]int, atOnce)
	for i := range atOnce {
		all.Go(func() {
			// Each is answered only when all of them have been asked.
			_, r := e.does(order.Order{Calls: []order.Call{withPath(get(), "/?sleep=1s"), post()}})
			for _, a := range r.Answers {
				if a.Error != "" {
					t.Errorf("%+v", a)
				}
			}
			pids[i] = r.PID
		})
	}
	waitFor(t, "all run side by side", func() bool { return up.Seen("GET") == before+atOnce })
	if e.State() != emulator.Busy {
		t.Errorf("state %s", e.State())
	}
	all.Wait()
	for _, pid := range pids {
		if pid != pids[0] {
			t.Errorf("processes %v", pids)
		}
	}
	if e.out.has("registering with Lambda") || e.out.has(`"level":"ERROR"`) {
		t.Error("an error was logged")
	}
}

// The layer's zip holds only what Lambda may see, and works.
func TestLayer(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	build := exec.Command("go", "run", "./layer/build", "-o", dir, "-arch", runtime.GOARCH)
	build.Dir = ".."
	out, err := build.CombinedOutput()
	if err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	t.Logf("%s", out)
	path := filepath.Join(dir, "lift-layer-"+runtime.GOARCH+".zip")
	zip, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer zip.Close()
	info, err := zip.Stat()
	if err != nil {
		t.Fatal(err)
	}
	if err := layer.Verify(zip, info.Size(), runtime.GOARCH); err != nil {
		t.Error(err)
	}
	up := startUpstream(t, "A")
	e := startLambda(t, ordersAt([]string{up.Addr}), func(s *setUp) {
		s.Extensions, s.Layer = "", path
		s.ExtensionEnv, s.FunctionEnv, s.ClockFile = nil, nil, ""
	})
	e.works()
}

// What Lift costs a cold start, for the record: with 2 cores that other tests
// share, only a gross bound can be asserted.
func TestColdStart(t *testing.T) {
	up := startUpstream(t, "A")
	var register, next []time.Duration
	for range 5 {
		e := startLambda(t, ordersAt([]string{up.Addr}), func(s *setUp) {
			s.Extensions = filepath.Dir(bin.Extension)
			s.ExtensionEnv, s.FunctionEnv, s.ClockFile = nil, nil, ""
		})
		r := liftIn(e.Reports())
		register, next = append(register, r.ToRegister()), append(next, r.ToFirstNext())
		e.works()
		e.close()
	}
	t.Logf("exec to register %v, to the first next %v", register, next)
	if best := min(register[0], register[1], register[2], register[3], register[4]); best > time.Second {
		t.Errorf("registering took %s at best", best)
	}
}
