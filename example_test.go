package lift_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/liftmesh/lift"
)

// The first policy is the outermost; one that a service does not use is nil.
func ExampleStack() {
	step := func(name string) lift.Policy {
		return func(next lift.Caller) lift.Caller {
			return lift.CallerFunc(func(c *lift.Call) (*lift.Response, error) {
				fmt.Println(name)
				return next.Call(c)
			})
		}
	}
	base := lift.CallerFunc(func(*lift.Call) (*lift.Response, error) {
		return &lift.Response{Status: 204, Body: lift.BytesBody(nil)}, nil
	})
	_, _ = lift.Stack(base, step("deadline"), nil, step("retry")).Call(&lift.Call{})
	// Output:
	// deadline
	// retry
}

// A request body can be read from its beginning again as long as no more of it
// has been read than is kept.
func ExampleStreamBody() {
	body := lift.StreamBody(io.NopCloser(strings.NewReader("an order")), -1, lift.ReplayLimit)
	for range 2 {
		r, err := body.Reader()
		if err != nil {
			fmt.Println(err)
			return
		}
		content, _ := io.ReadAll(r)
		fmt.Println(string(content), body.Replayable())
	}
	// Output:
	// an order true
	// an order true
}

func ExampleBytesBody() {
	content, whole := lift.BytesBody([]byte("hello")).Complete()
	fmt.Println(string(content), whole)
	// Output: hello true
}

// A permit is given back when the call ends, once, whatever came of it.
func ExampleCall_Hold() {
	var c lift.Call
	c.Hold(func() { fmt.Println("permit given back") })
	c.End()
	c.End()
	// Output: permit given back
}

func ExampleCall_OnCancel() {
	var c lift.Call
	c.OnCancel(func() { fmt.Println("the connection is closed") })
	c.Cancel(context.Canceled)
	// Output: the connection is closed
}

// Across a freeze the wall clock goes on and the monotonic one may not.
func ExampleInstant_Straddles() {
	before := lift.Instant{Wall: time.Unix(1000, 0), Mono: time.Minute}
	after := lift.Instant{Wall: time.Unix(4600, 0), Mono: time.Minute + time.Millisecond}
	fmt.Println(after.Since(before), after.Straddles(before))
	// Output: 1h0m0s true
}

func ExampleCodeOf() {
	err := fmt.Errorf("loading the order: %w", lift.Errorf(&lift.Call{Service: "orders"}, lift.NoEndpoints, "nobody serves it"))
	fmt.Println(lift.CodeOf(err), errors.Is(err, lift.NoEndpoints))
	// Output: no_endpoints true
}

func ExampleIsGRPC() {
	for _, t := range []string{"application/grpc", "application/grpc+json", "application/grpc-web", "application/json"} {
		fmt.Println(t, lift.IsGRPC([]lift.Field{{Name: "content-type", Value: t}}))
	}
	// Output:
	// application/grpc true
	// application/grpc+json true
	// application/grpc-web false
	// application/json false
}

func ExampleEndpointStatus_Health() {
	for _, state := range []string{"closed", "open", "half_open"} {
		e := lift.EndpointStatus{State: state}
		fmt.Println(state, "is", e.Health())
	}
	// Output:
	// closed is healthy
	// open is out
	// half_open is probing
}
