package invoke_test

import (
	"context"
	"encoding/json"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/liftmesh/lift"
	"github.com/liftmesh/lift/invoke"
	"github.com/liftmesh/lift/invoke/invoketest"
)

// returned calls a function that returns result.
func returned(t *testing.T, method, result string) (*lift.Attempt, *lift.Response) {
	t.Helper()
	api := &invoketest.API{}
	api.Put("orders", func(context.Context, []byte) ([]byte, string) { return []byte(result), "" })
	c := call(method, "/", nil)
	resp, err := step(t, "orders", invoke.HTTP, api).RoundTrip(c)
	if err != nil {
		t.Fatalf("%q: %v", result, err)
	}
	if lift.Get(resp.Header, "X-Amzn-Requestid") == "" || lift.Get(resp.Header, "X-Amz-Executed-Version") != "$LATEST" {
		t.Errorf("%q: %v", result, resp.Header)
	}
	return c, resp
}

// said joins the fields that the function's result gave, and the body.
func said(t *testing.T, resp *lift.Response) (header, body string) {
	t.Helper()
	var fields []string
	for _, f := range resp.Header {
		if f.Name != "X-Amzn-Requestid" && f.Name != "X-Amz-Executed-Version" {
			fields = append(fields, f.Name+": "+f.Value)
		}
	}
	content, whole := resp.Body.Complete()
	if !whole {
		t.Error("the body is still coming in")
	}
	return strings.Join(fields, "|"), string(content)
}

