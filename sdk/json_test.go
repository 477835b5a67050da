package sdk_test

import (
	"encoding/json"
	"errors"
	"math"
	"net/http"
	"strings"
	"testing"

	"github.com/liftmesh/lift"
	"github.com/liftmesh/lift/sdk"
)

type order struct {
	ID    int    `json:"id"`
	State string `json:"state,omitempty"`
}

func TestJSONCall(t *testing.T) {
	eng := newEngine(t, always(201, `{"id":7,"state":"new"}`))
	got, err := sdk.Post[order](t.Context(), sdk.New(eng), "orders", "/v1/orders?x=a%20b", order{ID: 7},
		sdk.Header("Idempotency-Key", "k1"), sdk.Tenant("acme"))
	if err != nil || got != (order{7, "new"}) {
		t.Fatalf("got %v, %v", got, err)
	}
	c := eng.last()
	content, _ := c.Body.Complete()
	if c.Service != "orders" || c.Method != "POST" || c.Path != "/v1/orders?x=a%20b" || string(content) != `{"id":7}` || c.Tenant != "acme" {
		t.Errorf("got %s %s%s %s, tenant %q", c.Method, c.Service, c.Path, content, c.Tenant)
	}
	for name, want := range map[string]string{"Content-Type": "application/json", "Accept": "application/json", "Idempotency-Key": "k1"} {
		if got := lift.Get(c.Header, name); got != want {
			t.Errorf("got %s %q, want %q", name, got, want)
		}
	}
	if !c.IsIdempotent() || !c.Replayable() {
		t.Error("a call with an Idempotency-Key cannot be sent again")
	}

	if _, err := sdk.Get[order](t.Context(), sdk.New(eng), "orders", "", sdk.Header("Accept", "application/vnd.order+json")); err != nil {
		t.Fatal(err)
	}
	c = eng.last()
	if c.Method != "GET" || c.Path != "/" || c.Body != nil || len(c.Header) != 1 || lift.Get(c.Header, "Accept") != "application/vnd.order+json" {
		t.Errorf("got %s %s, header %v", c.Method, c.Path, c.Header)
	}
}

func TestJSONAnswers(t *testing.T) {
	client := func(code int, body string, opts ...sdk.Option) *sdk.Client {
		return sdk.New(newEngine(t, always(code, body)), opts...)
	}
	if got, err := sdk.Get[order](t.Context(), client(204, ""), "orders", "/"); err != nil || got != (order{}) {
		t.Errorf("empty answer: %v, %v", got, err)
	}
	if _, err := sdk.Get[struct{}](t.Context(), client(200, "ok"), "orders", "/"); err != nil {
		t.Errorf("answer that nobody wants: %v", err)
	}
	if got, err := sdk.Get[json.RawMessage](t.Context(), client(200, "[1, 2]"), "orders", "/"); err != nil || string(got) != "[1, 2]" {
		t.Errorf("raw answer: %s, %v", got, err)
	}
	if got, err := sdk.Get[*order](t.Context(), client(200, `{"id":1}`), "orders", "/"); err != nil || got.ID != 1 {
		t.Errorf("pointer: %v, %v", got, err)
	}

	got, err := sdk.Get[order](t.Context(), client(200, `{"id":1,"state":7}`), "orders", "/a")
	if e := wantCode(t, err, lift.BadResponse); e.Reached != lift.Answered || got != (order{}) {
		t.Errorf("bad answer: got %v, %+v", got, e)
	}
	if _, ok := errors.AsType[*json.UnmarshalTypeError](err); !ok {
		t.Errorf("%v does not wrap what is wrong with the JSON", err)
	}

	_, err = sdk.Get[json.RawMessage](t.Context(), client(200, `"12345678"`, sdk.AnswerLimit(9)), "orders", "/")
	wantCode(t, err, lift.TooLarge)
	if _, err = sdk.Get[string](t.Context(), client(200, `"1234567"`, sdk.AnswerLimit(9)), "orders", "/"); err != nil {
		t.Errorf("an answer of just the limit: %v", err)
	}
}

func TestJSONCallsThatAreRefused(t *testing.T) {
	eng := newEngine(t, always(200, ""))
	client := sdk.New(eng)
	for name, call := range map[string]func() (order, error){
		"no service": func() (order, error) { return sdk.Get[order](t.Context(), client, "", "/") },
		"a URL":      func() (order, error) { return sdk.Get[order](t.Context(), client, "http://orders", "/") },
		"no slash":   func() (order, error) { return sdk.Get[order](t.Context(), client, "orders", "v1") },
		"unescaped":  func() (order, error) { return sdk.Get[order](t.Context(), client, "orders", "/a b") },
		"fragment":   func() (order, error) { return sdk.Get[order](t.Context(), client, "orders", "/a#b") },
		"method":     func() (order, error) { return sdk.JSON[order](t.Context(), client, "", "orders", "/", nil) },
		"no JSON":    func() (order, error) { return sdk.Post[order](t.Context(), client, "orders", "/", math.NaN()) },
		"header value": func() (order, error) {
			return sdk.Get[order](t.Context(), client, "orders", "/", sdk.Header("A", "\n"))
		},
		"header name": func() (order, error) { return sdk.Get[order](t.Context(), client, "orders", "/", sdk.Header("", "a")) },
	} {
		t.Run(name, func(t *testing.T) {
			_, err := call()
			wantCode(t, err, lift.InvalidCall)
		})
	}
	if calls, _ := eng.count(); calls != 0 {
		t.Errorf("%d calls were made", calls)
	}
}

func TestStatusError(t *testing.T) {
	long := strings.Repeat("x", 100_000)
	eng := newEngine(t, always(http.StatusConflict, long, lift.Field{Name: "retry-after", Value: "3"}))
	_, err := sdk.Get[order](t.Context(), sdk.New(eng), "orders", "/v1/orders?token=secret")
	e, ok := errors.AsType[*sdk.StatusError](err)
	if !ok {
		t.Fatalf("got %v (%T)", err, err)
	}
	if e.Service != "orders" || e.Status != 409 || e.Header.Get("Retry-After") != "3" || e.Path != "/v1/orders?token=secret" {
		t.Errorf("got %+v", e)
	}
	if len(e.Body) != 8<<10 {
		t.Errorf("kept %d bytes of the body", len(e.Body))
	}
	if got, want := err.Error(), "orders: GET /v1/orders: answered 409 Conflict"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}
