package balancer_test

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/liftmesh/lift"
	"github.com/liftmesh/lift/balancer"
)

// seeded returns a deterministic source that many goroutines may use.
func seeded() func() uint64 {
	var mu sync.Mutex
	r := rand.New(rand.NewPCG(1, 2))
	return func() uint64 {
		mu.Lock()
		defer mu.Unlock()
		return r.Uint64()
	}
}

func build(strategy balancer.Strategy, notify func(balancer.Change), endpoints ...lift.Endpoint) (*balancer.Balancer, []*balancer.Node) {
	b := balancer.New(balancer.Options{Config: balancer.Config{Strategy: strategy}, Rand: seeded(), Notify: notify})
	var nodes []*balancer.Node
	for _, ep := range endpoints {
		nodes = append(nodes, b.NewNode(ep, nil))
	}
	b.Replace(nodes)
	return b, nodes
}

func three(weights ...int) []lift.Endpoint {
	eps := []lift.Endpoint{{Addr: "a:1"}, {Addr: "b:1"}, {Addr: "c:1"}}
	for i, w := range weights {
		eps[i].Weight = w
	}
	return eps
}

func pick(t *testing.T, b *balancer.Balancer, c *lift.Call) *balancer.Node {
	t.Helper()
	n, _, r := b.Pick(c)
	if n == nil {
		t.Fatalf("picked nobody: %+v", r)
	}
	return n
}

// last returns the record of the attempt that was started last.
func last(c *lift.Call) lift.AttemptRecord {
	attempts := c.Attempts()
	return attempts[len(attempts)-1]
}

func get() *lift.Call  { return &lift.Call{Method: "GET"} }
func post() *lift.Call { return &lift.Call{Method: "POST"} }

func TestSharesFollowWeights(t *testing.T) {
	for _, strategy := range []balancer.Strategy{balancer.RoundRobin, balancer.LeastRequest} {
		for _, weights := range [][]int{{1, 1, 1}, {1, 2, 5}, {0, 0, 3}} {
			t.Run(fmt.Sprint(strategy, weights), func(t *testing.T) {
				b, nodes := build(strategy, nil, three(weights...)...)
				const calls = 20000
				for range calls {
					pick(t, b, get()).Done()
				}
				// Count by asking again with counting done per node.
				got := map[string]int{}
				for range calls {
					n := pick(t, b, get())
					got[n.Endpoint().Addr]++
					n.Done()
				}
				total := 0
				for _, w := range weights {
					total += max(w, 1)
				}
				for i, n := range nodes {
					want := float64(calls) * float64(max(weights[i], 1)) / float64(total)
					if share := float64(got[n.Endpoint().Addr]); share < want*0.93 || share > want*1.07 {
						t.Errorf("%s got %v calls, want about %v", n.Endpoint().Addr, share, want)
					}
				}
			})
		}
	}
}

func TestRoundRobinSpreadsEvenly(t *testing.T) {
	b, _ := build(balancer.RoundRobin, nil, three(4, 1, 1)...)
	var run strings.Builder
	for range 12 {
		n := pick(t, b, get())
		run.WriteString(n.Endpoint().Addr[:1])
		n.Done()
	}
	if strings.Contains(run.String(), "aaaaa") {
		t.Errorf("the heavy endpoint comes in one block: %s", run.String())
	}
}

// While others pick too, nobody misses the only endpoint that is left.
func TestTheLastUsableIsFoundByAll(t *testing.T) {
	for _, strategy := range []balancer.Strategy{balancer.RoundRobin, balancer.LeastRequest} {
		b, nodes := build(strategy, nil, three()...)
		nodes[0].Suspend(balancer.Breaker, time.Hour, "test")
		nodes[2].Suspend(balancer.Breaker, time.Hour, "test")
		var work sync.WaitGroup
		for range 8 {
			work.Go(func() {
				for range 2000 {
					n, _, r := b.Pick(get())
					if n != nodes[1] {
						t.Errorf("strategy %s: picked %v: %+v", strategy, n, r)
						return
					}
					n.Done()
				}
			})
		}
		work.Wait()
	}
}

