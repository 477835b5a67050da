//go:build e2e && linux

package e2e_test

import (
	"net/http"
	"slices"
	"testing"
	"time"

	"github.com/liftmesh/lift"
	"github.com/liftmesh/lift/e2e/testfunction/order"
)

// upheavalLimits are lines of lift.yaml: short times, so that a test sees a whole
// course of events.
var upheavalLimits = []string{"timeout: 4s", "attempt_timeout: 500ms", "breaker: {open_for: 200ms..1s}"}

// One instance of three falls ill while calls flow. No GET may fail, a POST only
// if an endpoint may have acted on it; the instance is taken out, probed, and
// gets traffic again when it is well.
func TestLambdaUpheavals(t *testing.T) {
	for _, tt := range []struct {
		name      string
		bad, well func(*upstream)
	}{
		{"killed", (*upstream).Kill, (*upstream).Start},
		{"hung", (*upstream).Hang, (*upstream).Continue},
		{"answers 503", func(u *upstream) { u.Status(http.StatusServiceUnavailable) }, func(u *upstream) { u.Status(http.StatusOK) }},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			trio := startUpstreams(t, nil, "A", "B", "C")
			e := startLambda(t, ordersAt(addrsOf(trio), upheavalLimits...), nil)
			sick := trio[0]
			e.flow("every instance serves", func(served map[string]int) bool { return len(served) == len(trio) })
			tt.bad(sick)
			e.flow("it is taken out", func(map[string]int) bool { return slices.Contains(e.out.moves(sick.Addr), "closed>open") })
			e.flow("it is probed", func(map[string]int) bool { return slices.Contains(e.out.moves(sick.Addr), "open>half_open") })
			tt.well(sick)
			e.flow("it is in again", func(map[string]int) bool { return slices.Contains(e.out.moves(sick.Addr), "half_open>closed") })
			e.flow("it serves again", func(served map[string]int) bool { return served[sick.Name] > 0 })
			for _, u := range trio[1:] {
				if m := e.out.moves(u.Addr); len(m) > 0 {
					t.Errorf("%s was well all the time, and went %v", u.Name, m)
				}
			}
		})
	}
}

// flow runs invocations, with GETs and POSTs at once, until what is waited for
// is true of who served how many of them.
func (e *environment) flow(what string, until func(served map[string]int) bool) {
	e.t.Helper()
	served := map[string]int{}
	waitFor(e.t, what, func() bool {
		o := many(4, 2)
		_, r := e.does(o)
		for i, a := range r.Answers {
			switch {
			case a.Error == "":
				served[a.Instance]++
			case o.Calls[i].Method == http.MethodGet:
				e.t.Fatalf("until %s: a GET failed: %+v", what, a)
			case a.Status == 0 && a.Reached != lift.MayHaveActed.String():
				e.t.Fatalf("until %s: a POST failed that nobody can have acted on: %+v", what, a)
			}
		}
		return until(served)
	})
}

// Nobody is left: calls fail at once and say that nobody was reached. When the
// instances are back, so is the traffic.
func TestLambdaAllDown(t *testing.T) {
	t.Parallel()
	trio := startUpstreams(t, nil, "A", "B", "C")
	e := startLambda(t, ordersAt(addrsOf(trio), upheavalLimits...), nil)
	e.works()
	for _, u := range trio {
		u.Kill()
	}
	codes := map[string]int{}
	waitFor(t, "all are open", func() bool {
		o := many(2, 2)
		_, r := e.does(o)
		for i, a := range r.Answers {
			codes[a.Code]++
			if a.Code != string(lift.Unavailable) && a.Code != string(lift.AllOpen) {
				t.Fatalf("%s: %+v", o.Calls[i].Method, a)
			}
			if a.Reached != lift.NotReached.String() || time.Duration(a.Took) > 2*time.Second {
				t.Errorf("%s took %s of the timeout's 4s: %+v", o.Calls[i].Method, a.Took, a)
			}
		}
		return codes[string(lift.AllOpen)] > 4
	})
	for _, u := range trio {
		u.Start()
	}
	served := map[string]bool{}
	waitFor(t, "all serve again", func() bool {
		_, r := e.does(many(4, 2))
		for _, a := range r.Answers {
			served[a.Instance] = a.Error == ""
		}
		return served["A"] && served["B"] && served["C"]
	})
	e.works()
}

// What an endpoint is told to do twice it was asked twice for: the record of a
// call shows every attempt, and a POST is sent once.
func TestLambdaPostIsSentOnce(t *testing.T) {
	t.Parallel()
	pair := startUpstreams(t, nil, "A", "B")
	e := startLambda(t, ordersAt(addrsOf(pair), "timeout: 2s", "attempt_timeout: 300ms"), nil)
	for _, u := range pair {
		u.Delay(time.Second)
	}
	_, r := e.does(order.Order{Calls: []order.Call{post(), get()}})
	if a := r.Answers[0]; len(a.Attempts) != 1 || a.Code != string(lift.AttemptTimeout) || a.Reached != lift.MayHaveActed.String() {
		t.Errorf("a POST that nobody answered: %+v", a)
	}
	if a := r.Answers[1]; len(a.Attempts) < 2 || a.Code != string(lift.AttemptTimeout) {
		t.Errorf("a GET that nobody answered: %+v", a)
	}
	if n := pair[0].Seen(http.MethodPost) + pair[1].Seen(http.MethodPost); n != 1 {
		t.Errorf("the POST was seen %d times", n)
	}
}