func TestResult(t *testing.T) {
	const typed = "Content-Type: application/json"
	for name, tt := range map[string]struct {
		method, result string
		status         int
		header, body   string
	}{
		"whole":        {"GET", `{"statusCode":201,"headers":{"content-type":"text/plain","X-N":7,"connection":"x","content-length":"99"},"cookies":["a=1","b=2"],"body":"hello"}`, 201, "Content-Type: text/plain|X-N: 7|Set-Cookie: a=1|Set-Cookie: b=2", "hello"},
		"status text":  {"GET", `{"statusCode":"404"}`, 404, typed, ""},
		"status float": {"GET", `{"statusCode":2.04e2}`, 204, typed, ""},
		"base64":       {"GET", `{"statusCode":200,"body":"/wA=","isBase64Encoded":true}`, 200, typed, "\xff\x00"},
		"body is JSON": {"GET", `{"statusCode":200,"body":{"a":1}}`, 200, typed, `{"a":1}`},
		"own 503":      {"GET", `{"statusCode":503,"body":"busy"}`, 503, typed, "busy"},
		"HEAD":         {"HEAD", `{"statusCode":200,"body":"x"}`, 200, typed, ""},
		"204":          {"GET", `{"statusCode":204,"body":"x"}`, 204, typed, ""},
		"nulls":        {"GET", `{"statusCode":200,"headers":null,"multiValueHeaders":null,"cookies":null,"body":null,"isBase64Encoded":null}`, 200, typed, ""},
		"unknown":      {"GET", `{"statusCode":200,"body":"x","reason":[{}]}`, 200, typed, "x"},

		// Members match exactly, as AWS's do; of two alike the last counts.
		"body, Body":      {"GET", `{"statusCode":200,"body":"right","Body":"wrong"}`, 200, typed, "right"},
		"Body, body":      {"GET", `{"Body":"wrong","statusCode":200,"body":"right"}`, 200, typed, "right"},
		"only Body":       {"GET", `{"statusCode":200,"Body":"x","Headers":["x"],"COOKIES":3,"isbase64encoded":"x"}`, 200, typed, ""},
		"two statusCodes": {"GET", `{"statusCode":"x","statusCode":201}`, 201, typed, ""},
		"two bodies":      {"GET", `{"body":"first","statusCode":200,"body":"last"}`, 200, typed, "last"},
		"two of headers":  {"GET", `{"statusCode":200,"headers":{"a":"1"},"headers":{"b":"2"}}`, 200, "B: 2|" + typed, ""},
		"an escaped name": {"GET", `{"status\u0043ode":201}`, 201, typed, ""},

		// Without a statusCode of its own it is content.
		"no statusCode":    {"GET", `{"message":"hi"}`, 200, typed, `{"message":"hi"}`},
		"a table":          {"GET", `{"headers":["id"],"rows":[]}`, 200, typed, `{"headers":["id"],"rows":[]}`},
		"biscuits":         {"GET", `{"cookies":3}`, 200, typed, `{"cookies":3}`},
		"statuscode":       {"GET", `{"statuscode":"x"}`, 200, typed, `{"statuscode":"x"}`},
		"StatusCode":       {"GET", `{"StatusCode":201,"Body":"x"}`, 200, typed, `{"StatusCode":201,"Body":"x"}`},
		"long s":           {"GET", `{"ſtatusCode":201}`, 200, typed, `{"ſtatusCode":201}`}, // folds to an s
		"deeper":           {"GET", `{"a":{"statusCode":201}}`, 200, typed, `{"a":{"statusCode":201}}`},
		"base64 only":      {"GET", `{"isBase64Encoded":"perhaps"}`, 200, typed, `{"isBase64Encoded":"perhaps"}`},
		"a text":           {"GET", `"hello"`, 200, typed, `hello`},
		"a text and space": {"GET", " \"h\\u00e9\" \n", 200, typed, `hé`},
		"null":             {"GET", `null`, 200, typed, `null`},
		"a list":           {"GET", ` [{"statusCode":201}]`, 200, typed, ` [{"statusCode":201}]`},
		"no text, HEAD":    {"HEAD", `{"a":1}`, 200, typed, ``},

		// Header fields.
		"many values":       {"GET", `{"statusCode":200,"multiValueHeaders":{"x":["1","2"]}}`, 200, "X: 1|X: 2|" + typed, ""},
		"in both":           {"GET", `{"statusCode":200,"headers":{"X":"2","y":"3"},"multiValueHeaders":{"x":["1","2"]}}`, 200, "X: 1|X: 2|Y: 3|" + typed, ""},
		"both differ":       {"GET", `{"statusCode":200,"headers":{"content-type":"text/plain"},"multiValueHeaders":{"Content-Type":["text/html"]}}`, 200, "Content-Type: text/html", ""},
		"none in the other": {"GET", `{"statusCode":200,"headers":{"x":"1","y":"1"},"multiValueHeaders":{"x":[],"y":null}}`, 200, "X: 1|Y: 1|" + typed, ""},
		"two spellings":     {"GET", `{"statusCode":200,"headers":{"x-a":"1","X-A":"2"}}`, 200, "X-A: 2|" + typed, ""},
		"the same twice":    {"GET", `{"statusCode":200,"headers":{"b":"1","a":"0","b":"2"}}`, 200, "A: 0|B: 2|" + typed, ""},
		"list of values":    {"GET", `{"statusCode":200,"headers":{"x":["1",2,true]}}`, 200, "X: 1|X: 2|X: true|" + typed, ""},
		"one of many":       {"GET", `{"statusCode":200,"multiValueHeaders":{"x":"1","n":2}}`, 200, "N: 2|X: 1|" + typed, ""},
		"no value":          {"GET", `{"statusCode":200,"headers":{"x":null,"y":[null],"z":"","w":[]}}`, 200, "Z: |" + typed, ""},
		"Latin-1 as text":   {"GET", `{"statusCode":200,"headers":{"x":"caf\u00e9"}}`, 200, "X: caf\xc3\xa9|" + typed, ""},
		"wider text":        {"GET", `{"statusCode":200,"headers":{"x":"5 €"}}`, 200, "X: 5 €|" + typed, ""},
		"cookie in both":    {"GET", `{"statusCode":200,"headers":{"set-cookie":"a=1"},"cookies":["b=2"]}`, 200, "Set-Cookie: a=1|" + "Set-Cookie: b=2|" + typed, ""},
	} {
		t.Run(name, func(t *testing.T) {
			c, resp := returned(t, tt.method, tt.result)
			if header, body := said(t, resp); resp.Status != tt.status || header != tt.header || body != tt.body || c.Status != tt.status {
				t.Errorf("%s:\ngot  %d %q %q, attempt %d\nwant %d %q %q", tt.result, resp.Status, header, body, c.Status, tt.status, tt.header, tt.body)
			}
		})
	}
}