// Whoever stands behind an endpoint that is out does not get its share alone.
func TestRoundRobinSharesWhatAnotherLeaves(t *testing.T) {
	b, nodes := build(balancer.RoundRobin, nil, three()...)
	nodes[0].Suspend(balancer.Breaker, time.Hour, "test")
	got := map[*balancer.Node]int{}
	for range 100 {
		n := pick(t, b, get())
		got[n]++
		n.Done()
	}
	if got[nodes[1]] != 50 || got[nodes[2]] != 50 {
		t.Errorf("b got %d and c %d of 100", got[nodes[1]], got[nodes[2]])
	}
}

func TestLeastRequestAvoidsTheBusy(t *testing.T) {
	b, nodes := build(balancer.LeastRequest, nil, three()...)
	busy := nodes[0]
	for busy.InFlight() < 10 {
		if n := pick(t, b, get()); n != busy {
			n.Done()
		}
	}
	got := 0
	for range 900 {
		n := pick(t, b, get())
		if n == busy {
			got++
		}
		n.Done()
	}
	if got > 150 { // both samples must fall on it: 1 in 9
		t.Errorf("the busy endpoint got %d of 900", got)
	}
}

func TestSkipsWhatWasTried(t *testing.T) {
	for _, strategy := range []balancer.Strategy{balancer.RoundRobin, balancer.LeastRequest} {
		b, nodes := build(strategy, nil, three()...)
		for range 50 {
			c := get()
			seen := map[*balancer.Node]bool{}
			for range 3 {
				n := pick(t, b, c)
				if seen[n] {
					t.Fatalf("%s: %s was picked twice while another was left", strategy, n.Endpoint().Addr)
				}
				seen[n] = true
				n.Done()
			}
			if n := pick(t, b, c); !strings.Contains(last(c).Why, "all were tried") {
				t.Fatalf("%s: fourth pick %v says %q", strategy, n.Endpoint().Addr, last(c).Why)
			} else {
				n.Done()
			}
		}
		for _, n := range nodes {
			if n.InFlight() != 0 {
				t.Errorf("%s: %d in flight after all were done", strategy, n.InFlight())
			}
		}
	}
}

func TestReasons(t *testing.T) {
	b := balancer.New(balancer.Options{})
	if _, _, r := b.Pick(get()); r.Code != lift.NoSet {
		t.Errorf("without a set: %v", r.Code)
	}
	select {
	case <-b.First():
		t.Error("First is closed before the first set")
	default:
	}
	b.Replace(nil)
	<-b.First()
	if _, _, r := b.Pick(get()); r.Code != lift.NoEndpoints {
		t.Errorf("with an empty set: %v", r.Code)
	}
	n := b.NewNode(lift.Endpoint{Addr: "a:1"}, nil)
	b.Replace([]*balancer.Node{n})
	n.Suspend(balancer.Breaker, time.Minute, "test")
	c := get()
	_, _, r := b.Pick(c)
	if r.Code != lift.AllOpen || r.Endpoints != 1 || len(r.Out) != 1 || r.Out[0].Why != "test" || r.Out[0].Next > time.Minute || r.Out[0].Next < 59*time.Second {
		t.Errorf("all open: %+v, want a probe in a minute", r)
	}
	if c.Tries() != 0 {
		t.Error("a rejection counts as an attempt")
	}
	if err := b.Error(c, r); !strings.Contains(err.Error(), "the only endpoint is out: a:1: test (next probe in 1m0s)") {
		t.Errorf("the error does not say when: %v", err)
	}
}

