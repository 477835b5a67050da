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

func TestStackOrder(t *testing.T) {
	var order []string
	step := func(name string) lift.Policy {
		return func(next lift.Caller) lift.Caller {
			return lift.CallerFunc(func(c *lift.Call) (*lift.Response, error) {
				order = append(order, name)
				return next.Call(c)
			})
		}
	}
	base := lift.CallerFunc(func(*lift.Call) (*lift.Response, error) { return &lift.Response{Status: 200}, nil })
	resp, err := lift.Stack(base, step("outer"), nil, step("inner")).Call(&lift.Call{})
	if err != nil || resp.Status != 200 || strings.Join(order, " ") != "outer inner" {
		t.Errorf("got %v, %v in order %q", resp, err, order)
	}
}

func TestIdempotence(t *testing.T) {
	for _, tt := range []struct {
		call *lift.Call
		want bool
	}{
		{&lift.Call{}, true},
		{&lift.Call{Method: "GET"}, true},
		{&lift.Call{Method: "PUT"}, true},
		{&lift.Call{Method: "DELETE"}, true},
		{&lift.Call{Method: "POST"}, false},
		{&lift.Call{Method: "PATCH"}, false},
		{&lift.Call{Method: "get"}, false}, // methods are case-sensitive (RFC 9110, 9.1)
		{&lift.Call{Method: "POST", Header: []lift.Field{{Name: "idempotency-key", Value: "k"}}}, true},
		{&lift.Call{Method: "POST", Header: []lift.Field{{Name: "Idempotency-Key"}}}, false}, // vouches for nothing
		{&lift.Call{Method: "POST", Header: []lift.Field{{Name: "Idempotency-Key", Value: " \t"}}}, false},
		{&lift.Call{Method: "POST", Header: []lift.Field{{Name: "Idempotency-Key", Value: `""`}}}, false}, // an empty one, as a string (RFC 9651)
		{&lift.Call{Method: "POST", Header: []lift.Field{{Name: "Idempotency-Key"}, {Name: "Idempotency-Key", Value: `"k"`}}}, true},
		{&lift.Call{Method: "POST", Idempotent: lift.Idempotent}, true},
		{&lift.Call{Method: "GET", Idempotent: lift.NotIdempotent}, false},
		{&lift.Call{Method: "GET", Upgrade: "websocket", Idempotent: lift.Idempotent}, false},
	} {
		if got := tt.call.IsIdempotent(); got != tt.want {
			t.Errorf("%s %v %v: got %v", tt.call.Method, tt.call.Header, tt.call.Idempotent, got)
		}
	}
}

func TestInstant(t *testing.T) {
	at := lift.Instant{Wall: time.Unix(1000, 0), Mono: time.Hour}
	later := func(wall, mono time.Duration) lift.Instant {
		return lift.Instant{Wall: at.Wall.Add(wall), Mono: at.Mono + mono}
	}
	for _, tt := range []struct {
		wall, mono time.Duration
		since, age time.Duration
		straddles  bool
	}{
		{time.Minute, time.Minute, time.Minute, time.Minute, false},
		{time.Minute, time.Millisecond, time.Minute, time.Minute, true},
		{1900 * time.Millisecond, time.Second, 1900 * time.Millisecond, 1900 * time.Millisecond, false},
		{-time.Minute, time.Second, 0, time.Second, true},
	} {
		i := later(tt.wall, tt.mono)
		if i.Since(at) != tt.since || i.Age(at) != tt.age || i.Straddles(at) != tt.straddles {
			t.Errorf("wall %v mono %v: since %v age %v straddles %v", tt.wall, tt.mono, i.Since(at), i.Age(at), i.Straddles(at))
		}
	}
	if now := lift.Now(); now.IsZero() || strings.Contains(now.Wall.String(), "m=") {
		t.Errorf("Now carries a monotonic reading: %v", now.Wall)
	}
}

