package lift_test

import (
	"errors"
	"fmt"
	"io"
	"slices"
	"sync"
	"testing"

	"github.com/liftmesh/lift"
)

func addr(a string) lift.AttemptRecord {
	return lift.AttemptRecord{Endpoint: lift.Endpoint{Addr: a}}
}

// Attempts keep their address and their record however many follow.
func TestAttemptsStayWhereTheyAre(t *testing.T) {
	var c lift.Call
	if c.Attempts() != nil || c.Tries() != 0 {
		t.Error("a record before the first attempt")
	}
	first := c.NewAttempt(addr("0"))
	for i := 1; i < 6; i++ {
		c.NewAttempt(addr(fmt.Sprint(i)))
	}
	first.Status, first.Outcome = 200, lift.OK
	if c.Attempts()[0].Status != 0 {
		t.Error("what was not published is seen")
	}
	first.End()
	got := c.Attempts()
	if len(got) != 6 || c.Tries() != 6 || got[0].Status != 200 || got[5].Endpoint.Addr != "5" || !c.Tried("3") || c.Tried("6") {
		t.Errorf("record %+v", got)
	}
	if since := c.AppendAttempts(nil, 4); len(since) != 2 || since[0].Endpoint.Addr != "4" || len(c.AppendAttempts(nil, 9)) != 0 {
		t.Errorf("since the fourth: %+v", since)
	}
}

// An ordinary call of one attempt needs no memory but its own.
func TestOneAttemptAllocatesNothing(t *testing.T) {
	calls := make([]lift.Call, 101)
	n := testing.AllocsPerRun(100, func() {
		c := &calls[0]
		calls = calls[1:]
		a := c.NewAttempt(lift.AttemptRecord{Why: "only one"})
		a.End()
		var room [1]lift.AttemptRecord
		if got := c.AppendAttempts(room[:0], 0); got[0].Why != "only one" {
			t.Error("another record")
		}
	})
	if n != 0 {
		t.Errorf("%v allocations", n)
	}
}

// Several attempts of a call run at the same time, each writing its own record,
// while others read the call's.
func TestAttemptsRunAtTheSameTime(t *testing.T) {
	const n = 8
	c := &lift.Call{Service: "orders"}
	var work sync.WaitGroup
	for i := range n {
		work.Go(func() {
			a := c.NewAttempt(addr(fmt.Sprint(i)))
			for status := range 100 {
				a.Status, a.Header = status, []lift.Field{{Name: "n", Value: fmt.Sprint(i)}}
				a.Publish()
				c.Tried("none")
			}
			a.Outcome = lift.Failed
			a.End()
		})
		work.Go(func() {
			for range 100 {
				if e := lift.Errorf(c, lift.Unavailable, "x"); len(e.Attempts) > n {
					t.Errorf("%d attempts", len(e.Attempts))
				}
			}
		})
	}
	work.Wait()
	got := c.Attempts()
	for _, a := range got {
		if a.Status != 99 || a.Outcome != lift.Failed {
			t.Errorf("%+v", a)
		}
	}
	if len(got) != n {
		t.Errorf("%d attempts, want %d", len(got), n)
	}
}

// A canceled call cancels its attempts, those to come too; an attempt alone can be
// canceled and leaves call and others as they are.
func TestCancelGoesDown(t *testing.T) {
	var c lift.Call
	one, two := c.NewAttempt(addr("1")), c.NewAttempt(addr("2"))
	lost := errors.New("another was faster")
	ran := ""
	one.OnCancel(func() { ran += "1" })
	two.OnCancel(func() { ran += "2" })
	one.Cancel(lost)
	if !errors.Is(one.Err(), lost) || two.Err() != nil || c.Err() != nil || ran != "1" {
		t.Errorf("one alone: %v, %v, %v, %q", one.Err(), two.Err(), c.Err(), ran)
	}
	gone := errors.New("gone")
	c.Cancel(gone)
	three := c.NewAttempt(addr("3"))
	<-two.Done()
	<-three.Done()
	if !errors.Is(one.Err(), lost) || !errors.Is(two.Err(), gone) || !errors.Is(three.Err(), gone) || ran != "12" {
		t.Errorf("all: %v, %v, %v, %q", one.Err(), two.Err(), three.Err(), ran)
	}
}

func TestAttemptHolds(t *testing.T) {
	var c lift.Call
	a := c.NewAttempt(addr("1"))
	given := 0
	a.Hold(func() { given++ })
	c.End()
	if given != 0 {
		t.Error("the call's end gave back what the attempt holds")
	}
	a.End()
	a.End()
	if given != 1 {
		t.Errorf("given back %d times", given)
	}
}

