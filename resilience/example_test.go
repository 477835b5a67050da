package resilience_test

import (
	"fmt"
	"math/rand/v2"
	"time"

	"github.com/liftmesh/lift"
	"github.com/liftmesh/lift/resilience"
)

// A call that reached nobody is sent again, whatever its method.
func ExampleRetry() {
	tries := 0
	base := lift.CallerFunc(func(c *lift.Call) (*lift.Response, error) {
		if tries++; tries == 1 {
			c.NewAttempt(lift.AttemptRecord{Outcome: lift.Failed})
			return nil, lift.Errorf(c, lift.Unavailable, "connection refused")
		}
		c.NewAttempt(lift.AttemptRecord{Outcome: lift.OK})
		return &lift.Response{Status: 201, Body: lift.BytesBody(nil)}, nil
	})
	budget := resilience.NewBudget(resilience.BudgetConfig{}, lift.Now)
	caller := lift.Stack(base, resilience.Retry(resilience.RetryConfig{Attempts: 3}, budget, nil, lift.Now, rand.Uint64))
	resp, err := caller.Call(&lift.Call{Service: "orders", Method: "POST", Began: lift.Now()})
	fmt.Println(resp.Status, err, tries)
	// Output: 201 <nil> 2
}

func ExampleBudget() {
	b := resilience.NewBudget(resilience.BudgetConfig{Burst: 2}, lift.Now)
	fmt.Println(b.Withdraw(), b.Withdraw(), b.Withdraw())
	// Output: true true false
}

// The service's timeout bounds a call; a nearer deadline of its own wins.
func ExampleDeadline() {
	now := lift.Now()
	base := lift.CallerFunc(func(c *lift.Call) (*lift.Response, error) {
		left, _ := c.Remaining(now)
		fmt.Println(left)
		return &lift.Response{Status: 200}, nil
	})
	caller := lift.Stack(base, resilience.Deadline(2*time.Second, func() lift.Instant { return now }, nil))
	_, _ = caller.Call(&lift.Call{Began: now})
	_, _ = caller.Call(&lift.Call{Began: now, Deadline: now.Wall.Add(time.Second)})
	// Output:
	// 2s
	// 1s
}

func ExampleClassify() {
	c := &lift.Call{Began: lift.Now()}
	a := c.NewAttempt(lift.AttemptRecord{Began: c.Began, Status: 503})
	fmt.Println(resilience.Classify(a, lift.Now(), nil))
	// Output: overloaded
}

func ExampleWhole() {
	step := resilience.Whole(4, lift.Now)
	_, err := step(lift.CallerFunc(func(*lift.Call) (*lift.Response, error) { panic("not reached") })).Call(&lift.Call{
		Service: "orders", Body: lift.BytesBody([]byte("12345")),
	})
	fmt.Println(err)
	// Output: lift: orders: too_large: the request's body has 5 bytes; this service takes at most 4
}

func ExampleReadGRPC() {
	c := &lift.Call{Method: "POST", Header: []lift.Field{{Name: "Content-Type", Value: "application/grpc"}}}
	a := c.NewAttempt(lift.AttemptRecord{Status: 200, Began: lift.Now()})
	body := lift.BytesBody(nil)
	body.SetTrailer([]lift.Field{{Name: "grpc-status", Value: "14"}, {Name: "grpc-retry-pushback-ms", Value: "250"}})
	resilience.ReadGRPC(a, &lift.Response{Status: 200, Body: body}, true)
	fmt.Println(a.GRPC, a.RetryAfter, resilience.Classify(a, lift.Now(), nil))
	// Output: 14 250ms failed
}

func ExampleIdempotent() {
	reads := lift.Stack(lift.CallerFunc(func(c *lift.Call) (*lift.Response, error) {
		fmt.Println(c.Method, c.IsIdempotent())
		return &lift.Response{Status: 200}, nil
	}), resilience.Idempotent)
	_, _ = reads.Call(&lift.Call{Method: "POST"})
	_, _ = reads.Call(&lift.Call{Method: "POST", Idempotent: lift.NotIdempotent})
	// Output:
	// POST true
	// POST false
}
