//go:build e2e && linux

package e2e_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/liftmesh/lift"
	"github.com/liftmesh/lift/emulator"
	"github.com/liftmesh/lift/internal/shift"
	"github.com/liftmesh/lift/sdk"
)

// Every kind of upstream under every trouble. Each kind has two real instances
// and a real sidecar, each trouble in it a service of its own over those
// instances, so that nothing is remembered from one to the next.
//
// What holds in every cell: nothing hangs; an idempotent call does not fail and
// costs little; another one fails only where an instance may have acted, and says
// so; afterwards calls go to who is well.
func TestTable(t *testing.T) {
	for _, k := range kinds(t) {
		t.Run(k.name, func(t *testing.T) {
			t.Parallel()
			r := openTable(t, k)
			for _, x := range troubles() {
				if x.ruins && k.from != nil {
					continue // nobody is left
				}
				t.Run(x.name, func(t *testing.T) { r.play(t, x) })
			}
			if n := r.sidecar.descriptors(t); n > tableDescriptors {
				t.Errorf("%d descriptors are open at the end", n)
			}
		})
	}
}

const (
	// tableAttempt is the time of an attempt where an instance will use it up.
	tableAttempt = 400 * time.Millisecond
	// tableBound is what a call may take beyond that, on a busy machine.
	tableBound = 2 * time.Second
	// tableDescriptors are far more than two instances need.
	tableDescriptors = 200
	// tableCalls is how many calls of each sort a cell makes at once.
	tableCalls = 6
)

// tableRoom is where one kind is put to the test.
type tableRoom struct {
	kind    kind
	relayed relayed
	sidecar *sidecarProcess
	client  *sdk.Client
	clock   *shift.Writer
	opened  []int // connections to each instance, before the cell
}

func openTable(t *testing.T, k kind) *tableRoom {
	t.Helper()
	dir := t.TempDir()
	r := &tableRoom{kind: k, relayed: startRelayed(t, k.upstream, k.instances()...)}
	config := "defaults:\n  timeout: 10s\n  breaker: {open_for: 30s..60s}\n  balancer: {strategy: round_robin}\nservices:\n"
	for _, x := range troubles() {
		addrs := addrsOf(r.relayed.instances)
		if x.relayed || k.from != nil {
			addrs = r.relayed.addrs()
		}
		config += "  " + x.name + ":\n"
		for _, line := range slices.Concat(k.source(addrs), x.config, k.config) {
			config += "    " + line + "\n"
		}
	}
	clock := filepath.Join(dir, "clock")
	var err error
	if r.clock, err = shift.Create(clock); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = r.clock.Close() })
	now, err := shift.Open(clock)
	if err != nil {
		t.Fatal(err)
	}
	file, socket := filepath.Join(dir, "lift.yaml"), filepath.Join(socketDir(t), "lift.sock")
	write(t, file, config)
	r.sidecar = &sidecarProcess{startChild(t, []string{"LIFT_CONFIG=" + file, "LIFT_SOCKET=" + socket, "LIFT_TEST_CLOCK=" + clock, "AWS_REGION=eu-west-1", "AWS_ACCESS_KEY_ID=AKID", "AWS_SECRET_ACCESS_KEY=SECRET"}, bin.TestExtension), socket, file}
	t.Cleanup(func() { _ = os.Remove(socket) }) // the sidecar is killed
	r.client = r.sidecar.serving(t).dial(t, sdk.Clock(now))
	return r
}

// came is what became of one call.
type came struct {
	safe     bool // it may be sent again
	instance string
	took     time.Duration
	attempts []lift.AttemptRecord
	err      error
}

func (c came) String() string {
	return fmt.Sprintf("safe %v, answered by %q after %s, error %v", c.safe, c.instance, c.took.Round(time.Millisecond), c.err)
}

