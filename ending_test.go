package lift_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"
	"time"

	"github.com/liftmesh/lift"
)

// told collects what an observer is told.
type told struct {
	ends []lift.Ending
	at   lift.Instant
}

func (o *told) now() lift.Instant               { return o.at }
func (o *told) end(_ *lift.Call, e lift.Ending) { o.ends = append(o.ends, e) }
func (o *told) wait(d time.Duration)            { o.at.Wall, o.at.Mono = o.at.Wall.Add(d), o.at.Mono+d }
func streamOf(content string) *lift.Body {
	return lift.StreamBody(io.NopCloser(strings.NewReader(content)), -1, 0)
}
func answer(status int, b *lift.Body) *lift.Response { return &lift.Response{Status: status, Body: b} }

func TestEndings(t *testing.T) {
	broke := errors.New("broke")
	draining := &lift.Error{Code: lift.Draining}
	for name, tt := range map[string]struct {
		run    func(c *lift.Call)
		status int
		code   lift.Code // of the error
		err    error     // what it is, where it has no code
	}{
		"an answer that is read": {run: func(c *lift.Call) {
			resp := answer(200, streamOf("hello"))
			c.Answered(resp, lift.Now())
			_, _ = resp.Body.ReadAll(0)
		}, status: 200},
		"an answer that is all here":      {run: func(c *lift.Call) { c.Answered(answer(404, lift.BytesBody([]byte("x"))), lift.Now()) }, status: 404},
		"an answer nobody read":           {run: func(c *lift.Call) { c.Answered(answer(200, streamOf("hello")), lift.Now()) }, status: 200, err: lift.ErrBodyClosed},
		"an answer whose caller vanished": {run: func(c *lift.Call) { c.Answered(answer(200, streamOf("hello")), lift.Now()); c.Cancel(broke) }, status: 200, code: lift.CallCanceled},
		"an answer that broke off": {run: func(c *lift.Call) {
			resp := answer(200, lift.StreamBody(io.NopCloser(io.MultiReader(strings.NewReader("x"), failing{broke})), -1, 0))
			c.Answered(resp, lift.Now())
			_, _ = resp.Body.ReadAll(0)
		}, status: 200, err: broke},
		"an error": {run: func(c *lift.Call) { c.Fail(lift.Errorf(c, lift.AllOpen, "x")) }, code: lift.AllOpen},
		"an error, worded anew nearer to the caller": {run: func(c *lift.Call) {
			c.Fail(lift.Errorf(c, lift.CallCanceled, "x"))
			c.Fail(lift.Errorf(c, lift.InvalidCall, "y"))
		}, code: lift.InvalidCall},
		"our own reason to cancel": {run: func(c *lift.Call) { c.Cancel(draining); c.Fail(lift.Errorf(c, lift.CallCanceled, "x")) }, code: lift.Draining},
		"canceled after its end": {run: func(c *lift.Call) {
			c.Answered(answer(200, lift.BytesBody(nil)), lift.Now())
			c.Cancel(context.Canceled)
		}, status: 200},
	} {
		t.Run(name, func(t *testing.T) {
			c, o := &lift.Call{}, &told{at: lift.Now()}
			c.Observe(o.now, o.end)
			c.Observe(o.now, func(*lift.Call, lift.Ending) { t.Error("the second observer is told") })
			tt.run(c)
			if len(o.ends) != 0 {
				t.Fatal("told before the end")
			}
			o.wait(time.Second)
			c.End()
			c.End()
			if len(o.ends) != 1 {
				t.Fatalf("told %d times", len(o.ends))
			}
			e := o.ends[0]
			if e.Status != tt.status || lift.CodeOf(e.Err) != tt.code || tt.code == "" && !errors.Is(e.Err, tt.err) || e.Ended != o.at || (e.Head.IsZero() != (tt.status == 0)) {
				t.Errorf("%+v", e)
			}
		})
	}
}

type failing struct{ err error }

func (f failing) Read([]byte) (int, error) { return 0, f.err }