// An attempt sends what the call says, until a step puts something else in its
// place; the call and its other attempts stay as they are.
func TestAttemptCarriesWhatIsSent(t *testing.T) {
	body := lift.BytesBody([]byte("x"))
	c := &lift.Call{Method: "PUT", Path: "/a", Header: []lift.Field{{Name: "A", Value: "1"}}, Body: body}
	a := c.NewAttempt(addr("1"))
	if a.Call != c || a.Method != "PUT" || a.Path != "/a" || !slices.Equal(a.Header, c.Header) || a.Body != body || !a.IsIdempotent() || !a.Replayable() {
		t.Errorf("%+v", a)
	}
	a.Method, a.Path, a.Header = "POST", "/b", nil
	a.Body = lift.StreamBody(io.NopCloser(nil), -1, 0)
	if b := c.NewAttempt(addr("2")); b.Method != "PUT" || b.Path != "/a" || len(b.Header) != 1 || c.Method != "PUT" || a.IsIdempotent() || !c.IsIdempotent() {
		t.Errorf("%+v", b)
	}
}

// OnNextAttempt runs once, at the next attempt, and not after it was taken back.
func TestOnNextAttempt(t *testing.T) {
	var c lift.Call
	c.NewAttempt(addr("1"))
	ran := 0
	stop := c.OnNextAttempt(func() { ran++ })
	if !stop() || stop() {
		t.Error("stop takes the hook back once")
	}
	c.NewAttempt(addr("2"))
	stop = c.OnNextAttempt(func() { ran += 10 })
	c.NewAttempt(addr("3"))
	c.NewAttempt(addr("4"))
	if ran != 10 || stop() {
		t.Errorf("ran %d", ran)
	}
}

func TestSetAttempts(t *testing.T) {
	var c lift.Call
	records := []lift.AttemptRecord{addr("1"), addr("2")}
	c.SetAttempts(records)
	records[0].Status = 500
	c.SetAttempts(nil)
	if c.Tries() != 0 {
		t.Error("not replaced")
	}
	c.SetAttempts(records)
	if got := c.Attempts(); len(got) != 2 || got[0].Status != 500 || !c.Tried("2") {
		t.Errorf("%+v", got)
	}
}

func TestAttemptErrorf(t *testing.T) {
	c := &lift.Call{Service: "orders"}
	a := c.NewAttempt(addr("10.0.0.7:80"))
	a.Reached = lift.MayHaveActed
	e := a.Errorf(lift.Unavailable, "%w", io.EOF)
	if e.Service != "orders" || e.Endpoint != "10.0.0.7:80" || e.Reached != lift.MayHaveActed || e.Attempts != nil || !errors.Is(e, io.EOF) {
		t.Errorf("%+v", e)
	}
}

// The steps of an attempt stand around its end as a call's do.
func ExampleStackAttempt() {
	greet := func(next lift.RoundTripper) lift.RoundTripper {
		return lift.RoundTripperFunc(func(a *lift.Attempt) (*lift.Response, error) {
			a.Path = "/hello" + a.Path // of this attempt alone
			return next.RoundTrip(a)
		})
	}
	instance := lift.RoundTripperFunc(func(a *lift.Attempt) (*lift.Response, error) {
		return &lift.Response{Status: 200, Body: lift.BytesBody([]byte(a.Path))}, nil
	})
	c := &lift.Call{Path: "/you"}
	a := c.NewAttempt(lift.AttemptRecord{Began: lift.Now()})
	defer a.End()
	resp, _ := lift.StackAttempt(instance, greet, nil).RoundTrip(a)
	content, _ := resp.Body.Complete()
	fmt.Println(resp.Status, string(content), c.Path)
	// Output: 200 /hello/you /you
}

// The record of a call can be read while its attempts run.
func ExampleCall_Attempts() {
	var c lift.Call
	a := c.NewAttempt(lift.AttemptRecord{Endpoint: lift.Endpoint{Addr: "10.0.0.7:80"}, Why: "only one"})
	fmt.Println(c.Attempts()[0].Outcome)
	a.Status, a.Outcome = 200, lift.OK
	a.End()
	fmt.Println(c.Attempts()[0].Outcome)
	// Output:
	// unjudged
	// ok
}

// An answer is kept until the next attempt starts, and given up then.
func ExampleCall_OnNextAttempt() {
	var c lift.Call
	c.NewAttempt(lift.AttemptRecord{})
	c.OnNextAttempt(func() { fmt.Println("the first answer is closed") })
	c.NewAttempt(lift.AttemptRecord{})
	c.NewAttempt(lift.AttemptRecord{})
	// Output: the first answer is closed
}

// Of two attempts at the same time, the slower one is canceled; the call goes on.
func ExampleAttempt_Cancel() {
	var c lift.Call
	slow, fast := c.NewAttempt(lift.AttemptRecord{}), c.NewAttempt(lift.AttemptRecord{})
	slow.Cancel(errors.New("another attempt was faster"))
	fmt.Println(slow.Err(), fast.Err(), c.Err())
	// Output: another attempt was faster <nil> <nil>
}