func TestProbe(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var changes []string
		b, nodes := build(balancer.LeastRequest, func(c balancer.Change) {
			changes = append(changes, c.From.String()+">"+c.To.String())
		}, three()...)
		a := nodes[0]
		a.Suspend(balancer.Breaker, time.Second, "test")
		for range 100 {
			if pick(t, b, get()) == a {
				t.Fatal("an open endpoint was picked before its time")
			}
		}
		time.Sleep(time.Second)
		for range 100 {
			if pick(t, b, post()) == a {
				t.Fatal("a call that cannot be sent again carried the probe while others serve")
			}
		}
		probe := get()
		if pick(t, b, probe) != a || !last(probe).Probe {
			t.Fatal("an idempotent call did not carry the due probe")
		}
		for range 100 {
			if c := get(); pick(t, b, c) == a {
				t.Fatal("a second probe was let through")
			}
		}
		a.ReturnProbe("straddled")
		probe = get()
		if pick(t, b, probe) != a || !last(probe).Probe {
			t.Fatal("the slot that was given back was not taken")
		}
		a.Resume(balancer.Breaker, "ok")
		if s, _ := a.State(); s != balancer.Closed {
			t.Fatalf("state %v after the probe succeeded", s)
		}
		want := "closed>open open>half_open half_open>open open>half_open half_open>closed"
		if got := strings.Join(changes, " "); got != want {
			t.Errorf("changes %q, want %q", got, want)
		}
		a.Suspend(balancer.Breaker, time.Second, "test")
		time.Sleep(time.Second + balancer.Patience + time.Nanosecond)
		if pick(t, b, post()) != a {
			t.Error("the probe that was due for longer than Patience was not carried by a POST")
		}
	})
}

func TestPostProbesWhereNothingElseIsLeft(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b, nodes := build(balancer.RoundRobin, nil, three()...)
		for _, n := range nodes {
			n.Suspend(balancer.Breaker, time.Second, "test")
		}
		time.Sleep(time.Second)
		c := post()
		pick(t, b, c)
		if !last(c).Probe {
			t.Error("no probe though every endpoint is due")
		}
	})
}

func TestOneProbeUnderRace(t *testing.T) {
	b, nodes := build(balancer.LeastRequest, nil, three()...)
	for _, n := range nodes {
		n.Suspend(balancer.Breaker, time.Nanosecond, "test")
	}
	var wg sync.WaitGroup
	var mu sync.Mutex
	probes := map[string]int{}
	for range 64 {
		wg.Go(func() {
			c := get()
			if n, a, _ := b.Pick(c); n != nil && a.Probe {
				mu.Lock()
				probes[n.Endpoint().Addr]++
				mu.Unlock()
			}
		})
	}
	wg.Wait()
	for _, n := range nodes {
		if probes[n.Endpoint().Addr] != 1 {
			t.Errorf("%s got %d probes at once", n.Endpoint().Addr, probes[n.Endpoint().Addr])
		}
	}
}

func TestSuspendKeepsTheLaterTime(t *testing.T) {
	_, nodes := build(balancer.LeastRequest, nil, three()...)
	nodes[0].Suspend(balancer.Breaker, time.Hour, "x")
	nodes[0].Suspend(balancer.Breaker, time.Minute, "y")
	if _, left := nodes[0].State(); left < 59*time.Minute || nodes[0].Why() != "x" {
		t.Errorf("%v left (%s), want an hour", left, nodes[0].Why())
	}
}

// The ordinary way costs nothing for an endpoint that is out of the set, whatever
// becomes of it there.
func TestWhatIsOutOfTheSetLeavesNoTrace(t *testing.T) {
	b, nodes := build(balancer.LeastRequest, nil, three()...)
	ordinary := func(what string) {
		t.Helper()
		if allocs := testing.AllocsPerRun(100, func() {
			c := get()
			n, _, _ := b.Pick(c)
			if n == nodes[0] || !n.Usable() {
				t.Errorf("%s: picked %s", what, n.Endpoint().Addr)
			}
			n.Done()
		}); allocs > 1 { // the call itself
			t.Errorf("%s: %v allocations a pick", what, allocs)
		}
		if b.Out() != 0 {
			t.Errorf("%s: %d nodes are counted as out", what, b.Out())
		}
	}
	nodes[0].Suspend(balancer.Breaker, time.Hour, "x")
	b.Replace(nodes[1:])
	ordinary("it was out when it left")
	nodes[0].Resume(balancer.Breaker, "y")
	ordinary("it came back where nobody looks")
	nodes[0].Suspend(balancer.Breaker, time.Hour, "z")
	ordinary("it failed after it had left")
	b.Replace(nodes)
	if b.Out() != 1 {
		t.Errorf("%d nodes are counted as out after it came back, want 1", b.Out())
	}
	nodes[0].Resume(balancer.Breaker, "well")
	if b.Out() != 0 {
		t.Errorf("%d nodes are counted as out after it recovered", b.Out())
	}
}

