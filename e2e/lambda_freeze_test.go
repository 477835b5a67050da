//go:build e2e && linux

package e2e_test

import (
	"fmt"
	"net/http"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/liftmesh/lift"
	"github.com/liftmesh/lift/e2e/testfunction/order"
	"github.com/liftmesh/lift/emulator"
)

// The freeze tests' attempt timeout, and what a call after a thaw may take: the
// wait for a silent connection is a tenth of a second, and a busy machine is slow.
const (
	freezeAttempt = 4 * time.Second
	freezeBound   = 2 * time.Second
	plainTimeout  = time.Second // of the plain http.Client's calls
)

// relayed is instances behind relays that a freeze holds.
type relayed struct {
	instances []*upstream
	relays    []*emulator.Relay
}

// startRelayed starts an instance for each name; args are their flags.
func startRelayed(t *testing.T, args []string, names ...string) relayed {
	t.Helper()
	r := relayed{instances: startUpstreams(t, args, names...)}
	for _, u := range r.instances {
		relay, err := emulator.NewRelay(u.Addr)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() {
			if err := relay.Close(); err != nil {
				t.Error(err)
			}
		})
		r.relays = append(r.relays, relay)
	}
	return r
}

func (r relayed) addrs() (all []string) {
	for _, relay := range r.relays {
		all = append(all, relay.Addr())
	}
	return all
}

// tallied counts what became of the calls of a plain http.Client, by what
// befell its connections and by method.
type tallied struct {
	mu  sync.Mutex
	all map[string]*[2]int // lost, sent
}

func (l *tallied) add(key string, lost bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.all[key] == nil {
		l.all[key] = &[2]int{}
	}
	if lost {
		l.all[key][0]++
	}
	l.all[key][1]++
}

// An environment with warm connections is frozen, and thawed into every kind of
// future: both faces of the clock, every fate of the connections, long and short,
// with the function's first call before and after the extension's INVOKE. No call
// fails, and none pays for a connection that died.
//
// The same calls are made by a plain http.Client beside them, which does lose
// some: it shows that the test can fail.
func TestFreeze(t *testing.T) {
	plain := &tallied{all: map[string]*[2]int{}}
	t.Run("matrix", func(t *testing.T) {
		for _, fate := range []emulator.Mode{emulator.Deliver, emulator.Reset, emulator.Silent} {
			for _, lead := range []time.Duration{50 * time.Millisecond, -50 * time.Millisecond} {
				t.Run(fmt.Sprintf("%s/lead %s", fate, lead), func(t *testing.T) {
					t.Parallel()
					freezeMatrix(t, fate, lead, plain)
				})
			}
		}
	})
	for key, n := range plain.all {
		t.Logf("a plain http.Client, %s: %d of %d lost or stalled", key, n[0], n[1])
	}
	for _, key := range []string{"reset POST", "silent GET", "silent POST"} {
		if n := plain.all[key]; n == nil || n[0] == 0 {
			t.Errorf("%s: a plain http.Client lost none; does the freeze do anything?", key)
		}
	}
}

func freezeMatrix(t *testing.T, fate emulator.Mode, lead time.Duration, plain *tallied) {
	up := startRelayed(t, nil, "A", "B")
	e := startLambda(t, ordersAt(up.addrs(), "timeout: 10s", "attempt_timeout: "+freezeAttempt.String()), func(s *setUp) {
		s.Relays, s.FunctionLead = up.relays, lead
	})
	for _, stands := range []bool{true, false} {
		for _, length := range []time.Duration{10 * time.Second, 10 * time.Minute} {
			gap := emulator.Gap{Length: length, MonotonicStands: stands, Network: fate}
			warm := freezeCalls(up, "/?sleep=30ms") // at once, so that each takes a connection of its own
			e.does(warm)
			if err := e.Freeze(); err != nil {
				t.Fatal(err)
			}
			if fate == emulator.Deliver {
				for _, u := range up.instances {
					u.CloseIdle()
				}
			}
			if err := e.Thaw(gap); err != nil {
				t.Fatal(err)
			}
			o := freezeCalls(up, "/")
			_, r := e.does(o)
			for i, a := range r.Answers {
				c := o.Calls[i]
				lost := a.Error != "" || time.Duration(a.Took) > freezeBound
				if c.Plain != "" {
					plain.add(fate.String()+" "+c.Method, lost)
				} else if lost {
					t.Errorf("%+v: a %s after the thaw: %+v", gap, c.Method, a)
				}
			}
		}
	}
	for _, addr := range up.addrs() {
		if m := e.out.moves(addr); len(m) > 0 {
			t.Errorf("a well endpoint went %v", m)
		}
	}
}

