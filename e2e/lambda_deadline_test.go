//go:build e2e && linux

package e2e_test

import (
	"encoding/json"
	"fmt"
	"path/filepath"
	"testing"
	"time"

	"github.com/liftmesh/lift"
	"github.com/liftmesh/lift/e2e/testfunction/order"
	"github.com/liftmesh/lift/emulator"
)

// A call to an instance that hangs ends before the invocation does, so that the
// function can still answer: a call with the invocation's context, one without,
// and one of a function that tells nobody of its invocations, where lift-extension
// knows the deadline from Lambda alone.
func TestInvocationDeadlineIsKept(t *testing.T) {
	for _, bare := range []bool{false, true} {
		for _, noContext := range []bool{false, true} {
			t.Run(fmt.Sprintf("bare %v/no context %v", bare, noContext), func(t *testing.T) {
				t.Parallel()
				hung := startUpstream(t, "A")
				e := startLambda(t, ordersAt([]string{hung.Addr}, "timeout: 1m", "attempt_timeout: 50s"), func(s *setUp) {
					s.Timeout = 1500 * time.Millisecond
					s.FunctionLead = -20 * time.Millisecond // the extension has read INVOKE
					if bare {
						s.FunctionEnv["TEST_BARE"] = "1"
					}
				})
				e.works()
				hung.Hang()
				for _, c := range []order.Call{get(), post()} {
					c.NoContext = noContext
					e.endsInTime(c)
				}
				hung.Continue()
				waitFor(t, "it serves again", func() bool {
					_, r := e.does(order.Order{Calls: []order.Call{get()}})
					return r.Answers[0].Error == ""
				})
			})
		}
	}
}

// endsInTime demands that a call that nobody answers ends while the function can
// still answer. There are 50 ms for that, which a busy machine can sleep through:
// one of three tries will do.
func (e *environment) endsInTime(c order.Call) {
	e.t.Helper()
	for range 3 {
		res := e.invoke(order.Order{Calls: []order.Call{c}})
		var r order.Result
		if err := json.Unmarshal(res.Payload, &r); err != nil || len(r.Answers) != 1 {
			e.t.Logf("%s: the invocation ended with %s: %s", c.Method, res.FunctionError, res.Payload)
			continue
		}
		a := r.Answers[0]
		if a.Code != string(lift.DeadlineExceeded) {
			e.t.Errorf("%s: %+v", c.Method, a)
		}
		e.t.Logf("%s took %s, and left the function %s; answered after %s", c.Method, a.Took, r.Left, res.Answered)
		if r.Left > 0 {
			return
		}
	}
	e.t.Errorf("%s: the call overran the invocation, three times", c.Method)
}

// The deadline of an invocation that is past refuses nothing: the function's call
// comes before the extension has read INVOKE, and an hour lies between.
func TestStaleDeadlineRefusesNothing(t *testing.T) {
	for _, bare := range []bool{false, true} {
		t.Run(fmt.Sprintf("bare %v", bare), func(t *testing.T) {
			t.Parallel()
			up := startUpstream(t, "A")
			e := startLambda(t, ordersAt([]string{up.Addr}), func(s *setUp) {
				s.FunctionLead = 300 * time.Millisecond
				if bare {
					s.FunctionEnv["TEST_BARE"] = "1"
				}
			})
			calls := many(2, 2)
			for i := range calls.Calls {
				calls.Calls[i].NoContext = i%2 == 0
			}
			for _, gap := range []time.Duration{0, time.Hour, time.Minute} {
				for _, stands := range []bool{true, false} {
					if gap > 0 {
						if err := e.Freeze(); err != nil {
							t.Fatal(err)
						}
						if err := e.Thaw(emulator.Gap{Length: gap, MonotonicStands: stands}); err != nil {
							t.Fatal(err)
						}
					}
					_, r := e.does(calls)
					for i, a := range r.Answers {
						if a.Error != "" || time.Duration(a.Took) > 2*time.Second {
							t.Errorf("after %s, %s: %+v", gap, calls.Calls[i].Method, a)
						}
					}
				}
			}
		})
	}
}

// A context's own deadline holds where it is nearer than the invocation's.
func TestContextDeadlineCrossesTheSocket(t *testing.T) {
	t.Parallel()
	hung := startUpstream(t, "A")
	e := startLambda(t, ordersAt([]string{hung.Addr}, "timeout: 1m", "attempt_timeout: 50s"), func(s *setUp) {
		s.Extensions = filepath.Dir(bin.Extension)
		s.ExtensionEnv, s.FunctionEnv, s.ClockFile = nil, nil, ""
	})
	e.works()
	hung.Hang()
	c := get()
	c.Timeout = order.Duration(300 * time.Millisecond)
	_, r := e.does(order.Order{Calls: []order.Call{c}})
	if a := r.Answers[0]; a.Code != string(lift.DeadlineExceeded) || time.Duration(a.Took) > patience/2 {
		t.Errorf("got %+v", a)
	}
	if len(r.Answers[0].Attempts) != 1 || r.Answers[0].Attempts[0].Outcome == lift.Failed.String() && time.Duration(r.Answers[0].Took) < 290*time.Millisecond {
		t.Errorf("the record: %+v", r.Answers[0].Attempts)
	}
}
