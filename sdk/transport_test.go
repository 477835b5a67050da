package sdk_test

import (
	"context"
	"errors"
	"io"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"

	"github.com/liftmesh/lift"
	"github.com/liftmesh/lift/sdk"
)

func TestRequestArrivesAsItWasWritten(t *testing.T) {
	tests := []struct {
		name, method, url string
		header            http.Header
		body              io.Reader
		service, path     string
		want              []lift.Field
		wantBody          string
		size              int64
	}{
		{name: "plain", method: "GET", url: "http://orders/v1/orders/7", service: "orders", path: "/v1/orders/7"},
		{name: "no path", method: "GET", url: "http://orders", service: "orders", path: "/"},
		{name: "only a query", method: "GET", url: "http://orders?x=1", service: "orders", path: "/?x=1"},
		{name: "escapes stay", method: "GET", url: "http://orders/a%2Fb?x=1%202&y=%2f", service: "orders", path: "/a%2Fb?x=1%202&y=%2f"},
		{name: "empty query stays", method: "GET", url: "http://orders/a?", service: "orders", path: "/a?"},
		{name: "dots and doubled slashes stay", method: "GET", url: "http://orders//a/../b", service: "orders", path: "//a/../b"},
		{name: "fragment stays at home", method: "GET", url: "http://orders/a#b", service: "orders", path: "/a"},
		{name: "port 80", method: "GET", url: "http://orders:80/a", service: "orders", path: "/a"},
		{name: "dotted name", method: "DELETE", url: "http://orders.eu-west_1/a", service: "orders.eu-west_1", path: "/a"},
		{
			name: "short body", method: "POST", url: "http://orders/", body: strings.NewReader("hello"),
			service: "orders", path: "/", wantBody: "hello", size: 5,
		},
		{
			name: "streamed body", method: "PUT", url: "http://orders/", body: io.MultiReader(strings.NewReader("hel"), strings.NewReader("lo")),
			service: "orders", path: "/", wantBody: "hello", size: -1,
		},
		{
			name: "large body", method: "POST", url: "http://orders/", body: strings.NewReader(strings.Repeat("x", 200_000)),
			service: "orders", path: "/", wantBody: strings.Repeat("x", 200_000), size: 200_000,
		},
		{
			name: "header, less what is for one hop", method: "GET", url: "http://orders/",
			header: http.Header{
				"X-A": {"1", "2"}, "Te": {"trailers"}, "Connection": {"close, X-Hop"}, "X-Hop": {"1"},
				"Keep-Alive": {"5"}, "Transfer-Encoding": {"chunked"}, "Host": {"other"}, "Content-Length": {"9"},
			},
			service: "orders", path: "/", want: []lift.Field{{Name: "Te", Value: "trailers"}, {Name: "X-A", Value: "1"}, {Name: "X-A", Value: "2"}},
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			var body string
			eng := newEngine(t, func(c *lift.Call) (*lift.Response, error) {
				b, err := c.Body.ReadAll(0)
				body = string(b)
				return ok(""), err
			})
			req, err := http.NewRequestWithContext(t.Context(), tt.method, tt.url, tt.body)
			if err != nil {
				t.Fatal(err)
			}
			maps.Copy(req.Header, tt.header)
			resp, err := sdk.New(eng).HTTPClient().Do(req)
			if err != nil {
				t.Fatal(err)
			}
			_ = resp.Body.Close()
			c := eng.last()
			if c.Service != tt.service || c.Method != tt.method || c.Path != tt.path {
				t.Errorf("got %s %s %s, want %s %s %s", c.Method, c.Service, c.Path, tt.method, tt.service, tt.path)
			}
			slices.SortFunc(c.Header, func(a, b lift.Field) int { return strings.Compare(a.Name+a.Value, b.Name+b.Value) })
			if !slices.Equal(c.Header, tt.want) {
				t.Errorf("got header %v, want %v", c.Header, tt.want)
			}
			if body != tt.wantBody || c.Body.Size() != tt.size {
				t.Errorf("got body of %d bytes, size %d; want %d, %d", len(body), c.Body.Size(), len(tt.wantBody), tt.size)
			}
			if c.Began.IsZero() {
				t.Error("Began is not set")
			}
		})
	}
}

