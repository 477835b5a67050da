package invoke_test

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/liftmesh/lift"
	"github.com/liftmesh/lift/auth/sigv4/sigv4test"
	"github.com/liftmesh/lift/invoke"
	"github.com/liftmesh/lift/invoke/invoketest"
)

// to is the way to an API in the same process.
func to(h http.Handler) lift.RoundTripper {
	return lift.RoundTripperFunc(func(a *lift.Attempt) (*lift.Response, error) {
		r, err := a.Body.Reader()
		if err != nil {
			return nil, err
		}
		req := httptest.NewRequest(a.Method, a.Path, r)
		for _, f := range a.Header {
			req.Header.Add(f.Name, f.Value)
		}
		w := httptest.NewRecorder()
		h.ServeHTTP(w, req)
		resp := &lift.Response{Status: w.Code, Body: lift.StreamBody(io.NopCloser(w.Body), -1, 0)}
		for name, values := range w.Header() {
			resp.Header = append(resp.Header, lift.Field{Name: name, Value: values[0]})
		}
		a.Status, a.Reached = w.Code, lift.Answered
		return resp, nil
	})
}

func call(method, path string, body []byte, header ...string) *lift.Attempt {
	c := &lift.Call{Service: "orders", Method: method, Path: path}
	if body != nil {
		c.Body = lift.BytesBody(body)
	}
	for i := 0; i < len(header); i += 2 {
		c.Header = append(c.Header, lift.Field{Name: header[i], Value: header[i+1]})
	}
	return c.NewAttempt(lift.AttemptRecord{})
}

func at() lift.Instant {
	return lift.Instant{Wall: time.Date(2026, 3, 12, 19, 3, 58, 390e6, time.UTC)}
}

func step(t *testing.T, name string, p invoke.Payload, api *invoketest.API) lift.RoundTripper {
	t.Helper()
	f, err := invoke.ParseFunction(name)
	if err != nil {
		t.Fatal(err)
	}
	return invoke.Step(invoke.Config{Function: f, Payload: p, Now: at, Rand: func() uint64 { return 7 }})(to(api))
}

