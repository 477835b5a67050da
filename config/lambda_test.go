package config

import (
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/liftmesh/lift"
)

func TestLambdaArrives(t *testing.T) {
	c := sound1(t, `
services:
  a: {from: lambda, function: "orders:live"}
  b: {from: lambda, function: "arn:aws:lambda:us-west-2:123456789012:function:orders", payload: raw}
  c: {from: lambda, function: orders, auth: {region: eu-north-1}, timeout: 30s, connections: {whole: 7MiB, max_age: 1m}}
  d: {from: lambda, function: orders, lambda: {endpoint: "http://127.0.0.1:9001"}}
`, env("AWS_REGION", "eu-west-1", "AWS_ACCESS_KEY_ID", "AKID", "AWS_SECRET_ACCESS_KEY", "s"))
	for i, want := range []struct {
		host, lookup, scope, path string
		tls                       bool
		whole                     int
	}{
		{"lambda.eu-west-1.amazonaws.com", "lambda.eu-west-1.amazonaws.com", "/eu-west-1/lambda/", "/2015-03-31/functions/orders/invocations?Qualifier=live", true, 6<<20 + 64<<10},
		{"lambda.us-west-2.amazonaws.com", "lambda.us-west-2.amazonaws.com", "/us-west-2/lambda/", "/2015-03-31/functions/arn%3Aaws%3Alambda%3Aus-west-2%3A123456789012%3Afunction%3Aorders/invocations", true, 6<<20 + 64<<10},
		{"lambda.eu-north-1.amazonaws.com", "lambda.eu-north-1.amazonaws.com", "/eu-north-1/lambda/", "/2015-03-31/functions/orders/invocations", true, 7 << 20},
		{"127.0.0.1:9001", "", "/eu-west-1/lambda/", "/2015-03-31/functions/orders/invocations", false, 6<<20 + 64<<10},
	} {
		s := &c.Services[i]
		if s.Transport.Host != want.host || s.Lookup != want.lookup || (s.Transport.TLS != nil) != want.tls || s.Transport.Whole != want.whole || s.WholeBody != 6<<20 || s.Registry == nil {
			t.Errorf("%s: %+v", s.Name, s)
		}
		asked := lift.Call{Service: s.Name, Path: "/x"}
		sent := ""
		_, _ = s.Adapt(lift.RoundTripperFunc(func(a *lift.Attempt) (*lift.Response, error) {
			sent = a.Path
			u, err := url.Parse(a.Path)
			if err != nil {
				t.Fatal(err)
			}
			r := &http.Request{Method: "POST", URL: u, Host: s.Transport.Host, Header: http.Header{}}
			if err := s.Sign(t.Context(), r, a.Body); err != nil || !strings.Contains(r.Header.Get("Authorization"), want.scope) {
				t.Errorf("%s: %v %s", s.Name, err, r.Header)
			}
			return nil, a.Errorf(lift.Unavailable, "x")
		})).RoundTrip(asked.NewAttempt(lift.AttemptRecord{}))
		if sent != want.path {
			t.Errorf("%s: sent to %s", s.Name, sent)
		}
	}
	again := sound1(t, printed(t, c), env("AWS_REGION", "eu-west-1"))
	for i := range c.Services {
		if c.Services[i].Marks != again.Services[i].Marks {
			t.Errorf("%s: what is printed is another service", c.Services[i].Name)
		}
	}
}

func TestLambdaProblems(t *testing.T) {
	_, problems := Parse("f", []byte(`services:
  a: {from: lambda}
  b: {from: lambda, function: "arn:aws:s3:::x", payload: xml}
  c: {from: lambda, function: f}
  d: {from: lambda, function: f, path_prefix: /x, host: h, auth: {sigv4: lambda, region: eu-west-1}}
  e: {from: lambda, function: f, lambda: {endpoint: "https://h/prod"}}
  g: {from: static, endpoints: ["h:1"], function: f}
`), env())
	wantProblems(t, problems,
		`2:3: services.a: function is missing; with from: lambda write the function to invoke, such as function: orders:live`,
		`3:31: services.b.function: "arn:aws:s3:::x" is not valid; want a function's name, NAME:ALIAS, ACCOUNT:function:NAME, or an ARN such as arn:aws:lambda:eu-west-1:123456789012:function:orders:live`,
		`3:58: services.b.payload: "xml" is not a valid value; want http or raw`,
		`4:31: services.c: the region is not known; set auth.region, such as region: eu-west-1, or AWS_REGION where this is checked; Lambda sets AWS_REGION itself`,
		`5:47: services.d.path_prefix: path_prefix does not go with from: lambda; remove it: the function is given each call's own path`,
		`5:74: services.d.auth.sigv4: auth.sigv4 does not go with from: lambda; remove it: what is invoked is signed`,
		`6:53: services.e.lambda.endpoint: "https://h/prod" is not valid; its path: AWS's APIs have none; want scheme and host alone, such as https://lambda.eu-west-1.amazonaws.com`,
		`7:51: services.g.function: function needs from: lambda, and from is static; remove it, or write from: lambda`,
	)
	_, problems = Parse("f", []byte("services: {a: {from: lambda, function: f}}"), env("AWS_ENDPOINT_URL_LAMBDA", "nowhere"))
	if len(problems) != 1 || !strings.Contains(problems[0].Error(), "the variable AWS_ENDPOINT_URL_LAMBDA is not the URL of an API") {
		t.Error(problems)
	}
}