func TestRequestsThatAreRefused(t *testing.T) {
	tests := []struct {
		name string
		edit func(*http.Request)
		want string
	}{
		{"https", func(r *http.Request) { r.URL.Scheme = "https" }, "write http://orders"},
		{"other scheme", func(r *http.Request) { r.URL.Scheme = "ftp" }, `scheme "ftp"`},
		{"no service", func(r *http.Request) { r.URL.Host = "" }, "names no service"},
		{"no URL", func(r *http.Request) { r.URL = nil }, "no URL"},
		{"port", func(r *http.Request) { r.URL.Host = "orders:8080" }, "names port 8080"},
		{"bad port", func(r *http.Request) { r.URL.Host = "orders:abc" }, "not the name of a service"},
		{"credentials", func(r *http.Request) { r.URL.User = url.UserPassword("me", "secret") }, "credentials"},
		{"space in the name", func(r *http.Request) { r.URL.Host = "or ders" }, "not the name of a service"},
		{"space in the query", func(r *http.Request) { r.URL.RawQuery = "a=b c" }, "unescaped ' '"},
		{"line break in the query", func(r *http.Request) { r.URL.RawQuery = "a=b\r\nX: y" }, `unescaped '\r'`},
		{"opaque URL", func(r *http.Request) { r.URL.Opaque = "//else/where" }, "does not start with a slash"},
		{"CONNECT", func(r *http.Request) { r.Method = "CONNECT" }, "CONNECT"},
		{"bad method", func(r *http.Request) { r.Method = "GE T" }, `"GE T"`},
		{"bad field name", func(r *http.Request) { r.Header = http.Header{"a b": {"x"}} }, `"a b"`},
		{"line break in a value", func(r *http.Request) { r.Header = http.Header{"A": {"sec\nret"}} }, "field A"},
		{"body too short", func(r *http.Request) { r.ContentLength = 9 }, "shorter than its declared length of 9"},
		{"body too long", func(r *http.Request) { r.ContentLength = 2 }, "longer than its declared length of 2"},
		{"upgrade", func(r *http.Request) { r.Header.Set("Upgrade", "websocket") }, `upgrade to "websocket"`},
		{"bad option", func(r *http.Request) { *r = *r.WithContext(sdk.With(r.Context(), sdk.Header("X", "a\x00"))) }, "field X"},
		{"option for one hop", func(r *http.Request) { *r = *r.WithContext(sdk.With(r.Context(), sdk.Header("host", "a"))) }, "host"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			eng := newEngine(t, always(200, ""))
			body := &tracked{Reader: strings.NewReader("hello")}
			req, _ := http.NewRequestWithContext(t.Context(), "POST", "http://orders/a", body)
			req.ContentLength = 5
			req.GetBody = func() (io.ReadCloser, error) { return io.NopCloser(strings.NewReader("hello")), nil }
			tt.edit(req)
			resp, err := sdk.New(eng).Transport().RoundTrip(req)
			if err == nil {
				_ = resp.Body.Close()
				t.Fatal("the request was not refused")
			}
			wantCode(t, err, lift.InvalidCall)
			if !strings.Contains(err.Error(), tt.want) || strings.Contains(err.Error(), "ret\"") || strings.Contains(err.Error(), "secret") {
				t.Errorf("got %q, want it to say %q and no secret", err, tt.want)
			}
			if calls, _ := eng.count(); calls != 0 {
				t.Error("the call was made")
			}
			if !body.isClosed() {
				t.Error("the request's body was not closed")
			}
		})
	}
}

func TestErrorsKeepTheirKind(t *testing.T) {
	eng := newEngine(t, func(c *lift.Call) (*lift.Response, error) {
		return nil, lift.Errorf(c, lift.AllOpen, "all 3 endpoints are open")
	})
	resp, err := sdk.New(eng).HTTPClient().Get("http://orders/a")
	if err == nil {
		_ = resp.Body.Close()
	}
	if _, ok := errors.AsType[*url.Error](err); !ok {
		t.Fatalf("got %T, want a *url.Error", err)
	}
	if e := wantCode(t, err, lift.AllOpen); e.Service != "orders" {
		t.Errorf("got service %q", e.Service)
	}

	foreign := newEngine(t, func(*lift.Call) (*lift.Response, error) { return nil, io.ErrClosedPipe })
	_, err = sdk.New(foreign).Transport().RoundTrip(get(t.Context(), "http://orders/"))
	wantCode(t, err, lift.Internal)
	if !errors.Is(err, io.ErrClosedPipe) {
		t.Errorf("%v does not wrap its cause", err)
	}
}