func TestEvent(t *testing.T) {
	var got []byte
	api := &invoketest.API{}
	api.Put("orders:live", func(_ context.Context, payload []byte) ([]byte, string) {
		got = payload
		return []byte(`{"statusCode":204}`), ""
	})
	c := call("POST", "/a%20b/c?x=1&y=%26+z&x=2&&e", []byte(`{"a":"<b>"}`), "Content-Type", "application/json", "Cookie", "a=1; b=2", "cookie", "c=3", "X-Two", "1", "x-two", "2",
		"Connection", "x", "Transfer-Encoding", "chunked", "Host", "evil", "User-Agent", "test", "X-Amzn-Trace-Id", "Root=1")
	path, header, body := c.Path, slices.Clone(c.Header), c.Body
	if _, err := step(t, "orders:live", invoke.HTTP, api).RoundTrip(c); err != nil {
		t.Fatal(err)
	}
	const want = `{"version":"2.0","routeKey":"$default","rawPath":"/a%20b/c","rawQueryString":"x=1&y=%26+z&x=2&&e","cookies":["a=1","b=2","c=3"],` +
		`"headers":{"content-length":"11","content-type":"application/json","host":"orders","user-agent":"test","x-amzn-trace-id":"Root=1","x-two":"1,2"},` +
		`"queryStringParameters":{"e":"","x":"1,2","y":"& z"},"requestContext":{"accountId":"anonymous","apiId":"lift","domainName":"orders","domainPrefix":"orders",` +
		`"http":{"method":"POST","path":"/a%20b/c","protocol":"HTTP/1.1","sourceIp":"127.0.0.1","userAgent":"test"},"requestId":"00000000000000070000000000000007","routeKey":"$default","stage":"$default",` +
		`"time":"12/Mar/2026:19:03:58 +0000","timeEpoch":1773342238390},"body":"{\"a\":\"<b>\"}","isBase64Encoded":false}`
	if string(got) != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
	if c := c.Call; c.Method != "POST" || c.Path != path || !slices.Equal(c.Header, header) || c.Body != body || c.Idempotent != lift.ByMethod {
		t.Errorf("the call is not as it was: %s %s", c.Method, c.Path)
	}
	for name, tt := range map[string]struct {
		c    *lift.Attempt
		want string
	}{
		"empty":      {call("", "", nil), `"rawPath":"/","rawQueryString":"","headers":{"host":"orders"},"requestContext"`},
		"get":        {call("", "", nil), `"method":"GET"`},
		"no body":    {call("GET", "/", nil), `"timeEpoch":1773342238390},"isBase64Encoded":false}`},
		"binary":     {call("PUT", "/", []byte{0xff, 0}), `"body":"/wA=","isBase64Encoded":true`},
		"compressed": {call("PUT", "/", []byte("x"), "Content-Encoding", "br"), `"body":"eA==","isBase64Encoded":true`},
		"query":      {call("GET", "/?%zz=1", nil), `"rawQueryString":"%zz=1"`},
		"UTF-8":      {call("GET", "/", nil, "X-A", "caf\xc3\xa9"), `"x-a":"café"`},
		"Latin-1":    {call("GET", "/", nil, "X-A", "caf\xe9", "Cookie", "a=\xe9", "User-Agent", "\xfc"), `"cookies":["a=é"],"headers":{"host":"orders","user-agent":"ü","x-a":"café"}`},
		"each":       {call("GET", "/", nil, "X-A", "caf\xe9", "X-A", "5 €"), `"x-a":"café,5 €"`},
	} {
		if _, err := step(t, "orders:live", invoke.HTTP, api).RoundTrip(tt.c); err != nil || !strings.Contains(string(got), tt.want) {
			t.Errorf("%s: %v %s, want %s", name, err, got, tt.want)
		}
	}
}

func TestRaw(t *testing.T) {
	api := &invoketest.API{}
	api.Put("orders", func(_ context.Context, payload []byte) ([]byte, string) {
		return append([]byte(`{"got":`), append(append([]byte{}, payload...), '}')...), ""
	})
	resp, err := step(t, "orders", invoke.Raw, api).RoundTrip(call("POST", "/ignored", []byte(`[1]`)))
	if err != nil {
		t.Fatal(err)
	}
	if content, _ := resp.Body.Complete(); resp.Status != 200 || string(content) != `{"got":[1]}` || lift.Get(resp.Header, "Content-Type") != "application/json" {
		t.Errorf("%d %s %v", resp.Status, content, resp.Header)
	}
	if _, err := step(t, "orders", invoke.Raw, api).RoundTrip(call("POST", "/", []byte(`a=b`))); lift.CodeOf(err) != lift.InvalidCall {
		t.Error(err)
	}
}

// A function that failed has answered: nothing is repeated, nobody is to blame.
func TestFunctionError(t *testing.T) {
	api := &invoketest.API{}
	api.Put("orders", func(context.Context, []byte) ([]byte, string) { return []byte(`{"errorMessage":"boom"}`), "Unhandled" })
	c := call("GET", "/", nil)
	resp, err := step(t, "orders", invoke.HTTP, api).RoundTrip(c)
	if err != nil {
		t.Fatal(err)
	}
	if content, _ := resp.Body.Complete(); resp.Status != 502 || lift.Get(resp.Header, "X-Amz-Function-Error") != "Unhandled" || string(content) != `{"errorMessage":"boom"}` || c.Status != 200 {
		t.Errorf("%d %v %s, attempt %d", resp.Status, resp.Header, content, c.Status)
	}
	if resp, err = step(t, "orders", invoke.HTTP, api).RoundTrip(call("HEAD", "/", nil)); err != nil {
		t.Fatal(err)
	}
	if content, _ := resp.Body.Complete(); resp.Status != 502 || len(content) > 0 {
		t.Errorf("HEAD: %d %s", resp.Status, content)
	}
}

