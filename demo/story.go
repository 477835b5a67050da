package main

import (
	"context"
	"fmt"
	"os"
	"syscall"
	"time"

	"github.com/liftmesh/lift/demo/report"
	"github.com/liftmesh/lift/emulator"
)

// scene is one phase of the demo: a disturbance, and how long calls flow after it.
type scene struct {
	name string
	move func(*world, context.Context) error
	last time.Duration
}

// Instances, named after what happens to them.
const (
	killed = iota
	hung
	sick
)

// story is the demo's course of events.
var story = []scene{
	{"all are healthy", nil, 3 * time.Second},
	{"A is killed (SIGKILL)", (*world).kill, 4 * time.Second},
	{"A is back", (*world).restart, 4 * time.Second},
	{"B hangs (SIGSTOP)", (*world).hang, 5 * time.Second},
	{"B goes on (SIGCONT)", (*world).unhang, 5 * time.Second},
	{"C answers 503", (*world).sicken, 4 * time.Second},
	{"C is healthy again", (*world).heal, 5 * time.Second},
	{"C answers 500", (*world).fail, 4 * time.Second},
	{"C stops doing so", (*world).heal, 4 * time.Second},
	{"frozen, hung up on", (*world).freeze, 4 * time.Second},
}

// Indices into story, for the reactions that verdict looks for.
const (
	phaseKilled = 1 + iota
	phaseBack
	phaseHung
	phaseGoesOn
	phaseSick
	phaseWell
	phaseFails
	phaseStops
	phaseThawed
)

func (w *world) kill(context.Context) error {
	w.tally.doing(killed, "killed")
	return w.instances[killed].signal(syscall.SIGKILL)
}

func (w *world) restart(ctx context.Context) error {
	defer w.tally.doing(killed, "healthy")
	return w.instances[killed].start(ctx)
}

func (w *world) hang(context.Context) error {
	w.tally.doing(hung, "hung")
	return w.instances[hung].signal(syscall.SIGSTOP)
}

func (w *world) unhang(context.Context) error {
	w.tally.doing(hung, "healthy")
	return w.instances[hung].signal(syscall.SIGCONT)
}

func (w *world) sicken(ctx context.Context) error {
	w.tally.doing(sick, "answers 503")
	return w.instances[sick].tell(ctx, "/status/503")
}

// fail has C answer everything with 500, which says that it lives: it is taken out
// because the others answer well.
func (w *world) fail(ctx context.Context) error {
	w.tally.doing(sick, "answers 500")
	return w.instances[sick].tell(ctx, "/status/500")
}

func (w *world) heal(ctx context.Context) error {
	w.tally.doing(sick, "healthy")
	return w.instances[sick].tell(ctx, "/status/200")
}

// freeze stops the function and lift-extension, makes every instance close its idle
// connections, and continues them after more time than Lift trusts an idle connection.
func (w *world) freeze(ctx context.Context) error {
	w.caller.pause() // it plays a program in the same environment
	defer w.caller.resume()
	if err := w.emulator.Freeze(); err != nil {
		return err
	}
	for _, i := range w.instances {
		if err := i.tell(ctx, "/close-idle"); err != nil {
			return err
		}
	}
	select {
	case <-ctx.Done():
	case <-time.After(4 * time.Second):
	}
	return w.emulator.Thaw(emulator.Gap{})
}

// verdict lists the promises that were not kept.
func (w *world) verdict() (missed []string) {
	t := w.tally
	expect := func(ok bool, format string, args ...any) {
		if !ok {
			missed = append(missed, fmt.Sprintf(format, args...))
		}
	}
	for _, x := range []struct {
		instance, bad, good int
		name                string
	}{{killed, phaseKilled, phaseBack, "A"}, {hung, phaseHung, phaseGoesOn, "B"}, {sick, phaseSick, phaseWell, "C"}} {
		for what, addr := range map[string]string{"HTTP": w.instances[x.instance].addr, "gRPC": w.instances[x.instance].grpc} {
			expect(t.saw(addr, "closed", "open", x.bad), "%s (%s) was never taken out", x.name, what)
			expect(t.saw(addr, "open", "half_open", x.bad), "%s (%s) was never probed", x.name, what)
			expect(t.saw(addr, "half_open", "closed", x.good), "%s (%s) never became healthy again", x.name, what)
		}
		expect(t.served(x.instance, x.good) > 0, "no traffic came back to %s", x.name)
	}
	for what, addr := range map[string]string{"HTTP": w.instances[sick].addr, "gRPC": w.instances[sick].grpc} {
		expect(t.saw(addr, "closed", "open", phaseFails), "C (%s) was never taken out for its answers", what)
	}
	expect(t.served(sick, phaseStops) > 0, "no traffic came back to C after it had answered 500")
	for i, v := range []string{"A", "B", "C"} {
		expect(t.served(i, phaseThawed) > 0, "%s served nothing after the thaw", v)
	}
	kinds := []kind{{report.HTTP, true, false}, {report.HTTP, true, true}, {report.RPC, true, false}}
	if t.consul {
		kinds = append(kinds, kind{report.Consul, true, false})
	}
	if t.language != "" {
		kinds = append(kinds, kind{report.Caller, true, false})
	}
	broken := 0
	for _, k := range kinds {
		all := t.total(k)
		expect(all.Sent > 0, "no calls were made: %+v", k)
		broken += all.Broken
	}
	expect(broken == 0, "%d calls failed that Lift promises to save", broken)
	for _, l := range t.lost[:min(5, len(t.lost))] {
		missed = append(missed, "  "+l)
	}
	expect(len(t.faults) == 0, "%d invocations failed: %v", len(t.faults), t.faults[:min(3, len(t.faults))])
	return missed
}

// tryThis is the text that --keep prints.
func (w *world) tryThis(out *os.File) {
	fmt.Fprintf(out, `
  Kept running; Ctrl-C ends it. Things to try in another terminal:

    export LIFT_SOCKET=%s
    go run ./cmd/lift services --watch
    go run ./cmd/lift call -v orders /
    kill -STOP %d     # hang B, then call again; kill -CONT %d to let it go on
    curl -X POST http://%s/status/503   # C answers 503; 200 makes it healthy
    tail -f %s        # what lift-extension says
`, w.socket, w.instances[hung].pid(), w.instances[hung].pid(), w.instances[sick].admin, w.logFile)
}
