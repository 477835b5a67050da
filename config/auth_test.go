package config

import (
	"bytes"
	"log/slog"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/liftmesh/lift"
)

const signedServices = `
services:
  api: {from: static, endpoints: ["10.0.0.1:80"], host: abc.execute-api.eu-west-1.amazonaws.com, auth: {sigv4: execute-api}}
  function: {from: static, endpoints: ["10.0.0.1:80"], auth: {sigv4: lambda, region: us-east-1}}
  lattice: {from: static, endpoints: ["10.0.0.1:80"], auth: {sigv4: vpc-lattice-svcs}}
  plain: {from: static, endpoints: ["10.0.0.1:80"]}
`

// Each attempt is signed by the clock that the process gives, with its variables.
func TestAuthArrives(t *testing.T) {
	c := sound1(t, signedServices, env("AWS_ACCESS_KEY_ID", "AKID", "AWS_SECRET_ACCESS_KEY", "s", "AWS_REGION", "ap-south-1"))
	var log bytes.Buffer
	now := lift.Instant{Wall: time.Date(2030, 1, 2, 3, 4, 5, 0, time.UTC)}
	c.Attach(func() lift.Instant { return now }, slog.New(slog.NewTextHandler(&log, nil)))
	for i, want := range []struct {
		scope string
		whole int64
	}{
		{"AKID/20300102/eu-west-1/execute-api/", 10 << 20}, {"AKID/20300102/us-east-1/lambda/", 6 << 20}, {"AKID/20300102/ap-south-1/vpc-lattice-svcs/", 0},
	} {
		s := &c.Services[i]
		r := &http.Request{Method: "GET", URL: &url.URL{Path: "/"}, Host: s.Transport.Host, Header: http.Header{}}
		if err := s.Sign(t.Context(), r, nil); err != nil || !strings.Contains(r.Header.Get("Authorization"), "Credential="+want.scope) || s.WholeBody != want.whole {
			t.Errorf("%s: %v, %v, %d", s.Name, err, r.Header, s.WholeBody)
		}
		_, _ = s.Adapt(lift.RoundTripperFunc(func(*lift.Attempt) (*lift.Response, error) {
			return &lift.Response{Status: 403, Header: []lift.Field{{Name: "Date", Value: "Wed, 02 Jan 2030 02:04:05 GMT"}}, Body: lift.BytesBody(nil)}, nil
		})).RoundTrip(&lift.Attempt{})
		if said := log.String(); !strings.Contains(said, "service="+s.Name) || !strings.Contains(said, "1h0m0s ahead") {
			t.Errorf("%s: the log says %s", s.Name, said)
		}
	}
	if s := c.Services[3]; s.Sign != nil || s.Adapt != nil || s.WholeBody != 0 {
		t.Errorf("plain: %+v", s)
	}
	c.Attach(lift.Now, slog.New(slog.DiscardHandler))
	if len(c.Services) != 4 {
		t.Errorf("%d services", len(c.Services))
	}
}

func TestAuthProblems(t *testing.T) {
	_, problems := Parse("f", []byte(`services:
  a: {from: static, endpoints: ["h:1"], auth: {sigv4: s3, region: Ireland}}
  b: {from: static, endpoints: ["h:1"], auth: {region: eu-west-1}}
defaults: {auth: {sigv4: lambda}}
`), env())
	wantProblems(t, problems,
		`2:55: services.a.auth.sigv4: "s3" is not a valid value; want execute-api, lambda or vpc-lattice-svcs`,
		`2:67: services.a.auth.region: "Ireland" is not valid; want a region's name, such as eu-west-1`,
		`3:56: services.b.auth.region: auth.region needs auth.sigv4; set the service to sign for, such as sigv4: execute-api, or remove it`,
		`4:12: defaults.auth: this key is for single services; move it to services.NAME.auth`,
	)
}

func wantProblems(t *testing.T, problems Problems, want ...string) {
	t.Helper()
	var got []string
	for _, p := range problems {
		got = append(got, strings.TrimPrefix(p.Error(), "f:"))
	}
	if g, w := strings.Join(got, "\n"), strings.Join(want, "\n"); g != w {
		t.Errorf("got\n%s\n\nwant\n%s", g, w)
	}
}

func TestExampleOfAWSLoads(t *testing.T) {
	c := sound1(t, exampleOf(t, "../docs/aws.md"), env("AWS_REGION", "eu-west-1"))
	for i := range c.Services {
		if s := &c.Services[i]; (s.Sign == nil) != (s.Name == "shop" || s.Name == "orders") || s.Broken != nil || (s.Transport.TLS == nil) != (s.Name == "orders") {
			t.Errorf("%+v", s)
		}
	}
}