func TestRefusals(t *testing.T) {
	for name, tt := range map[string]struct {
		status        int
		kind, message string
		passed        int // status of an answer
		code          lift.Code
		says          string
		reached       lift.Reached
	}{
		"throttled":  {429, "TooManyRequestsException", "Rate Exceeded.", 429, "", "", lift.NotReached},
		"broken":     {500, "ServiceException", "x", 500, "", "", lift.Answered},
		"no room":    {502, "EC2ThrottledException", "x", 502, "", "", lift.NotReached},
		"missing":    {404, "ResourceNotFoundException:http://x", "Function not found: arn:x", 0, lift.Misconfigured, "function orders:live: lambda answers 404 ResourceNotFoundException: Function not found: arn:x; is its name right", lift.NotReached},
		"denied":     {403, "AccessDeniedException", "User: x is not authorized", 0, lift.Misconfigured, "allow the role lambda:InvokeFunction", lift.NotReached},
		"signature":  {403, "InvalidSignatureException", "x", 0, lift.Misconfigured, "the log says", lift.NotReached},
		"too large":  {413, "RequestTooLargeException", "x", 0, lift.TooLarge, "413", lift.NotReached},
		"no JSON":    {400, "InvalidRequestContentException", "Could not parse request body into json", 0, lift.InvalidCall, "Could not parse", lift.NotReached},
		"parameter":  {400, "InvalidParameterValueException", "", 0, lift.Misconfigured, "no reason given; see the function's settings", lift.NotReached},
		"in the way": {409, "ResourceConflictException", "Pending", 0, lift.Misconfigured, "see its State", lift.NotReached},
	} {
		h := http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Retry-After", "1")
			sigv4test.Refuse(w, tt.status, tt.kind, tt.message)
		})
		c := call("POST", "/", nil)
		resp, err := invoke.Step(invoke.Config{Function: invoke.Function{Name: "orders", Qualifier: "live"}})(to(h)).RoundTrip(c)
		switch {
		case tt.passed != 0:
			if err != nil || resp.Status != tt.passed || lift.Get(resp.Header, "Retry-After") != "1" || lift.Get(resp.Header, "X-Amzn-Errortype") != tt.kind {
				t.Errorf("%s: %v %v", name, resp, err)
			}
		case lift.CodeOf(err) != tt.code || !strings.Contains(err.Error(), tt.says):
			t.Errorf("%s: %v", name, err)
		}
		if c.Reached != tt.reached {
			t.Errorf("%s: reached %v", name, c.Reached)
		}
	}
}

func TestLimits(t *testing.T) {
	api := &invoketest.API{}
	api.Put("orders", func(context.Context, []byte) ([]byte, string) {
		return bytes.Repeat([]byte(" "), invoke.MaxPayload+2<<10), ""
	})
	_, err := step(t, "orders", invoke.HTTP, api).RoundTrip(call("POST", "/", bytes.Repeat([]byte("x"), invoke.MaxPayload)))
	if lift.CodeOf(err) != lift.TooLarge || api.Runs() != 0 || !strings.Contains(err.Error(), "Lambda takes 6291456") {
		t.Error(err)
	}
	if _, err = step(t, "orders", invoke.HTTP, api).RoundTrip(call("POST", "/", nil)); lift.CodeOf(err) != lift.BadResponse {
		t.Error(err)
	}
}

// What is sent is a POST; whether it may be sent twice goes by what was asked.
func TestIdempotence(t *testing.T) {
	for method, want := range map[string]bool{"GET": true, "POST": false, "PUT": true} {
		c := call(method, "/", nil)
		sent := false
		_, _ = invoke.Step(invoke.Config{Function: invoke.Function{Name: "f"}})(lift.RoundTripperFunc(func(a *lift.Attempt) (*lift.Response, error) {
			sent = a.IsIdempotent()
			return nil, a.Errorf(lift.Unavailable, "x")
		})).RoundTrip(c)
		if sent != want || c.Call.IsIdempotent() != want {
			t.Errorf("%s: %v", method, sent)
		}
	}
}

