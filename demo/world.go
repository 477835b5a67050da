package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"github.com/liftmesh/lift/demo/report"
	"github.com/liftmesh/lift/emulator"
)

// callTimeout is the time for each call, with Lift and without.
const callTimeout = 1500 * time.Millisecond

// config is the demo's lift.yaml; the endpoints follow.
const config = `# The demo's configuration. Times are shorter than the defaults, so that a
# minute shows everything.
socket: %s
plain: [%q]
log: {level: info, format: json}
defaults:
  timeout: 1500ms
  attempt_timeout: 300ms
  breaker: {open_for: 500ms..2s}
services:
  orders: {from: static, endpoints: [%s]}
  stock: {from: static, protocol: grpc, endpoints: [%s]}
%s`

// world is everything that runs: the instances, and the environment with the function
// and lift-extension.
type world struct {
	dir, socket, logFile string
	log                  io.WriteCloser
	instances            []*instance
	consul               *consul // nil if none has been built
	caller               *caller // nil if there is no other language
	emulator             *emulator.Emulator
	tally                *tally
}

// binaries are the programs that the demo runs, built for it.
type binaries struct{ extension, function, instance string }

// compile builds the programs into dir.
func compile(ctx context.Context, dir string) (binaries, error) {
	b := binaries{filepath.Join(dir, "extensions", "lift"), filepath.Join(dir, "bootstrap"), filepath.Join(dir, "instance")}
	for _, p := range []struct{ out, pkg string }{{b.extension, "./cmd/lift-extension"}, {b.function, "./demo/function"}, {b.instance, "./demo/instance"}} {
		out, err := exec.CommandContext(ctx, "go", "build", "-trimpath", "-o", p.out, p.pkg).CombinedOutput()
		if err != nil {
			return b, fmt.Errorf("building %s: %w\n%s", p.pkg, err, out)
		}
	}
	return b, nil
}

// open starts the instances and the environment.
func open(ctx context.Context, dir string, b binaries, t *tally) (w *world, err error) {
	w = &world{dir: dir, socket: filepath.Join(dir, "lift.sock"), logFile: filepath.Join(dir, "lift.log"), tally: t}
	defer func() {
		if err != nil {
			w.close()
		}
	}()
	if w.log, err = os.Create(w.logFile); err != nil {
		return w, err
	}
	var orders, stock []string
	for _, name := range []string{"A", "B", "C"} {
		i, err := newInstance(ctx, b.instance, name)
		if err != nil {
			return w, err
		}
		w.instances = append(w.instances, i)
		orders, stock = append(orders, i.addr), append(stock, i.grpc)
		t.instances = append(t.instances, &instanceView{Name: name, Addr: i.addr, GRPC: i.grpc, Doing: "healthy", State: "closed", GRPCState: "closed"})
	}
	file := filepath.Join(dir, "lift.yaml")
	if w.consul, err = startConsul(ctx, dir, w.instances); err != nil {
		return w, err
	}
	t.consul = w.consul != nil
	door, err := freeAddr()
	if err != nil {
		return w, err
	}
	text := fmt.Sprintf(config, w.socket, door, listed(orders), listed(stock), w.consul.lines())
	if err = os.WriteFile(file, []byte(text), 0o600); err != nil {
		return w, err
	}
	w.emulator, err = emulator.Start(ctx, emulator.Config{
		Function:   b.function,
		Extensions: filepath.Dir(b.extension),
		Env:        map[string]string{"LIFT_CONFIG": file, "LIFT_SOCKET": w.socket},
		Timeout:    10 * time.Second,
		Log:        w.logged,
	})
	if err != nil {
		return w, err
	}
	w.caller, err = startCaller("demo/caller", door, func(c report.Call) { t.calls([]report.Call{c}) })
	if w.caller != nil {
		t.language = w.caller.language
	}
	return w, err
}

// listed returns addresses as a list for lift.yaml.
func listed(addrs []string) string { return `"` + strings.Join(addrs, `", "`) + `"` }

// leftOut lists what the demo cannot show on this machine.
func (w *world) leftOut() (all []string) {
	if w.consul == nil {
		all = append(all, "a service found by Consul; make tools builds one")
	}
	if w.caller == nil {
		all = append(all, "a caller in another language; python3 or node would be one")
	}
	return all
}