// A malformed result is the function's own 502, which says what is wrong. The attempt
// went well: Lambda's API did its work.
func TestMalformedResult(t *testing.T) {
	for result, want := range map[string]string{
		`<html>`:               `it is not JSON`,
		``:                     `it is empty`,
		"{\"a\":\"caf\xe9\"}":  `it is not UTF-8`,
		`{"statusCode":200}{}`: `it is not JSON`,
		`{"statusCode":null}`:  `statusCode is null; want a whole number from 200 to 599`,
		`{"statusCode":101}`:   `statusCode is 101; want`,
		`{"statusCode":600}`:   `statusCode is 600; want`,
		`{"statusCode":200.5}`: `statusCode is 200.5; want`,
		`{"statusCode":1e400}`: `statusCode is 1e400; want`,
		`{"statusCode":"OK"}`:  `statusCode is \"OK\"; want`,
		`{"statusCode":"+20"}`: `statusCode is \"+20\"; want`,
		`{"statusCode":[200]}`: `statusCode is [200]; want`,
		`{"statusCode":true}`:  `statusCode is true; want`,
		`{"statusCode":200,"body":"*","isBase64Encoded":true}`:     `isBase64Encoded is true, but body is not base64`,
		`{"statusCode":200,"body":{"a":1},"isBase64Encoded":true}`: `isBase64Encoded is true, but body is not base64`,
		`{"statusCode":200,"isBase64Encoded":"true"}`:              `isBase64Encoded is \"true\"; want true or false`,
		`{"statusCode":200,"headers":[]}`:                          `headers is []; want an object`,
		`{"statusCode":200,"headers":"x"}`:                         `headers is \"x\"; want an object`,
		`{"statusCode":200,"multiValueHeaders":[1]}`:               `multiValueHeaders is [1]; want an object`,
		`{"statusCode":200,"headers":{"x":{"a":1}}}`:               `headers: x is {\"a\":1}; want a text, or a list of them`,
		`{"statusCode":200,"multiValueHeaders":{"x":[["a"]]}}`:     `multiValueHeaders: x is [\"a\"]; want a text, or a list of them`,
		`{"statusCode":200,"headers":{"a":"b\r\nc: d"}}`:           `headers: the value of a has control characters`,
		`{"statusCode":200,"headers":{"a b":"c"}}`:                 `headers: \"a b\" is not a field name`,
		`{"statusCode":200,"headers":{"":"c"}}`:                    `headers: \"\" is not a field name`,
		`{"statusCode":200,"headers":{"é":"c"}}`:                   `headers: \"é\" is not a field name`,
		`{"statusCode":200,"cookies":["b\nc"]}`:                    `cookies: the value of Set-Cookie has control characters`,
		`{"statusCode":200,"cookies":"a=1"}`:                       `cookies is \"a=1\"; want a list of texts`,
		`{"statusCode":200,"cookies":[1]}`:                         `cookies holds 1; want texts`,
		`{"statusCode":200,"cookies":{"a":"1"}}`:                   `cookies is {\"a\":\"1\"}; want a list of texts`,
	} {
		c, resp := returned(t, "GET", result)
		header, body := said(t, resp)
		if resp.Status != 502 || header != "Content-Type: application/json|X-Amz-Function-Error: MalformedResult" || c.Status != 200 || c.AttemptRecord.Err != nil {
			t.Errorf("%s: %d %q, attempt %+v", result, resp.Status, header, c.AttemptRecord)
		}
		var told struct{ ErrorType, ErrorMessage string }
		if err := json.Unmarshal([]byte(body), &told); err != nil || told.ErrorType != "MalformedResult" || !strings.Contains(body, want) || !strings.HasPrefix(told.ErrorMessage, "function orders returned a malformed HTTP response: ") {
			t.Errorf("%s: %v %s, want %s", result, err, body, want)
		}
	}
	if _, resp := returned(t, "HEAD", `{"statusCode":1}`); resp.Status != 502 {
		t.Errorf("HEAD: %d", resp.Status)
	} else if _, body := said(t, resp); body != "" {
		t.Errorf("HEAD has a body: %s", body)
	}
}

// Whatever a function returns, what leaves is one sound answer.
func FuzzResult(f *testing.F) {
	f.Add([]byte(`{"statusCode":200,"headers":{"a":"b"},"cookies":["c"],"body":"eA==","isBase64Encoded":true}`))
	f.Add([]byte(`"x"`))
	f.Add([]byte(`{"statusCode":"2e2","body":[1],"multiValueHeaders":{"a":[""]}}`))
	f.Add([]byte(`{"StatusCode":200,"statusCode":201,"statusCode":2.02e2,"headers":{"A":1,"a":[2,null]},"multiValueHeaders":{"a":["\u00e9"]}}`))
	f.Add([]byte("{\"statusCode\":200,\"headers\":{\"a\":\"\xe9\"}}"))
	f.Fuzz(func(t *testing.T, payload []byte) {
		if len(payload) > invoke.MaxPayload {
			return
		}
		c, resp := returned(t, "GET", string(payload))
		malformed := lift.Get(resp.Header, "X-Amz-Function-Error") == "MalformedResult"
		if resp.Status < 200 || resp.Status > 599 || malformed != (c.Status == 200 && resp.Status == 502) {
			t.Errorf("status %d, attempt %d, malformed %v", resp.Status, c.Status, malformed)
		}
		for _, h := range resp.Header {
			if h.Name == "" || strings.ContainsAny(h.Name+h.Value, "\r\n\x00") || strings.ContainsAny(h.Name, " :") || !utf8.ValidString(h.Value) {
				t.Errorf("field %q", h)
			}
		}
		// The exact member alone makes it an HTTP response.
		var members map[string]json.RawMessage
		err := json.Unmarshal(payload, &members)
		if _, own := members["statusCode"]; err == nil && !own && utf8.Valid(payload) {
			if _, body := said(t, resp); resp.Status != 200 || members != nil && body != string(payload) {
				t.Errorf("%q became %d %q", payload, resp.Status, body)
			}
		}
	})
}
