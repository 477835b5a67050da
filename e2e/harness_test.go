//go:build e2e && linux

package e2e_test

import (
	"context"
	"encoding/json"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/liftmesh/lift/e2e/testfunction/order"
	"github.com/liftmesh/lift/emulator"
)

// environment is an emulated Lambda in which lift-extension and the test's
// function run.
type environment struct {
	*emulator.Emulator
	t      *testing.T
	out    *lines
	socket string
	config string // the path of lift.yaml

	mu   sync.Mutex
	pids map[int]bool // of all processes that there were
}

// setUp is what an environment is made from.
type setUp struct {
	Socket string // default: one in a folder of its own
	YAML   string // lift.yaml less the socket; "" makes none
	emulator.Config
}

// startLambda starts an environment, and at the end of the test shuts it down
// and checks that nothing of it is left.
func startLambda(t *testing.T, config string, change func(*setUp)) *environment {
	t.Helper()
	e, err := openLambda(t, config, change)
	if err != nil {
		t.Fatal(err)
	}
	return e
}

// openLambda is startLambda for an environment that may not start.
func openLambda(t *testing.T, config string, change func(*setUp)) (*environment, error) {
	t.Helper()
	dir := socketDir(t)
	s := setUp{Socket: filepath.Join(dir, "lift.sock"), YAML: config}
	s.Function, s.Extensions = bin.Function, filepath.Dir(bin.TestExtension)
	s.Timeout = patience
	s.ClockFile = filepath.Join(dir, "clock")
	s.FunctionEnv = map[string]string{"LIFT_TEST_CLOCK": s.ClockFile}
	s.ExtensionEnv = map[string]string{"LIFT_TEST_CLOCK": s.ClockFile}
	s.Env = map[string]string{"GORACE": "atexit_sleep_ms=0"} // else each program with the race detector takes a second to exit
	if change != nil {
		change(&s)
	}
	e := &environment{t: t, out: newLines(t), socket: s.Socket, config: filepath.Join(dir, "lift.yaml"), pids: map[int]bool{}}
	if s.YAML != "" {
		write(t, e.config, "socket: "+s.Socket+"\n"+s.YAML)
	}
	s.Env["LIFT_CONFIG"], s.Env["LIFT_SOCKET"] = e.config, s.Socket
	s.Log = e.out.add
	var err error
	if e.Emulator, err = emulator.Start(context.Background(), s.Config); err != nil {
		return e, err
	}
	t.Cleanup(e.close)
	e.note()
	return e, nil
}

// note remembers the processes, for the check at the end.
func (e *environment) note() {
	e.mu.Lock()
	defer e.mu.Unlock()
	for _, r := range e.Reports() {
		if r.PID != 0 {
			e.pids[r.PID] = true
		}
	}
}

func (e *environment) close() {
	e.note()
	if err := e.Shutdown(context.Background(), ""); err != nil {
		e.t.Error(err)
	}
	for pid := range e.pids {
		if !gone(pid) {
			e.t.Errorf("process %d outlived the environment", pid)
		}
	}
	if _, err := os.Lstat(e.socket); err == nil {
		e.t.Errorf("the socket %s outlived the environment", e.socket)
	}
}

func write(t *testing.T, path, text string) {
	t.Helper()
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

// invoke runs one invocation, whatever becomes of it.
func (e *environment) invoke(o order.Order, opts ...emulator.Option) *emulator.Result {
	e.t.Helper()
	payload, err := json.Marshal(o)
	if err != nil {
		e.t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(context.Background(), 3*patience)
	defer cancel()
	res, err := e.Invoke(ctx, payload, opts...)
	if err != nil {
		e.t.Fatal(err)
	}
	e.note()
	return res
}

// does runs an invocation that the function must answer.
func (e *environment) does(o order.Order, opts ...emulator.Option) (*emulator.Result, order.Result) {
	e.t.Helper()
	res := e.invoke(o, opts...)
	if res.FunctionError != "" {
		e.t.Fatalf("the invocation ended with %s: %s", res.FunctionError, res.Payload)
	}
	var r order.Result
	if err := json.Unmarshal(res.Payload, &r); err != nil {
		e.t.Fatalf("%v: %s", err, res.Payload)
	}
	return res, r
}

// works demands that a GET and a POST are answered.
func (e *environment) works() *emulator.Result {
	e.t.Helper()
	res, r := e.does(order.Order{Calls: []order.Call{get(), post()}})
	for _, a := range r.Answers {
		if a.Error != "" {
			e.t.Fatalf("a call failed: %s", a.Error)
		}
	}
	return res
}

func get() order.Call  { return order.Call{Service: "orders", Method: http.MethodGet, Path: "/"} }
func post() order.Call { return order.Call{Service: "orders", Method: http.MethodPost, Path: "/"} }

// withPath is c with another path and query.
func withPath(c order.Call, path string) order.Call {
	c.Path = path
	return c
}

// many is gets GETs and posts POSTs at once.
func many(gets, posts int) order.Order {
	o := order.Order{AtOnce: true}
	for range gets {
		o.Calls = append(o.Calls, get())
	}
	for range posts {
		o.Calls = append(o.Calls, post())
	}
	return o
}

// ordersAt is a lift.yaml with one service at addrs; more are further lines of it.
func ordersAt(addrs []string, more ...string) string {
	yaml := "services:\n  orders:\n    from: static\n    endpoints: [\"" + strings.Join(addrs, `", "`) + "\"]\n"
	for _, m := range more {
		yaml += "    " + m + "\n"
	}
	return yaml
}

// addrsOf are the addresses of the instances.
func addrsOf(instances []*upstream) (all []string) {
	for _, u := range instances {
		all = append(all, u.Addr)
	}
	return all
}
