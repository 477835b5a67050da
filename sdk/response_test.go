package sdk_test

import (
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/liftmesh/lift"
	"github.com/liftmesh/lift/lifttest"
	"github.com/liftmesh/lift/sdk"
)

func TestVerbs(t *testing.T) {
	eng := newEngine(t, always(200, `{"id":7}`))
	client := sdk.New(eng)
	for method, call := range map[string]func() (order, error){
		"PUT":   func() (order, error) { return sdk.Put[order](t.Context(), client, "orders", "/7", order{ID: 7}) },
		"PATCH": func() (order, error) { return sdk.Patch[order](t.Context(), client, "orders", "/7", order{ID: 7}) },
		"DELETE": func() (order, error) {
			return sdk.Delete[order](t.Context(), client, "orders", "/7", sdk.Header("If-Match", "1"))
		},
	} {
		got, err := call()
		if err != nil || got.ID != 7 {
			t.Errorf("%s: got %v, %v", method, got, err)
		}
		c := eng.last()
		content, _ := c.Body.Complete()
		want := `{"id":7}`
		if method == "DELETE" {
			want = ""
		}
		if c.Method != method || c.Path != "/7" || string(content) != want || c.IsIdempotent() != (method != "PATCH") {
			t.Errorf("%s: got %s %s with %q, idempotent %v", method, c.Method, c.Path, content, c.IsIdempotent())
		}
	}
}

func TestResponseIn(t *testing.T) {
	var head sdk.Response
	etag := lift.Field{Name: "etag", Value: `"1"`}
	client := sdk.New(newEngine(t, always(201, `{"id":7}`, etag)))
	if _, err := sdk.Put[order](t.Context(), client, "orders", "/7", order{ID: 7}, sdk.ResponseIn(&head)); err != nil {
		t.Fatal(err)
	}
	if head.Status != 201 || head.Header.Get("ETag") != `"1"` || head.Trailer != nil {
		t.Errorf("got %+v", head)
	}

	client = sdk.New(newEngine(t, always(409, "", etag)))
	if _, err := sdk.Delete[struct{}](t.Context(), client, "orders", "/7", sdk.ResponseIn(&head)); err == nil || head.Status != 409 || head.Header.Get("ETag") != `"1"` {
		t.Errorf("got %+v, %v", head, err)
	}

	client = sdk.New(newEngine(t, always(200, "no JSON", etag)))
	if _, err := sdk.Get[order](sdk.With(t.Context(), sdk.ResponseIn(&head)), client, "orders", "/7"); err == nil || head.Status != 200 {
		t.Errorf("got %+v, %v", head, err)
	}

	// Nothing is left of the call before.
	for _, path := range []string{"/7", "no path"} {
		head = sdk.Response{Status: 200, Header: http.Header{"A": nil}}
		client = sdk.New(newEngine(t, func(c *lift.Call) (*lift.Response, error) { return nil, lift.Errorf(c, lift.AllOpen, "gone") }))
		if _, err := sdk.Get[order](t.Context(), client, "orders", path, sdk.ResponseIn(&head)); err == nil || head.Status != 0 || head.Header != nil {
			t.Errorf("got %+v, %v", head, err)
		}
	}

	client = sdk.New(newEngine(t, func(c *lift.Call) (*lift.Response, error) {
		out := stream(c)
		out.body.SetTrailer([]lift.Field{{Name: "x-sum", Value: "7"}})
		go func() { _, _ = io.WriteString(out, `{"id":7}`); _ = out.Close() }()
		return &lift.Response{Status: 200, Body: out.body}, nil
	}))
	if _, err := sdk.Get[order](t.Context(), client, "orders", "/7", sdk.ResponseIn(&head)); err != nil || head.Trailer.Get("X-Sum") != "7" {
		t.Errorf("got %+v, %v", head, err)
	}
}