func TestErrorSaysWhatAndWhere(t *testing.T) {
	c := &lift.Call{Service: "orders"}
	c.NewAttempt(lift.AttemptRecord{
		Endpoint: lift.Endpoint{Addr: "10.0.0.7:80"}, Outcome: lift.Failed, Reached: lift.MayHaveActed, Status: 500,
		Began: lift.Instant{Wall: time.Unix(0, 0)}, Ended: lift.Instant{Wall: time.Unix(0, int64(20*time.Millisecond))},
	})
	err := fmt.Errorf("handler: %w", lift.Errorf(c, lift.AttemptTimeout, "no answer within %s", "20ms"))
	want := "handler: lift: orders: attempt_timeout: no answer within 20ms [attempt 1 at 10.0.0.7:80: failed 500 after 20ms] (an endpoint may have acted)"
	if err.Error() != want {
		t.Errorf("got  %s\nwant %s", err, want)
	}
	if !errors.Is(err, lift.AttemptTimeout) || errors.Is(err, lift.AllOpen) || !errors.Is(err, context.DeadlineExceeded) || lift.CodeOf(err) != lift.AttemptTimeout {
		t.Error("codes do not match")
	}
	if e, ok := errors.AsType[*lift.Error](err); !ok || e.Endpoint != "10.0.0.7:80" || e.Reached != lift.MayHaveActed {
		t.Errorf("got %+v", e)
	}
	if !errors.Is(&lift.Error{Code: lift.CallCanceled}, context.Canceled) || lift.CodeOf(io.EOF) != "" {
		t.Error("canceled, or a foreign error")
	}
}

func TestNames(t *testing.T) {
	if lift.CutShort.String() != "cut_short" || lift.Outcome(99).String() != "unknown" || lift.MayHaveActed.String() != "may_have_acted" || lift.Reached(9).String() != "unknown" {
		t.Error("names of outcomes")
	}
	if !lift.CallerFault.Judges() || lift.Straddled.Judges() || lift.Unjudged.Judges() {
		t.Error("who judges")
	}
}

func TestFields(t *testing.T) {
	f := []lift.Field{{Name: "A", Value: "1"}, {Name: "a", Value: "2"}}
	if lift.Get(f, "a") != "1" || !lift.Has(f, "A") || lift.Has(f, "b") || lift.Get(f, "b") != "" || lift.FieldsSize(f) != 68 {
		t.Error("fields")
	}
}

func TestEndpointKey(t *testing.T) {
	a := lift.Endpoint{ID: "i-1", Addr: "a:1"}
	b := a
	b.Addr = "b:1"
	if a.Key() != b.Key() || a.Equal(b) || (lift.Endpoint{Addr: "a:1"}).Key() != "a:1" {
		t.Error("keys")
	}
}

// A retry that a policy of one's own makes: the shape that every step has.
func ExamplePolicy() {
	twice := func(next lift.Caller) lift.Caller {
		return lift.CallerFunc(func(c *lift.Call) (*lift.Response, error) {
			if resp, err := next.Call(c); err == nil {
				return resp, nil
			}
			return next.Call(c)
		})
	}
	tries := 0
	base := lift.CallerFunc(func(c *lift.Call) (*lift.Response, error) {
		if tries++; tries == 1 {
			return nil, lift.Errorf(c, lift.Unavailable, "connection refused")
		}
		return &lift.Response{Status: 200, Body: lift.BytesBody([]byte("hello"))}, nil
	})
	c := &lift.Call{Service: "orders", Method: "GET", Path: "/"}
	defer c.End()
	resp, err := lift.Stack(base, twice).Call(c)
	fmt.Println(resp.Status, err, tries)
	// Output: 200 <nil> 2
}

func ExampleError() {
	err := error(lift.Errorf(&lift.Call{Service: "orders"}, lift.AllOpen, "all 3 endpoints are open, the next probe may go in 800ms"))
	fmt.Println(errors.Is(err, lift.AllOpen))
	fmt.Println(err)
	// Output:
	// true
	// lift: orders: all_open: all 3 endpoints are open, the next probe may go in 800ms
}