func TestNoUpgrade(t *testing.T) {
	c := call("GET", "/", nil)
	c.Upgrade = "websocket"
	if _, err := step(t, "orders", invoke.HTTP, &invoketest.API{}).RoundTrip(c); lift.CodeOf(err) != lift.InvalidCall {
		t.Error(err)
	}
}

func TestParseFunction(t *testing.T) {
	for s, want := range map[string]string{
		"orders": "orders||", "orders:live": "orders|live|", "orders:7": "orders|7|", "orders:$LATEST": "orders|$LATEST|",
		"123456789012:function:orders": "123456789012:function:orders||", "123456789012:function:orders:live": "123456789012:function:orders|live|",
		"arn:aws:lambda:eu-west-1:123456789012:function:orders":            "arn:aws:lambda:eu-west-1:123456789012:function:orders||eu-west-1",
		"arn:aws-cn:lambda:cn-north-1:123456789012:function:orders:live_2": "arn:aws-cn:lambda:cn-north-1:123456789012:function:orders|live_2|cn-north-1",
		"": "", ":": "", "a:b:c": "", "arn:aws:s3:::x": "", "arn:aws:lambda:eu-west-1:1:function:orders": "", "orders:$X": "", "orders:$": "", "orders:": "", "a/b": "", "a?b": "", "orders:a:b": "",
		"arn:aws:lambda:eu-west-1:123456789012:function:orders:live:x": "", "arn:aws:lambda:eu-west-1:123456789012:layer:orders": "", "arn": "arn||", strings.Repeat("a", 65): "",
	} {
		f, err := invoke.ParseFunction(s)
		if got := f.Name + "|" + f.Qualifier + "|" + f.Region; want != "" && (err != nil || got != want || f.String() != s) || want == "" && err == nil {
			t.Errorf("%q: %q %v", s, got, err)
		}
	}
}

// Whatever is asked, the event is JSON that says the same.
func FuzzEvent(f *testing.F) {
	f.Add("/a?b=c&d", "X-A", "b", []byte("body"))
	f.Fuzz(func(t *testing.T, path, name, value string, body []byte) {
		api := &invoketest.API{}
		var got struct {
			RawPath, RawQueryString, Body string
			IsBase64Encoded               bool
		}
		api.Put("orders", func(_ context.Context, payload []byte) ([]byte, string) {
			if err := json.Unmarshal(payload, &got); err != nil {
				t.Errorf("%v: %s", err, payload)
			}
			return []byte("{}"), ""
		})
		if _, err := invoke.Step(invoke.Config{Function: invoke.Function{Name: "orders"}})(to(api)).RoundTrip(call("POST", path, body, name, value)); err != nil {
			t.Fatal(err)
		}
		if _, err := url.ParseRequestURI(path); err == nil && !got.IsBase64Encoded && got.Body != string(body) {
			t.Errorf("body %q, want %q", got.Body, body)
		}
	})
}

func BenchmarkStep(b *testing.B) {
	answer := []byte(`{"statusCode":200,"headers":{"content-type":"application/json"},"body":"{\"id\":17}"}`)
	s := invoke.Step(invoke.Config{Function: invoke.Function{Name: "orders"}})(lift.RoundTripperFunc(func(*lift.Attempt) (*lift.Response, error) {
		return &lift.Response{Status: 200, Body: lift.BytesBody(answer)}, nil
	}))
	c := call("POST", "/orders/17?x=1", bytes.Repeat([]byte("x"), 1024), "Content-Type", "application/json")
	b.ReportAllocs()
	for b.Loop() {
		if _, err := s.RoundTrip(c); err != nil {
			b.Fatal(err)
		}
	}
}
