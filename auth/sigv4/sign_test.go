package sigv4

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/liftmesh/lift"
	"github.com/liftmesh/lift/auth/sigv4/sigv4test"
)

var (
	testKey = sigv4test.Key{ID: "AKIDEXAMPLE", Secret: "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY"}
	testDay = time.Date(2015, 8, 30, 12, 36, 0, 0, time.UTC)
)

// env is a lookup over name, value, name, value ...
func env(pairs ...string) func(string) (string, bool) {
	return func(name string) (string, bool) {
		for i := 0; i < len(pairs); i += 2 {
			if pairs[i] == name {
				return pairs[i+1], true
			}
		}
		return "", false
	}
}

func keyed(k sigv4test.Key, more ...string) *Source {
	return NewSource(SourceOptions{Lookup: env(append(more, keyVariable, k.ID, secretVariable, k.Secret, tokenVariable, k.Token)...)})
}

func at(t time.Time) func() lift.Instant {
	return func() lift.Instant { return lift.Instant{Wall: t} }
}

func request(t testing.TB, method, host, target string, header ...string) *http.Request {
	t.Helper()
	u, err := url.ParseRequestURI(target)
	if err != nil {
		t.Fatal(err)
	}
	u.Scheme, u.Host = "http", "10.0.0.7:80"
	r := &http.Request{Method: method, URL: u, Host: host, Header: http.Header{}}
	for i := 0; i < len(header); i += 2 {
		r.Header.Add(header[i], header[i+1])
	}
	return r
}

// arrived is r as the server reads it.
func arrived(r *http.Request) *http.Request {
	return &http.Request{Method: r.Method, RequestURI: r.URL.RequestURI(), Host: r.Host, Header: r.Header.Clone()}
}

// AWS's published examples: of the test suite, and of IAM's documentation.
func TestPublishedExamples(t *testing.T) {
	for _, tt := range []struct {
		method, host, target, service string
		header                        []string
		want                          string
	}{
		{"GET", "example.amazonaws.com", "/", "service", nil, "5fa00fa31553b73ebf1942676e86291e8372ff2a2260956d9b8aae1d763fbf31"},
		{"POST", "example.amazonaws.com", "/", "service", nil, "5da7c1a2acd57cee7505fc6676e4e544621c30862966e37dddb68e92efbe5d6b"},
		{"GET", "example.amazonaws.com", "/?Param2=value2&Param1=value1", "service", nil, "b97d918cfa904a5beff61c982a1b6f458b799221646efd99d3219ec94cdf2500"},
		{"GET", "example.amazonaws.com", "/example/..", "service", nil, "5fa00fa31553b73ebf1942676e86291e8372ff2a2260956d9b8aae1d763fbf31"},
		{"GET", "example.amazonaws.com", "//", "service", nil, "5fa00fa31553b73ebf1942676e86291e8372ff2a2260956d9b8aae1d763fbf31"},
		{
			"GET", "iam.amazonaws.com", "/?Action=ListUsers&Version=2010-05-08", "iam", []string{"Content-Type", "application/x-www-form-urlencoded; charset=utf-8"},
			"5d672d79c15b13162d9279b0855cfba6789a8edb4c82c400e06b5924a6f2b5d7",
		},
	} {
		s := New(Config{Service: tt.service, Region: "us-east-1", Source: keyed(testKey), Now: at(testDay)})
		r := request(t, tt.method, tt.host, tt.target, tt.header...)
		if err := s.Sign(t.Context(), r, nil); err != nil {
			t.Fatal(err)
		}
		if got := r.Header.Get("Authorization"); !strings.HasSuffix(got, "Signature="+tt.want) {
			t.Errorf("%s %s: %s, want %s", tt.method, tt.target, got, tt.want)
		}
		v := verifier(tt.service, testKey)
		if refusal := v.Verify(arrived(r), nil); refusal != nil {
			t.Errorf("%s %s: %v", tt.method, tt.target, refusal)
		}
	}
}

func verifier(service string, keys ...sigv4test.Key) *sigv4test.Verifier {
	return &sigv4test.Verifier{Service: service, Region: "us-east-1", Keys: func() []sigv4test.Key { return keys }, Now: func() time.Time { return testDay }}
}