func TestTooLargeNamesLimitSizeAndOption(t *testing.T) {
	long := strings.Repeat("x", 101)
	for name, tt := range map[string]struct {
		body func(c *lift.Call) *lift.Body
		says string
	}{
		"whole":    {func(*lift.Call) *lift.Body { return lift.BytesBody([]byte(long)) }, "GET /7 answered with 101 bytes"},
		"declared": {func(*lift.Call) *lift.Body { return lift.StreamBody(io.NopCloser(strings.NewReader(long)), 101, 0) }, "GET /7 answered with 101 bytes"},
		"stream":   {func(*lift.Call) *lift.Body { return lift.StreamBody(io.NopCloser(strings.NewReader(long)), -1, 0) }, "GET /7 answered with more than 100 bytes"},
	} {
		t.Run(name, func(t *testing.T) {
			eng := newEngine(t, func(c *lift.Call) (*lift.Response, error) {
				return &lift.Response{Status: 200, Body: tt.body(c)}, nil
			})
			_, err := sdk.Get[string](t.Context(), sdk.New(eng, sdk.AnswerLimit(100)), "orders", "/7?token=secret")
			e := wantCode(t, err, lift.TooLarge)
			for _, want := range []string{tt.says, "the limit is 100 bytes", "sdk.AnswerLimit", "client.HTTPClient()"} {
				if !strings.Contains(err.Error(), want) {
					t.Errorf("%v does not say %q", err, want)
				}
			}
			if e.Reached != lift.Answered || strings.Contains(err.Error(), "secret") {
				t.Errorf("got %v, %s", err, e.Reached)
			}
		})
	}
}

// A StatusError says who answered and why the attempts before did not, in process and
// over a session alike.
func TestStatusErrorTellsOfTheAttempts(t *testing.T) {
	for name, clientOf := range map[string]func(t *testing.T, m *lifttest.Mesh) *sdk.Client{
		"in process": func(_ *testing.T, m *lifttest.Mesh) *sdk.Client { return m.Client() },
		"over a session": func(t *testing.T, m *lifttest.Mesh) *sdk.Client {
			socket := t.TempDir() + "/s"
			serve(t, socket, m.Engine())
			return dial(t, "unix:"+socket)
		},
	} {
		t.Run(name, func(t *testing.T) {
			m := lifttest.New(t)
			orders := m.Service("orders", http.NotFoundHandler(), lifttest.Endpoints(3))
			for i := range 3 {
				orders.Endpoint(i).Break(lifttest.Status(503))
			}
			broken := m.Service("broken", http.NotFoundHandler(), lifttest.Endpoints(2))
			client := clientOf(t, m)
			_, err := sdk.Get[order](t.Context(), client, "orders", "/7?token=secret")
			said, ok := err.(*sdk.StatusError) //nolint:errorlint // it is what comes
			if !ok {
				t.Fatalf("got %v", err)
			}
			if n := len(said.Attempts); n != 3 || said.Endpoint != said.Attempts[2].Endpoint.Addr || said.Attempts[2].Status != 503 {
				t.Errorf("got %q after %+v", said.Endpoint, said.Attempts)
			}
			for _, want := range []string{"orders: GET /7: answered 503 Service Unavailable by orders-", " in attempt 3 (orders-", ": status 503; orders-"} {
				if !strings.Contains(err.Error(), want) {
					t.Errorf("%q does not say %q", err, want)
				}
			}

			for i := range 2 {
				broken.Endpoint(i).Break(lifttest.Reset().Times(1))
			}
			_, err = sdk.Get[order](t.Context(), client, "broken", "/7")
			if said, ok = err.(*sdk.StatusError); !ok || said.Status != 404 || len(said.Attempts) < 2 { //nolint:errorlint // it is what comes
				t.Fatalf("got %v", err)
			}
			if strings.Contains(err.Error(), "secret") || !strings.Contains(err.Error(), "answered 404 Not Found by broken-") || !strings.Contains(err.Error(), "connection closed") {
				t.Errorf("got %v", err)
			}
			t.Log(err)
		})
	}
}

func TestStatusErrorIsShort(t *testing.T) {
	e := &sdk.StatusError{Service: "orders", Method: "GET", Path: "/7", Status: 599, Endpoint: "10.0.0.9:80"}
	if got, want := e.Error(), "orders: GET /7: answered 599 by 10.0.0.9:80"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
	for range 40 {
		e.Attempts = append(e.Attempts, lift.AttemptRecord{Endpoint: lift.Endpoint{Addr: strings.Repeat("ä", 500)}, Outcome: lift.Failed, Err: lift.Errorf(&lift.Call{Service: "orders"}, lift.Unavailable, "%s", strings.Repeat("ü", 500))})
	}
	got := e.Error()
	if len(got) > 900 || strings.ToValidUTF8(got, "?") != got || !strings.Contains(got, "in attempt 40 (36 before; ä") || strings.Contains(got, "lift: orders: ") {
		t.Errorf("%d bytes: %s", len(got), got)
	}
}