// logged reads every line that the processes and the platform write.
func (w *world) logged(source, line string) {
	_, _ = fmt.Fprintf(w.log, "%s: %s\n", source, line)
	if strings.HasPrefix(source, "extension") {
		w.tally.logged(line)
	}
}

// invoke runs one invocation and counts the results of its calls; flush waits for calls
// that are still running.
func (w *world) invoke(ctx context.Context, flush bool) {
	order := report.Order{Gets: 4, Posts: 2, RPCs: 2, Timeout: int(callTimeout.Milliseconds()), Flush: flush}
	if w.consul != nil {
		order.Parts = 1
	}
	for _, i := range w.instances {
		order.Plain, order.PlainRPC = append(order.Plain, i.addr), append(order.PlainRPC, i.grpc)
	}
	payload, err := json.Marshal(order)
	if err != nil {
		w.tally.fault(err.Error())
		return
	}
	res, err := w.emulator.Invoke(ctx, payload)
	var calls []report.Call
	switch {
	case ctx.Err() != nil:
	case err != nil:
		w.tally.fault(err.Error())
	case res.FunctionError != "":
		w.tally.fault(res.FunctionError + " " + string(res.Payload))
	case json.Unmarshal(res.Payload, &calls) != nil:
		w.tally.fault("the function answered " + string(res.Payload))
	default:
		w.tally.calls(calls)
	}
}

// close ends everything, the environment first, and leaves nothing running.
func (w *world) close() {
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
	defer cancel()
	w.caller.stop()
	if w.emulator != nil {
		_ = w.emulator.Shutdown(ctx, "")
	}
	w.consul.stop()
	for _, i := range w.instances {
		i.stop()
	}
	if w.log != nil {
		_ = w.log.Close()
	}
}

// instance is one process of the service.
type instance struct {
	program, name     string
	addr, grpc, admin string
	admins            *http.Client
	cmd               *exec.Cmd
}

func newInstance(ctx context.Context, program, name string) (*instance, error) {
	i := &instance{program: program, name: name}
	// No proxy, and no connection to a process that has been killed.
	i.admins = &http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
	for _, addr := range []*string{&i.addr, &i.grpc, &i.admin} {
		var err error
		if *addr, err = freeAddr(); err != nil {
			return nil, err
		}
	}
	err := i.start(ctx)
	return i, err
}

// start starts the process and waits until it answers.
func (i *instance) start(ctx context.Context) error {
	i.stop()
	i.cmd = exec.Command(i.program, "-id", i.name, "-listen", i.addr, "-grpc", i.grpc, "-admin", i.admin) // no ctx: the process must outlive start
	i.cmd.Stderr = os.Stderr
	i.cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true} // Ctrl-C goes to the demo only
	if err := i.cmd.Start(); err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
	defer cancel()
	for i.tell(ctx, "/status/200") != nil || !listening(ctx, i.addr) || !listening(ctx, i.grpc) {
		if ctx.Err() != nil {
			return fmt.Errorf("instance %s does not answer on %s", i.name, i.addr)
		}
		time.Sleep(10 * time.Millisecond)
	}
	return nil
}

func listening(ctx context.Context, addr string) bool {
	c, err := (&net.Dialer{}).DialContext(ctx, "tcp", addr)
	if err != nil {
		return false
	}
	_ = c.Close()
	return true
}

// tell tells the process how to behave.
func (i *instance) tell(ctx context.Context, path string) error {
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, "http://"+i.admin+path, nil)
	if err != nil {
		return err
	}
	resp, err := i.admins.Do(req)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		return fmt.Errorf("instance %s: %s answered %s", i.name, path, resp.Status)
	}
	return nil
}

func (i *instance) signal(s syscall.Signal) error { return i.cmd.Process.Signal(s) }

func (i *instance) pid() int {
	if i.cmd == nil {
		return 0
	}
	return i.cmd.Process.Pid
}

func (i *instance) stop() {
	if i.cmd == nil {
		return
	}
	_ = i.cmd.Process.Kill() // ends a stopped process too
	_ = i.cmd.Wait()
	i.cmd = nil
}

// freeAddr finds a free port. The instance keeps it when it is killed, so that it can
// come back at the same address.
func freeAddr() (string, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return "", err
	}
	return l.Addr().String(), errors.Join(l.Close())
}
