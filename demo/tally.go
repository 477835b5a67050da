package main

import (
	"encoding/json"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/liftmesh/lift/demo/report"
)

// score counts calls of one kind.
type score struct {
	Sent, Failed int
	Broken       int // failed calls that Lift promises to save
	took         []time.Duration
}

func (s *score) add(c report.Call) {
	s.Sent++
	s.took = append(s.took, c.Duration())
	if !c.OK {
		s.Failed++
		if c.Lift && c.Promised() {
			s.Broken++
		}
	}
}

// quantile returns a quantile of the calls' times, 0 without calls.
func (s *score) quantile(q float64) time.Duration {
	if len(s.took) == 0 {
		return 0
	}
	sorted := slices.Sorted(slices.Values(s.took))
	return sorted[min(len(sorted)-1, int(q*float64(len(sorted))))]
}

// kind is a kind of calls that the demo counts.
type kind struct {
	way        string
	lift, post bool
}

// phase is one part of the demo and its results.
type phase struct {
	Name   string
	scores map[kind]*score
	served map[string]int // calls through Lift, by instance
	began  time.Time
}

func (p *phase) score(k kind) *score {
	if p.scores[k] == nil {
		p.scores[k] = &score{}
	}
	return p.scores[k]
}

// instanceView is an instance as the screen shows it.
type instanceView struct {
	Name, Doing string
	Addr, GRPC  string
	State       string // as lift-extension logs it
	GRPCState   string
	Why         string
	took        []time.Duration // recent calls, through Lift
}

// tally counts what has happened so far. Safe for concurrent use.
type tally struct {
	mu        sync.Mutex
	phases    []*phase
	instances []*instanceView
	changes   []change
	consul    bool     // Consul is running
	language  string   // of the caller at the plain door, "" if there is none
	lost      []string // calls that Lift promised to save and did not, as text
	faults    []string // invocations that failed
}

// change is one change of an endpoint's state, as lift-extension logged it.
type change struct {
	Phase    int
	Service  string `json:"service"`
	Endpoint string `json:"endpoint"`
	From     string `json:"from"`
	To       string `json:"to"`
	Why      string `json:"why"`
	Message  string `json:"msg"`
}

// begin begins a phase; afresh drops the earlier ones.
func (t *tally) begin(name string, afresh bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if afresh {
		t.phases = nil
	}
	t.phases = append(t.phases, &phase{Name: name, scores: map[kind]*score{}, served: map[string]int{}, began: time.Now()})
}

func (t *tally) doing(i int, what string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.instances[i].Doing = what
}

func (t *tally) calls(calls []report.Call) {
	t.mu.Lock()
	defer t.mu.Unlock()
	p := t.phases[len(t.phases)-1]
	for _, c := range calls {
		p.score(kind{c.Way, c.Lift, c.Post}).add(c)
		if !c.Lift {
			continue
		}
		if !c.OK && c.Promised() {
			t.lost = append(t.lost, fmt.Sprintf("%s: %s post=%v after %s: %s", p.Name, c.Way, c.Post, c.Duration().Round(time.Millisecond), c.Error))
		}
		if c.Way != report.HTTP {
			continue
		}
		for _, v := range t.instances {
			if c.OK && v.Name == c.Instance {
				p.served[v.Name]++
				v.took = append(v.took, c.Duration())
				v.took = v.took[max(0, len(v.took)-50):]
			}
		}
	}
}

func (t *tally) fault(what string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.faults = append(t.faults, t.phases[len(t.phases)-1].Name+": "+what)
}

// logged reads a line that lift-extension wrote.
func (t *tally) logged(line string) {
	var c change
	if json.Unmarshal([]byte(line), &c) != nil || c.Message != "endpoint state" || c.Service == "parts" { // parts has the same instances as orders
		return
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	c.Phase = len(t.phases) - 1
	t.changes = append(t.changes, c)
	for _, v := range t.instances {
		switch c.Endpoint {
		case v.Addr:
			v.State, v.Why = c.To, c.Why
		case v.GRPC:
			v.GRPCState = c.To
		}
	}
}

// saw reports whether an endpoint changed from one state to another in or after a
// phase.
func (t *tally) saw(endpoint, from, to string, since int) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	for _, c := range t.changes {
		if c.Phase >= since && c.Endpoint == endpoint && c.From == from && c.To == to {
			return true
		}
	}
	return false
}

// served returns how many calls an instance answered in a phase.
func (t *tally) served(instance, phase int) int {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.phases[phase].served[t.instances[instance].Name]
}

// total returns the sum of the scores of one kind over all phases.
func (t *tally) total(k kind) score {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.sum(k)
}

// sum is total for callers that hold the lock.
func (t *tally) sum(k kind) (sum score) {
	for _, p := range t.phases {
		s := p.score(k)
		sum.Sent += s.Sent
		sum.Failed += s.Failed
		sum.Broken += s.Broken
		sum.took = append(sum.took, s.took...)
	}
	return sum
}
