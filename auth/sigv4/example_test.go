package sigv4_test

import (
	"context"
	"fmt"
	"net/http"
	"os"
	"time"

	"github.com/liftmesh/lift"
	"github.com/liftmesh/lift/auth/sigv4"
	"github.com/liftmesh/lift/auth/sigv4/sigv4test"
)

// A signer goes into mesh.ServiceConfig as Sign, and its step beside it as Adapt.
func ExampleNew() {
	lookup := func(name string) (string, bool) {
		v, ok := map[string]string{"AWS_ACCESS_KEY_ID": "AKIDEXAMPLE", "AWS_SECRET_ACCESS_KEY": "secret"}[name]
		return v, ok
	}
	s := sigv4.New(sigv4.Config{
		Service: sigv4.ExecuteAPI, Source: sigv4.NewSource(sigv4.SourceOptions{Lookup: lookup}),
		Now: func() lift.Instant { return lift.Instant{Wall: time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)} },
	})
	r, _ := http.NewRequestWithContext(context.Background(), http.MethodGet, "https://abc.execute-api.eu-west-1.amazonaws.com/prod", nil)
	if err := s.Sign(context.Background(), r, nil); err != nil {
		panic(err)
	}
	fmt.Println(r.Header.Get("X-Amz-Date"), r.Header.Get("Authorization")[:79])
	// Output: 20260102T030405Z AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/20260102/eu-west-1/execute-api/aws4_req
}

func ExampleNewSource() {
	s := sigv4.NewSource(sigv4.SourceOptions{Lookup: os.LookupEnv})
	c, err := s.Credentials(context.Background())
	_, _ = c, err
}

func ExampleSigner_Heed() {
	s := sigv4.New(sigv4.Config{Service: sigv4.Lambda, Source: sigv4.NewSource(sigv4.SourceOptions{})})
	step := s.Heed(lift.RoundTripperFunc(func(*lift.Attempt) (*lift.Response, error) {
		return &lift.Response{Status: 403, Body: lift.BytesBody(nil)}, nil
	}))
	resp, _ := step.RoundTrip(&lift.Attempt{})
	fmt.Println(resp.Status)
	// Output: 403
}

func ExampleRegionOf() {
	fmt.Println(sigv4.RegionOf("x.lambda-url.eu-west-1.on.aws"))
	// Output: eu-west-1
}

func ExampleHostOf() {
	fmt.Println(sigv4.HostOf("lambda", "eu-west-1"))
	// Output: lambda.eu-west-1.amazonaws.com
}

func ExampleCheckRegion() {
	fmt.Println(sigv4.CheckRegion("Ireland"))
	// Output: want a region's name, such as eu-west-1
}

// A guard stands in front of a fake of one of AWS's services.
func ExampleGuard() {
	g := &sigv4test.Guard{Verifier: sigv4test.Verifier{
		Service: "lambda", Region: "eu-west-1",
		Keys: func() []sigv4test.Key { return []sigv4test.Key{{ID: "AKIDEXAMPLE", Secret: "secret"}} },
	}}
	_ = http.Handler(g)
}