// A fault of an engine in process is an error, and nothing of the call stays behind.
func TestFaultInTheEngineIsContained(t *testing.T) {
	eng := newEngine(t, func(*lift.Call) (*lift.Response, error) {
		var nobody *lift.Call
		return nil, errors.New(nobody.Path) //nolint:govet // this nil dereference is the fault to contain
	})
	body := &tracked{Reader: strings.NewReader("hello")}
	req, _ := http.NewRequestWithContext(t.Context(), http.MethodPost, "http://orders/", body)
	_, err := sdk.New(eng).Transport().RoundTrip(req)
	if wantCode(t, err, lift.Internal); !strings.Contains(err.Error(), "nil pointer") || !strings.Contains(err.Error(), "transport_test.go:") {
		t.Errorf("%v does not say what and where", err)
	}
	if !body.isClosed() {
		t.Error("the request's body was not closed")
	}
}

func TestResponseHead(t *testing.T) {
	eng := newEngine(t, always(404, "no", lift.Field{Name: "x-a", Value: "1"}, lift.Field{Name: "X-A", Value: "2"}, lift.Field{Name: "trailer", Value: "grpc-status"}))
	resp, err := sdk.New(eng).HTTPClient().Get("http://orders/")
	if err != nil {
		t.Fatal(err)
	}
	if _, ended := eng.count(); ended != 1 {
		t.Error("an answer that is all here keeps its call open")
	}
	if got := readAll(t, resp.Body); got != "no" || resp.StatusCode != 404 || resp.Status != "404 Not Found" || resp.ContentLength != 2 {
		t.Errorf("got %q %d %q length %d", got, resp.StatusCode, resp.Status, resp.ContentLength)
	}
	if got := resp.Header["X-A"]; !slices.Equal(got, []string{"1", "2"}) {
		t.Errorf("got X-A %v", got)
	}
	if _, announced := resp.Trailer["Grpc-Status"]; !announced || resp.Header.Get("Trailer") != "" {
		t.Errorf("got trailer %v, header %v", resp.Trailer, resp.Header)
	}
	_ = resp.Body.Close()

	head := newEngine(t, always(200, "", lift.Field{Name: "content-length", Value: "77"}))
	resp, err = sdk.New(head).HTTPClient().Head("http://orders/")
	if err != nil {
		t.Fatal(err)
	}
	_ = resp.Body.Close()
	if resp.ContentLength != 77 {
		t.Errorf("HEAD: got length %d, want 77", resp.ContentLength)
	}
}

func TestOptionsReachTheCall(t *testing.T) {
	eng := newEngine(t, always(200, ""))
	ctx := sdk.With(t.Context(), sdk.Tenant("outer"), sdk.Header("X-A", "option"), sdk.Header("X-B", "1"))
	ctx = sdk.With(ctx, sdk.Tenant("acme"), sdk.HashKey("k"), sdk.NotIdempotent(), sdk.Timeout(7e9), sdk.Header("x-b", "2"))
	req := get(ctx, "http://orders/")
	req.Header.Set("X-A", "own")
	resp, err := sdk.New(eng).HTTPClient().Do(req)
	if err != nil {
		t.Fatal(err)
	}
	_ = resp.Body.Close()
	c := eng.last()
	if c.Tenant != "acme" || c.HashKey != "k" || c.Idempotent != lift.NotIdempotent || c.Timeout != 7e9 {
		t.Errorf("got %+v", c)
	}
	if a, b := lift.Get(c.Header, "X-A"), lift.Get(c.Header, "X-B"); a != "own" || b != "2" || len(c.Header) != 2 {
		t.Errorf("got header %v", c.Header)
	}
}

func get(ctx context.Context, url string) *http.Request {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		panic(err)
	}
	return req
}
