package balancer_test

import (
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/liftmesh/lift"
	"github.com/liftmesh/lift/balancer"
)

// clock is two hands that a test moves apart.
type clock struct {
	mu sync.Mutex
	at lift.Instant
}

func newClock() *clock {
	return &clock{at: lift.Instant{Wall: time.Unix(1_800_000_000, 0), Mono: time.Hour}}
}

func (c *clock) now() lift.Instant {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.at
}

// move lets wall and monotonic time go on by different lengths.
func (c *clock) move(wall, mono time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.at.Wall, c.at.Mono = c.at.Wall.Add(wall), c.at.Mono+mono
}

func (c *clock) run(d time.Duration) { c.move(d, d) }

func clocked(endpoints ...lift.Endpoint) (*balancer.Balancer, []*balancer.Node, *clock) {
	at := newClock()
	b := balancer.New(balancer.Options{Now: at.now, Rand: seeded()})
	var nodes []*balancer.Node
	for _, ep := range endpoints {
		nodes = append(nodes, b.NewNode(ep, nil))
	}
	b.Replace(nodes)
	return b, nodes, at
}

func TestANodeIsUsedOnlyWhileNobodyHoldsIt(t *testing.T) {
	b, nodes, at := clocked(three()...)
	a := nodes[0]
	a.Suspend(balancer.Hand, 0, "taken out by a person")
	a.Suspend(balancer.Breaker, time.Second, "connection refused")
	at.run(time.Minute)
	for range 50 {
		if pick(t, b, get()) == a {
			t.Fatal("picked, or probed, though a person has taken it out")
		}
	}
	if why := a.Why(); why != "connection refused; taken out by a person" {
		t.Errorf("why: %q", why)
	}
	a.Resume(balancer.Breaker, "well")
	if s, left := a.State(); s != balancer.Open || left != 0 || b.Out() != 1 {
		t.Errorf("%v for %v, %d out: the breaker's word resumed what a person holds", s, left, b.Out())
	}
	a.Resume(balancer.Hand, "put back")
	if s, _ := a.State(); s != balancer.Closed || b.Out() != 0 {
		t.Errorf("%v, %d out, with nobody holding it", s, b.Out())
	}
}

// What compares endpoints never leaves a call without one.
func TestAnOutlierIsUsedWhereNobodyElseIsLeft(t *testing.T) {
	b, nodes, at := clocked(three()...)
	for _, n := range nodes {
		n.Suspend(balancer.Outlier, time.Minute, "answers worse than the others")
	}
	c := get()
	if n := pick(t, b, c); last(c).Probe || !strings.Contains(last(c).Why, "though all answer badly") {
		t.Errorf("picked %s: %q", n.Endpoint().Addr, last(c).Why)
	}
	nodes[1].Resume(balancer.Outlier, "test")
	for range 50 {
		if n := pick(t, b, get()); n != nodes[1] {
			t.Fatalf("picked %s while another was usable", n.Endpoint().Addr)
		}
	}
	nodes[1].Suspend(balancer.Breaker, time.Hour, "refused")
	for range 50 {
		if n := pick(t, b, get()); n == nodes[1] {
			t.Fatal("picked what is unwell before what answers badly")
		}
	}
	at.run(time.Minute)
	for range 10 { // their time is over, unasked
		pick(t, b, get())
	}
	if b.Out() != 1 {
		t.Errorf("%d are out after the comparison's time, want the one that is unwell", b.Out())
	}
	if s, _ := nodes[0].State(); s != balancer.Closed {
		t.Errorf("state %v", s)
	}
}

func TestNoWaitIsLongerThanItWasMeantToBe(t *testing.T) {
	for _, tt := range []struct {
		name       string
		wall, mono time.Duration
	}{
		{"an ordinary second", time.Second, time.Second},
		{"a freeze of an hour", time.Hour, 0},
		{"the wall clock set back by an hour", -time.Hour, time.Second},
		{"the wall clock set on by an hour", time.Hour, time.Millisecond},
	} {
		t.Run(tt.name, func(t *testing.T) {
			b, nodes, at := clocked(lift.Endpoint{Addr: "a:1"})
			nodes[0].Suspend(balancer.Breaker, time.Second, "test")
			if tt.wall < 0 {
				at.move(tt.wall, 0)
				_, _, r := b.Pick(get())
				if len(r.Out) != 1 || r.Out[0].Next != time.Second {
					t.Errorf("%s", r)
				}
				at.move(0, tt.mono)
			} else {
				at.move(tt.wall, tt.mono)
			}
			if _, left := nodes[0].State(); left != 0 {
				t.Errorf("%v left", left)
			}
			c := get()
			if pick(t, b, c); last(c).Why != "probe" {
				t.Errorf("picked %q", last(c).Why)
			}
		})
	}
}

// A call that has nowhere to go may ask an endpoint before its time, at a bounded rate.
func TestWhereNobodyIsUsableCallsProbeEarly(t *testing.T) {
	b, nodes, at := clocked(three()...)
	for _, n := range nodes {
		n.Suspend(balancer.Breaker, 8*time.Second, "test")
	}
	probes := 0
	for range 3200 { // 3.2 s
		at.run(time.Millisecond)
		c := post()
		n, _, r := b.Pick(c)
		if n == nil {
			if r.Code != lift.AllOpen {
				t.Fatal(r)
			}
			continue
		}
		if !last(c).Probe {
			t.Fatal("picked without a probe's slot")
		}
		probes++
		n.Done()
		n.ReturnProbe("it failed")
		if _, left := n.State(); left > 7*time.Second+time.Millisecond && probes > 3 {
			t.Errorf("an early probe lengthened the time to %v", left)
		}
	}
	if probes != 9 { // three endpoints, once a second each
		t.Errorf("%d early probes in 3.2 s, want 9", probes)
	}
	nodes[1].Resume(balancer.Breaker, "well")
	for range 2000 {
		at.run(time.Millisecond)
		if n := pick(t, b, get()); n != nodes[1] {
			t.Fatal("probed early though another is usable")
		}
	}
}

func TestAProbeThatFailsOpensAnew(t *testing.T) {
	b, nodes, at := clocked(lift.Endpoint{Addr: "a:1"})
	nodes[0].Suspend(balancer.Breaker, time.Second, "refused")
	at.run(time.Second)
	pick(t, b, get())
	if s, _ := nodes[0].State(); s != balancer.HalfOpen {
		t.Fatalf("%v while the probe is out", s)
	}
	nodes[0].Suspend(balancer.Breaker, 2*time.Second, "refused again")
	if s, left := nodes[0].State(); s != balancer.Open || left != 2*time.Second {
		t.Errorf("%v for %v, want open for 2s", s, left)
	}
}

func TestTheReasonNamesTheCauses(t *testing.T) {
	b, nodes, at := clocked(append(three(), lift.Endpoint{Addr: "d:1"}, lift.Endpoint{Addr: "e:1"})...)
	for i, n := range nodes {
		n.Suspend(balancer.Breaker, time.Duration(5-i)*1400*time.Millisecond, "certificate is valid for b, not "+n.Endpoint().Addr[:1])
	}
	at.run(10 * time.Millisecond)
	c := get()
	_, _, r := b.Pick(c)
	want := "all 5 endpoints are out: e:1: certificate is valid for b, not e (next probe in 1.4s); " +
		"d:1: certificate is valid for b, not d (next probe in 2.8s); c:1: certificate is valid for b, not c (next probe in 4.2s); and 2 more"
	if got := r.String(); got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
}