// calls starts calls of both sorts at once, each of which the instance sleeps
// on, and returns what waits for their ends.
func (r *tableRoom) calls(t *testing.T, service string, sleep time.Duration) (all func() []came) {
	t.Helper()
	out := make([]came, 2*tableCalls)
	var work sync.WaitGroup
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	for i := range out {
		c := &out[i]
		c.safe = i%4 < 2 // both sorts meet both instances
		work.Go(func() {
			var rec sdk.Record
			opts := []sdk.CallOption{sdk.RecordIn(&rec), sdk.NotIdempotent()}
			if c.safe {
				opts[1] = sdk.Idempotent()
			}
			began := time.Now()
			c.instance, c.err = r.kind.ask(sdk.With(ctx, opts...), r.client, service, sleep)
			c.took, c.attempts = time.Since(began), rec.Attempts()
		})
	}
	return func() []came {
		defer cancel()
		work.Wait()
		return out
	}
}

// play goes through one cell.
func (r *tableRoom) play(t *testing.T, x trouble) {
	r.opened = nil
	for _, u := range r.relayed.instances {
		r.opened = append(r.opened, u.Opened())
	}
	for _, c := range r.calls(t, x.name, 30*time.Millisecond)() { // asleep together, so that each instance is known and warm
		if c.err != nil {
			t.Fatalf("before anything has happened: %v", c)
		}
	}
	var under []came
	if x.amid > 0 {
		before := r.relayed.seen()
		wait := r.calls(t, x.name, x.amid)
		waitFor(t, "the calls are there", func() bool { return r.relayed.seen() == before+2*tableCalls })
		x.strike(t, r)
		under = wait()
	} else {
		if x.strike != nil {
			x.strike(t, r)
		}
		under = r.calls(t, x.name, x.sleep)()
	}
	for _, c := range under {
		x.judge(t, r.kind, c)
	}
	if x.met != nil {
		x.met(t, r, under)
	}
	for _, c := range r.calls(t, x.name, 0)() {
		if c.err != nil || c.took > tableBound || (x.ruins && c.instance != "B") {
			t.Errorf("a later call: %v", c)
		}
	}
	if x.mend != nil {
		x.mend(r)
	}
	for _, addr := range slices.Concat(r.relayed.addrs(), addrsOf(r.relayed.instances)) {
		for _, line := range r.sidecar.out.records() {
			if line.Service == x.name && line.Endpoint == addr && !x.ruins {
				t.Errorf("an endpoint that is well went %s > %s: %s", line.From, line.To, line.Why)
			}
		}
	}
}

// judge holds one call against what the trouble may do to it.
func (x trouble) judge(t *testing.T, k kind, c came) {
	t.Helper()
	if limit := x.costs + tableBound; c.took > limit {
		t.Errorf("it cost more than %s: %v", limit, c)
	}
	e, ok := errors.AsType[*lift.Error](c.err)
	switch {
	case c.err == nil:
	case c.safe && !(k.streams && x.cutsStreams):
		t.Errorf("an idempotent call failed: %v", c)
	case !ok || !slices.Contains(x.codes, e.Code) || e.Reached == lift.NotReached:
		t.Errorf("want one of %v, and that an instance may have acted: %v", x.codes, c)
	}
}

// freeze stops the sidecar and the network, lets what happens meanwhile happen,
// and has ten minutes pass.
func (r *tableRoom) freeze(t *testing.T, fate emulator.Mode) {
	t.Helper()
	r.sidecar.signal(t, syscall.SIGSTOP)
	waitFor(t, "the sidecar stands", func() bool {
		stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", r.sidecar.pid()))
		_, state, _ := strings.Cut(string(stat), ") ")
		return err == nil && strings.HasPrefix(state, "T")
	})
	for _, relay := range r.relayed.relays {
		relay.Hold()
	}
	if fate == emulator.Deliver {
		for _, u := range r.relayed.instances {
			u.CloseIdle()
		}
	}
	r.clock.Add(10*time.Minute, 0)
	for _, relay := range r.relayed.relays {
		relay.Release(fate)
	}
	r.sidecar.signal(t, syscall.SIGCONT)
}