// The observer comes last: what the call holds has been given back, and no attempt
// runs any more, even where one outlives the call.
func TestTheObserverSeesTheWholeRecord(t *testing.T) {
	c, o := &lift.Call{}, &told{at: lift.Now()}
	first, second := c.NewAttempt(lift.AttemptRecord{}), c.NewAttempt(lift.AttemptRecord{})
	held := true
	c.Hold(func() { held = false })
	c.Observe(o.now, func(c *lift.Call, e lift.Ending) {
		o.end(c, e)
		for _, a := range c.Attempts() {
			if a.Outcome == lift.Unjudged {
				t.Error("an attempt is not judged yet")
			}
		}
		if held {
			t.Error("the call still holds something")
		}
	})
	first.Outcome = lift.Failed
	first.End()
	first.End()
	c.End()
	if len(o.ends) != 0 {
		t.Fatal("told while an attempt runs")
	}
	second.Outcome = lift.Canceled
	second.End()
	if len(o.ends) != 1 {
		t.Errorf("told %d times", len(o.ends))
	}
}

func TestDecisionsAreBoundedAndSayWhatTheyAre(t *testing.T) {
	c, o := &lift.Call{}, &told{at: lift.Now()}
	c.Observe(o.now, nil)
	o.wait(time.Second)
	for range lift.MaxDecisions + 3 {
		c.Note(lift.Retrying, int64(20*time.Millisecond))
	}
	list, dropped := c.Decisions()
	if len(list) != lift.MaxDecisions || dropped != 3 || list[0].After != time.Second || list[0].String() != "to be sent again, after a wait of 20ms" {
		t.Errorf("%d kept, %d dropped, %+v: %s", len(list), dropped, list[0], list[0])
	}
	seen := map[string]bool{}
	for kind := lift.TimeoutOfCall; kind <= lift.NoRetryNowhere; kind++ {
		name, text := kind.String(), lift.Decision{Kind: kind, N: 3}.String()
		if name == "" || name == "unknown" || seen[name] || text == "" || text == name || strings.Contains(text, "%!") {
			t.Errorf("%d is %q: %q", kind, name, text)
		}
		seen[name] = true
	}
}

// A call pays nothing for being observed but the reading of clocks, and for the few
// decisions that are usual.
func TestObservingAllocatesNothing(t *testing.T) {
	o := &told{at: lift.Now()}
	end := lift.Observer(func(*lift.Call, lift.Ending) {})
	now := o.now
	resp := answer(200, lift.BytesBody(nil))
	plain := testing.AllocsPerRun(100, func() {
		c := &lift.Call{}
		c.NewAttempt(lift.AttemptRecord{}).End()
		c.End()
	})
	seen := testing.AllocsPerRun(100, func() {
		c := &lift.Call{}
		c.Observe(now, end)
		c.Note(lift.TimeoutOfCall, 1)
		c.Note(lift.DeadlineOfCaller, 1)
		c.NewAttempt(lift.AttemptRecord{}).End()
		c.Answered(resp, o.at)
		c.End()
	})
	if seen > plain {
		t.Errorf("%g allocations, %g unobserved", seen, plain)
	}
}

func ExampleCall_Observe() {
	c := &lift.Call{Service: "orders", Method: "POST"}
	c.Observe(lift.Now, func(c *lift.Call, e lift.Ending) {
		decisions, _ := c.Decisions()
		fmt.Println(c.Service, lift.CodeOf(e.Err), decisions)
	})
	c.Note(lift.NoRetryUnsafe, 0)
	c.Fail(lift.Errorf(c, lift.Unavailable, "the connection was reset"))
	c.End()
	// Output: orders unavailable [not sent again: an endpoint may have acted, and the call is not idempotent]
}

// BenchmarkObserve is the record of a call of one attempt, observed and not.
func BenchmarkObserve(b *testing.B) {
	resp := answer(200, lift.BytesBody(nil))
	for name, f := range map[string]lift.Observer{"unobserved": nil, "observed": func(*lift.Call, lift.Ending) {}} {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				c := &lift.Call{}
				c.Observe(lift.Now, f)
				c.NewAttempt(lift.AttemptRecord{}).End()
				if f != nil {
					c.Answered(resp, lift.Now())
				}
				c.End()
			}
		})
	}
}