// What the signer lets pass, AWS reads in the same way, whatever it looks like.
func TestOddRequestsVerify(t *testing.T) {
	withToken := testKey
	withToken.Token = "IQoJb3JpZ2luX2VjE///+=="
	body := []byte(`{"a":1}`)
	for _, service := range []string{ExecuteAPI, Lambda, Lattice, ServiceDiscovery} {
		for _, target := range []string{
			"/", "//", "/a//b/", "/a/./b/../c", "/a/..", "/a/.", "/%2e%2e/a", "/a%2Fb", "/a%20b", "/%C3%BC", "/a:b@c,d;e=f", "/a+b", "/~x/-_.", "/arn%3Aaws%3Alambda",
			"/?", "/?a", "/?a=", "/?b=2&a=1&a=0", "/?a=b%20c+d", "/?a=%2B%2f%3d", "/?a=b=c==", "/?%C3%BC=%E2%82%AC", "/?a/b=1&a-b=2&a=/&a=-", "/?&&a&", "/?A=1&a=2", "/?a=*~'()!",
		} {
			s := New(Config{Service: service, Region: "us-east-1", Source: keyed(withToken), Now: at(testDay)})
			r := request(t, "POST", "h.example:80", target, "Content-Type", "a;  b = c ", "X-Amz-Meta-Two", " one ", "X-Amz-Meta-Two", "a  b", "X-Amz-Date", "20010101T000000Z",
				"X-Amz-Security-Token", "the caller's", "X-Amz-Content-Sha256", "the caller's", "X-Forwarded-For", "10.0.0.1", "User-Agent", "x", "Authorization", "AWS4-HMAC-SHA256 the caller's")
			before := r.URL.String()
			if err := s.Sign(t.Context(), r, lift.BytesBody(body)); err != nil {
				t.Fatalf("%s %s: %v", service, target, err)
			}
			if refusal := verifier(service, withToken).Verify(arrived(r), body); refusal != nil {
				t.Errorf("%s %s: %v", service, target, refusal)
			}
			if r.URL.String() != before || r.Host != "h.example:80" || r.Header.Get("User-Agent") != "x" {
				t.Errorf("%s: more than the proof was changed: %s", target, r.URL)
			}
			if strings.Contains(r.Header.Get("Authorization"), "x-forwarded-for") {
				t.Errorf("a field is signed that others mend: %s", r.Header.Get("Authorization"))
			}
		}
	}
}

// The verifier can only be trusted if it refuses.
func TestVerifierSeesEveryChange(t *testing.T) {
	for name, change := range map[string]func(r *http.Request, body *[]byte){
		"path":   func(r *http.Request, _ *[]byte) { r.RequestURI = "/b?x=1" },
		"query":  func(r *http.Request, _ *[]byte) { r.RequestURI = "/a?x=2" },
		"method": func(r *http.Request, _ *[]byte) { r.Method = "PUT" },
		"host":   func(r *http.Request, _ *[]byte) { r.Host = "other" },
		"type":   func(r *http.Request, _ *[]byte) { r.Header.Set("Content-Type", "b") },
		"x-amz":  func(r *http.Request, _ *[]byte) { r.Header.Set("X-Amz-New", "b") },
		"date":   func(r *http.Request, _ *[]byte) { r.Header.Set("X-Amz-Date", "20150830T123601Z") },
		"body":   func(_ *http.Request, body *[]byte) { *body = []byte("c") },
		"none":   func(r *http.Request, _ *[]byte) { r.Header.Del("Authorization") },
		"twice":  func(r *http.Request, _ *[]byte) { r.Header.Add("Authorization", "Bearer x") },
	} {
		s := New(Config{Service: Lambda, Region: "us-east-1", Source: keyed(testKey), Now: at(testDay)})
		r := request(t, "POST", "h", "/a?x=1", "Content-Type", "a")
		if err := s.Sign(t.Context(), r, lift.BytesBody([]byte("b"))); err != nil {
			t.Fatal(err)
		}
		r, body := arrived(r), []byte("b")
		change(r, &body)
		if verifier(Lambda, testKey).Verify(r, body) == nil {
			t.Errorf("%s: passes", name)
		}
	}
}

