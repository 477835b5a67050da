package invoke_test

import (
	"context"
	"fmt"

	"github.com/liftmesh/lift"
	"github.com/liftmesh/lift/invoke"
	"github.com/liftmesh/lift/invoke/invoketest"
)

func ExampleStep() {
	api := &invoketest.API{}
	api.Put("greet:live", func(context.Context, []byte) ([]byte, string) {
		return []byte(`{"statusCode": 200, "body": "hello"}`), ""
	})
	f, _ := invoke.ParseFunction("greet:live")
	c := &lift.Call{Service: "greet", Path: "/you"}
	resp, err := invoke.Step(invoke.Config{Function: f})(to(api)).RoundTrip(c.NewAttempt(lift.AttemptRecord{}))
	if err != nil {
		panic(err)
	}
	content, _ := resp.Body.Complete()
	fmt.Println(resp.Status, string(content))
	// Output: 200 hello
}

func ExampleParseFunction() {
	f, err := invoke.ParseFunction("arn:aws:lambda:eu-west-1:123456789012:function:orders:live")
	fmt.Println(f.Qualifier, f.Region, err)
	// Output: live eu-west-1 <nil>
}

func ExampleCheckFunction() {
	fmt.Println(invoke.CheckFunction("orders:live"))
	// Output: <nil>
}