// freezeCalls are calls through Lift and by a plain client, all at once.
func freezeCalls(up relayed, path string) order.Order {
	o := many(4, 4)
	for i := range o.Calls {
		o.Calls[i].Path = path
	}
	for _, addr := range up.addrs() {
		for _, method := range []string{http.MethodGet, http.MethodPost} {
			o.Calls = append(o.Calls, order.Call{Plain: addr, Method: method, Path: path, Timeout: order.Duration(plainTimeout)})
		}
	}
	return o
}

// A Lift that is told to trust connections for an hour stalls on them: they are
// there and used, and what keeps calls from them is the distrust.
func TestFreezeWithBlindTrust(t *testing.T) {
	t.Parallel()
	const attempt = 500 * time.Millisecond
	up := startRelayed(t, nil, "A", "B")
	e := startLambda(t, ordersAt(up.addrs(), "timeout: 5s", "attempt_timeout: "+attempt.String(), "connections: {safe_idle: 1h, max_idle: 1h}"),
		func(s *setUp) { s.Relays = up.relays })
	o := many(4, 4)
	for i := range o.Calls {
		o.Calls[i].Path = "/?sleep=30ms"
	}
	e.does(o)
	if err := e.Freeze(); err != nil {
		t.Fatal(err)
	}
	if err := e.Thaw(emulator.Gap{Length: 10 * time.Minute, Network: emulator.Silent}); err != nil {
		t.Fatal(err)
	}
	_, r := e.does(o)
	stalled := map[string]int{}
	for i, a := range r.Answers {
		if time.Duration(a.Took) >= attempt {
			stalled[o.Calls[i].Method]++
		}
	}
	if stalled[http.MethodGet] == 0 || stalled[http.MethodPost] == 0 {
		t.Errorf("stalled on dead connections: %v", stalled)
	}
}

// A call that is on its way when the environment freezes says nothing about the
// endpoint, whatever becomes of it: with a breaker that opens at the first
// failure, nothing opens.
func TestFreezeInFlight(t *testing.T) {
	for _, stands := range []bool{true, false} {
		for _, fate := range []emulator.Mode{emulator.Silent, emulator.Deliver} {
			t.Run(fmt.Sprintf("%s/stands %v", fate, stands), func(t *testing.T) {
				t.Parallel()
				up := startRelayed(t, nil, "A", "B")
				e := startLambda(t, ordersAt(up.addrs(), "timeout: 3s", "attempt_timeout: 1500ms", "breaker: {consecutive: 1}"),
					func(s *setUp) { s.Relays = up.relays })
				e.works()
				var o order.Order
				for _, c := range []order.Call{get(), post()} {
					c.Background = true
					o.Calls = append(o.Calls, withPath(c, "/?sleep=400ms"))
				}
				before := up.seen()
				e.does(o)
				waitFor(t, "the requests are there", func() bool { return up.seen() == before+2 })
				if err := e.Freeze(); err != nil {
					t.Fatal(err)
				}
				time.Sleep(600 * time.Millisecond) // in real time: the answers come into the freeze
				if err := e.Thaw(emulator.Gap{Length: 10 * time.Minute, MonotonicStands: stands, Network: fate}); err != nil {
					t.Fatal(err)
				}
				_, r := e.does(order.Order{Collect: true})
				if len(r.Late) != 2 {
					t.Fatalf("%d of 2 calls came to an end", len(r.Late))
				}
				for _, a := range r.Late {
					for _, at := range a.Attempts {
						if at.Outcome != lift.OK.String() && at.Outcome != lift.Straddled.String() {
							t.Errorf("the attempt was judged: %+v", a)
						}
					}
					if fate == emulator.Silent && a.Error == "" {
						t.Errorf("nobody can have answered: %+v", a)
					}
				}
				for _, addr := range up.addrs() {
					if m := e.out.moves(addr); len(m) > 0 {
						t.Errorf("an endpoint went %v", m)
					}
				}
				e.works()
			})
		}
	}
}

// seen is how many requests the instances have seen.
func (r relayed) seen() (n int) {
	for _, u := range r.instances {
		n += u.Seen(http.MethodGet) + u.Seen(http.MethodPost)
	}
	return n
}

// Many short invocations, each frozen after: as most functions live.
func TestFreezeAfterEachInvocation(t *testing.T) {
	t.Parallel()
	up := startRelayed(t, nil, "A", "B")
	e := startLambda(t, ordersAt(up.addrs()), func(s *setUp) {
		s.Relays, s.FreezeWhenIdle = up.relays, true
		s.Extensions = filepath.Dir(bin.Extension) // as it ships; only the network knows of a gap
		s.ExtensionEnv, s.FunctionEnv, s.ClockFile = nil, nil, ""
	})
	for i := range 15 {
		_, r := e.does(many(2, 2), emulator.WithGap(emulator.Gap{Network: emulator.Deliver}))
		for _, a := range r.Answers {
			if a.Error != "" {
				t.Errorf("invocation %d: %+v", i, a)
			}
		}
	}
}