func TestSignErrors(t *testing.T) {
	stream := lift.StreamBody(io.NopCloser(strings.NewReader("x")), -1, 0)
	for name, tt := range map[string]struct {
		c      Config
		target string
		header []string
		body   *lift.Body
		code   lift.Code
		says   string
	}{
		"no credentials": {Config{Region: "us-east-1", Source: NewSource(SourceOptions{})}, "/", nil, nil, lift.Misconfigured, "there are no credentials; set AWS_ACCESS_KEY_ID"},
		"elsewhere":      {Config{Region: "us-east-1", Source: NewSource(SourceOptions{Lookup: env("AWS_WEB_IDENTITY_TOKEN_FILE", "/x")})}, "/", nil, nil, lift.Misconfigured, "AWS_WEB_IDENTITY_TOKEN_FILE is set, and not read here"},
		"half":           {Config{Region: "us-east-1", Source: NewSource(SourceOptions{Lookup: env(keyVariable, "x")})}, "/", nil, nil, lift.Misconfigured, "only one of AWS_ACCESS_KEY_ID"},
		"no region":      {Config{Source: keyed(testKey)}, "/", nil, nil, lift.Misconfigured, "the region is not known: the host h does not contain it"},
		"semicolon":      {Config{Region: "us-east-1", Source: keyed(testKey)}, "/?a;b", nil, nil, lift.InvalidCall, "write %3B"},
		"query":          {Config{Region: "us-east-1", Source: keyed(testKey)}, "/?a=%zz", nil, nil, lift.InvalidCall, "percent-encoded"},
		"bearer":         {Config{Region: "us-east-1", Source: keyed(testKey)}, "/", []string{"Authorization", "Bearer hunter2"}, nil, lift.InvalidCall, "an Authorization of its own"},
		"live":           {Config{Region: "us-east-1", Source: keyed(testKey)}, "/", nil, stream, lift.InvalidCall, "has not arrived whole"},
	} {
		tt.c.Service = ExecuteAPI
		err := New(tt.c).Sign(t.Context(), request(t, "GET", "h", tt.target, tt.header...), tt.body)
		if !errors.Is(err, tt.code) || !strings.Contains(err.Error(), tt.says) || strings.Contains(err.Error(), "hunter2") {
			t.Errorf("%s: %v", name, err)
		}
	}
	if err := New(Config{Service: Lattice, Region: "us-east-1", Source: keyed(testKey)}).Sign(t.Context(), request(t, "GET", "h", "/"), stream); err != nil {
		t.Errorf("Lattice takes streams: %v", err)
	}
}

func TestRegion(t *testing.T) {
	for host, want := range map[string]string{
		"abc123.execute-api.eu-west-1.amazonaws.com":              "eu-west-1",
		"ABC123.Execute-API.eu-west-1.amazonaws.com.:443":         "eu-west-1",
		"vpce-1-abc.execute-api.us-gov-west-1.vpce.amazonaws.com": "us-gov-west-1",
		"x.lambda-url.ap-southeast-2.on.aws":                      "ap-southeast-2",
		"s-1.7d6.vpc-lattice-svcs.us-west-2.on.aws":               "us-west-2",
		"lambda.cn-north-1.amazonaws.com.cn":                      "cn-north-1",
		"data-servicediscovery.eu-central-1.amazonaws.com":        "eu-central-1",
		"api.example.com": "", "lambda": "", "": "", "execute-api.nowhere": "", "lambda.x.y": "",
	} {
		if got := RegionOf(host); got != want {
			t.Errorf("%s: %q, want %q", host, got, want)
		}
	}
	if got := HostOf("lambda", "cn-north-1"); got != "lambda.cn-north-1.amazonaws.com.cn" {
		t.Error(got)
	}
	s := New(Config{Service: Lambda, Source: keyed(testKey, "AWS_REGION", "us-east-1"), Now: at(testDay)})
	for host, want := range map[string]string{"mine.example.com": "us-east-1", "lambda.eu-west-1.amazonaws.com": "eu-west-1"} {
		r := request(t, "GET", host, "/")
		if err := s.Sign(t.Context(), r, nil); err != nil || !strings.Contains(r.Header.Get("Authorization"), "/"+want+"/lambda/") {
			t.Errorf("%s: %v %s", host, err, r.Header)
		}
	}
	for region, ok := range map[string]bool{"eu-west-1": true, "us-gov-east-1": true, "": false, "eu-west": false, "eu-west-x": false, "EU-WEST-1": false, "eu--": false, "-a-1": false} {
		if (CheckRegion(region) == nil) != ok {
			t.Errorf("CheckRegion(%q)", region)
		}
	}
}

// A refusal is passed on as it is, and the log says once why.
func TestHeed(t *testing.T) {
	for name, tt := range map[string]struct {
		status              int
		off                 time.Duration
		kind, message, says string
	}{
		"behind":    {403, -8 * time.Minute, "InvalidSignatureException", "Signature expired: ...", "this clock is 8m0s behind AWS's"},
		"ahead":     {403, 2 * time.Hour, "", "Forbidden", "this clock is 2h0m0s ahead of AWS's"},
		"json":      {400, 6 * time.Minute, "InvalidSignatureException", "Signature not yet current", "this clock is 6m0s ahead"},
		"no match":  {403, 0, "InvalidSignatureException", "The request signature we calculated does not match", "the signature does not fit"},
		"expired":   {403, 0, "ExpiredTokenException", "The security token included in the request is expired", "the credentials have expired"},
		"unknown":   {403, 0, "UnrecognizedClientException", "x", "does not know this key"},
		"forbidden": {403, time.Minute, "AccessDeniedException", "User: x is not authorized", ""},
		"bad":       {400, time.Hour, "ValidationException", "x", ""},
		"late":      {403, 0, "", "Signature expired: but a minute later the clocks agree", "by AWS's clock"},
	} {
		var log bytes.Buffer
		s := New(Config{Service: Lambda, Source: keyed(testKey), Now: at(testDay), Log: slog.New(slog.NewTextHandler(&log, nil))})
		answer := lift.Response{Status: tt.status, Body: lift.BytesBody([]byte(tt.message)), Header: []lift.Field{
			{Name: "date", Value: testDay.Add(-tt.off).Format(http.TimeFormat)}, {Name: "x-amzn-ErrorType", Value: tt.kind},
		}}
		step := s.Heed(lift.RoundTripperFunc(func(*lift.Attempt) (*lift.Response, error) { a := answer; return &a, nil }))
		for range 2 {
			resp, err := step.RoundTrip(&lift.Attempt{})
			if content, _ := resp.Body.Complete(); err != nil || resp.Status != tt.status || string(content) != tt.message {
				t.Errorf("%s: the answer is not passed on: %v %v", name, resp, err)
			}
		}
		if lines := strings.Count(log.String(), "\n"); (tt.says == "") != (lines == 0) || lines > 1 || !strings.Contains(log.String(), tt.says) {
			t.Errorf("%s: log %q, want %q", name, log.String(), tt.says)
		}
	}
}