// Another strategy takes over at once, the set as it is.
func TestUse(t *testing.T) {
	b, nodes := build(balancer.LeastRequest, nil, three(1, 1, 1)...)
	nodes[1].Suspend(balancer.Breaker, time.Hour, "test")
	b.Use(balancer.Config{Strategy: balancer.RoundRobin})
	if got := b.Current().Nodes(); len(got) != 3 {
		t.Fatalf("%d nodes", len(got))
	}
	before := pick(t, b, get())
	for range 6 {
		c := get()
		n := pick(t, b, c)
		if n == before || n == nodes[1] || last(c).Why != "next in turn" {
			t.Errorf("picked %s after %s: %s", n.Endpoint().Addr, before.Endpoint().Addr, last(c).Why)
		}
		before = n
	}
	empty := balancer.New(balancer.Options{})
	empty.Use(balancer.Config{Strategy: balancer.RoundRobin})
	if _, _, reason := empty.Pick(get()); reason.Code != lift.NoSet {
		t.Errorf("without a set: %v", reason)
	}
}

func ExampleBalancer_Pick() {
	b := balancer.New(balancer.Options{Config: balancer.Config{Strategy: balancer.RoundRobin}})
	instance := lift.RoundTripperFunc(func(*lift.Attempt) (*lift.Response, error) {
		return &lift.Response{Status: 200, Body: lift.BytesBody([]byte("hello"))}, nil
	})
	b.Replace([]*balancer.Node{b.NewNode(lift.Endpoint{Addr: "10.0.0.7:80"}, instance)})

	c := &lift.Call{Service: "orders", Method: "GET"}
	node, attempt, _ := b.Pick(c)
	defer node.Done()
	resp, _ := node.RoundTrip(attempt)
	fmt.Println(attempt.Endpoint.Addr, resp.Status)
	// Output: 10.0.0.7:80 200
}

func BenchmarkPick(b *testing.B) {
	for _, strategy := range []balancer.Strategy{balancer.RoundRobin, balancer.LeastRequest, balancer.ConsistentHash} {
		for _, size := range []int{3, 100} {
			var eps []lift.Endpoint
			for i := range size {
				eps = append(eps, lift.Endpoint{Addr: fmt.Sprintf("10.0.0.%d:80", i)})
			}
			for _, open := range []int{0, 1} {
				b.Run(fmt.Sprintf("%s/%d/open=%d", strategy, size, open), func(b *testing.B) {
					bal := balancer.New(balancer.Options{Config: balancer.Config{Strategy: strategy}})
					var nodes []*balancer.Node
					for _, ep := range eps {
						nodes = append(nodes, bal.NewNode(ep, nil))
					}
					bal.Replace(nodes)
					for i := range open {
						nodes[i].Suspend(balancer.Breaker, time.Hour, "bench")
					}
					b.ReportAllocs()
					for b.Loop() {
						n, _, _ := bal.Pick(&lift.Call{Method: "GET", HashKey: "k"})
						n.Done()
					}
				})
			}
		}
	}
}

// What is out, or has been tried, is nowhere else to go.
func TestUntried(t *testing.T) {
	b := balancer.New(balancer.Options{})
	if b.Untried(get()) {
		t.Error("without a set")
	}
	b, nodes := build(balancer.LeastRequest, nil, three()...)
	c := get()
	for i := range nodes {
		if !b.Untried(c) {
			t.Fatalf("%d of %d tried, and nowhere else to go", i, len(nodes))
		}
		pick(t, b, c)
	}
	if b.Untried(c) || !b.Untried(get()) {
		t.Error("all were tried by the one call, none by the other")
	}
	c = get()
	first := pick(t, b, c)
	for _, n := range nodes {
		if n != first {
			n.Suspend(balancer.Breaker, time.Hour, "test")
		}
	}
	if b.Untried(c) {
		t.Error("the others are out")
	}
}

func ExampleBalancer_Untried() {
	b := balancer.New(balancer.Options{})
	b.Replace([]*balancer.Node{b.NewNode(lift.Endpoint{Addr: "10.0.0.7:80"}, nil)})
	c := &lift.Call{Service: "orders"}
	fmt.Println(b.Untried(c))
	b.Pick(c)
	fmt.Println(b.Untried(c))
	// Output:
	// true
	// false
}