// Credentials that AWS calls expired are not signed with again.
func TestHeedRenews(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var f *fetched
		f = newFetched(func() (Credentials, error) { return f.hours(1) })
		s := New(Config{Service: Lambda, Region: "us-east-1", Source: f.Source, Now: f.now})
		step := s.Heed(lift.RoundTripperFunc(func(*lift.Attempt) (*lift.Response, error) {
			if err := s.Sign(t.Context(), request(t, "GET", "h", "/"), nil); err != nil {
				t.Error(err)
			}
			time.Sleep(time.Second) // on its way
			return &lift.Response{Status: 403, Header: []lift.Field{{Name: "X-Amzn-Errortype", Value: "ExpiredTokenException"}}, Body: lift.BytesBody(nil)}, nil
		}))
		if _, err := f.Credentials(t.Context()); err != nil {
			t.Fatal(err)
		}
		// Those that came while an attempt ran are not blamed for it.
		for call, asked := range []int32{1, 2, 2, 3} {
			if _, err := step.RoundTrip(&lift.Attempt{}); err != nil || f.asked.Load() != asked {
				t.Errorf("call %d: %v, asked %d times, want %d", call, err, f.asked.Load(), asked)
			}
		}
	})
}

func TestSecretsStayOut(t *testing.T) {
	c := Credentials{KeyID: "AKID", Secret: "hunter2", Token: "hunter3", Expires: testDay}
	var log bytes.Buffer
	slog.New(slog.NewJSONHandler(&log, nil)).Info("x", "c", c)
	for _, s := range []string{c.String(), fmt.Sprintf("%v %+v %#v %s %q %d", c, c, c, c, c, c), fmt.Sprintf("%+v", &c), fmt.Sprintf("%+v", struct{ C Credentials }{c}), log.String()} {
		if strings.Contains(s, "hunter") || !strings.Contains(s, "AKID") {
			t.Errorf("%q", s)
		}
	}
}

func FuzzSign(f *testing.F) {
	f.Add("/a/../b//%2F", "a=b+c&a&%20", "text/x", []byte("b"))
	f.Fuzz(func(t *testing.T, path, query, kind string, body []byte) {
		target := path
		if query != "" {
			target += "?" + query
		}
		u, err := url.ParseRequestURI(target)
		if err != nil || !strings.HasPrefix(path, "/") || u.RequestURI() != target || strings.ContainsFunc(target+kind, func(r rune) bool { return r <= ' ' || r > '~' }) {
			return // the transport refuses it
		}
		s := New(Config{Service: Lambda, Region: "us-east-1", Source: keyed(testKey), Now: at(testDay)})
		r := request(t, "POST", "h", target, "Content-Type", kind)
		if err := s.Sign(context.Background(), r, lift.BytesBody(body)); err != nil {
			if !errors.Is(err, lift.InvalidCall) {
				t.Fatal(err)
			}
			return
		}
		if refusal := verifier(Lambda, testKey).Verify(arrived(r), body); refusal != nil {
			t.Errorf("%q: %v", target, refusal)
		}
	})
}

func BenchmarkSign(b *testing.B) {
	s := New(Config{Service: ExecuteAPI, Region: "us-east-1", Source: keyed(testKey)})
	r := request(b, "POST", "abc.execute-api.us-east-1.amazonaws.com", "/prod/orders/17?x=1", "Content-Type", "application/json")
	body := lift.BytesBody(bytes.Repeat([]byte("x"), 1024))
	b.ReportAllocs()
	for b.Loop() {
		if err := s.Sign(b.Context(), r, body); err != nil {
			b.Fatal(err)
		}
	}
}
