package sdk_test

import (
	"context"
	"errors"
	"go/ast"
	"go/parser"
	gotoken "go/token"
	"io"
	"net/http"
	"os"
	"strings"
	"testing"

	"google.golang.org/grpc/codes"
	healthpb "google.golang.org/grpc/health/grpc_health_v1"
	"google.golang.org/grpc/status"

	"github.com/liftmesh/lift"
	"github.com/liftmesh/lift/registry"
	"github.com/liftmesh/lift/sdk"
)

// entry is one exported entry of the package, called with what may be nil.
type entry func(ctx context.Context, c *sdk.Client) error

// entries are all of them that take a context or a client; a second error, where a
// client or context comes back, is that of a call made with it.
func entries() map[string]entry {
	return map[string]entry{
		"Get": func(ctx context.Context, c *sdk.Client) error {
			_, err := sdk.Get[string](ctx, c, "orders", "/")
			return err
		},
		"Post": func(ctx context.Context, c *sdk.Client) error {
			_, err := sdk.Post[string](ctx, c, "orders", "/", 1)
			return err
		},
		"Put": func(ctx context.Context, c *sdk.Client) error {
			_, err := sdk.Put[string](ctx, c, "orders", "/", 1)
			return err
		},
		"Patch": func(ctx context.Context, c *sdk.Client) error {
			_, err := sdk.Patch[string](ctx, c, "orders", "/", 1)
			return err
		},
		"Delete": func(ctx context.Context, c *sdk.Client) error {
			_, err := sdk.Delete[string](ctx, c, "orders", "/")
			return err
		},
		"JSON": func(ctx context.Context, c *sdk.Client) error {
			_, err := sdk.JSON[string](ctx, c, "POST", "orders", "/", 1)
			return err
		},
		"With": func(ctx context.Context, c *sdk.Client) error {
			_, err := sdk.Get[string](sdk.With(ctx, sdk.Tenant("a")), c, "orders", "/")
			return err
		},
		"Client.Invocation": func(ctx context.Context, c *sdk.Client) error {
			ctx, done := c.Invocation(ctx, sdk.Invocation{ID: "r1"})
			defer done()
			_, err := sdk.Get[string](ctx, c, "orders", "/")
			return err
		},
		"Client.Transport": func(ctx context.Context, c *sdk.Client) error {
			req, err := http.NewRequestWithContext(sdk.With(ctx), http.MethodPost, "http://orders/", strings.NewReader("x"))
			if err != nil {
				return err
			}
			_, err = c.Transport().RoundTrip(req)
			return err
		},
		"Client.HTTPClient": func(ctx context.Context, c *sdk.Client) error {
			req, err := http.NewRequestWithContext(sdk.With(ctx), http.MethodGet, "http://orders/", nil)
			if err != nil {
				return err
			}
			_, err = c.HTTPClient().Do(req)
			return err
		},
		"Client.Conn": func(ctx context.Context, c *sdk.Client) error {
			stub := healthpb.NewHealthClient(c.Conn("orders"))
			_, err := stub.Check(ctx, &healthpb.HealthCheckRequest{})
			_, other := stub.Watch(ctx, &healthpb.HealthCheckRequest{}) // the stub sends at once
			if (err == nil) != (other == nil) {
				return errors.New("a unary call and a stream differ")
			}
			return err
		},
		"Client.Services":   func(ctx context.Context, c *sdk.Client) error { _, err := c.Services(ctx); return err },
		"Client.Register":   func(ctx context.Context, c *sdk.Client) error { return c.Register(ctx, registry.Instance{}) },
		"Client.Deregister": func(ctx context.Context, c *sdk.Client) error { return c.Deregister(ctx, "a") },
	}
}

// refused checks that err is a sentence of Lift's, to be found by errors.As.
func refused(t *testing.T, err error, code lift.Code, says string) {
	t.Helper()
	if e := wantCode(t, err, code); !strings.Contains(e.Error(), says) || e.Reached != lift.NotReached {
		t.Errorf("got %v (%s), want %q", e, e.Reached, says)
	}
}

func TestWhatIsNilIsToldOf(t *testing.T) {
	var none context.Context
	good := sdk.New(newEngine(t, always(200, `""`)))
	for name, call := range entries() {
		t.Run(name, func(t *testing.T) {
			refused(t, call(none, good), lift.InvalidCall, "the context is nil; pass")
			refused(t, call(t.Context(), nil), lift.Misconfigured, "the client is nil; make one with sdk.Dial")
			refused(t, call(t.Context(), &sdk.Client{}), lift.Misconfigured, "zero sdk.Client")
			refused(t, call(t.Context(), sdk.New(nil)), lift.Misconfigured, "sdk.New was given a nil caller")
			refused(t, call(t.Context(), sdk.New(newEngine(t, nil), nil, sdk.AnswerLimit(1))), lift.Misconfigured, "option 1 of 2 of the client is nil")
			refused(t, call(t.Context(), sdk.New(newEngine(t, nil), sdk.Clock(nil))), lift.Misconfigured, "sdk.Clock was given a nil function")
			refused(t, call(none, nil), lift.Misconfigured, "the client is nil")
		})
	}
}

// An entry that is added is added above as well.
func TestEveryEntryIsTriedWithNil(t *testing.T) {
	tried := entries()
	for _, other := range []string{ // take neither context nor client, or have a test of their own below
		"New", "Dial", "Client.Close", "AnswerLimit", "Clock", "Direct", "Header", "HashKey", "Idempotent", "NotIdempotent",
		"RecordIn", "ResponseIn", "Tenant", "Timeout",
	} {
		tried[other] = nil
	}
	files, err := os.ReadDir(".")
	if err != nil {
		t.Fatal(err)
	}
	for _, file := range files {
		if !strings.HasSuffix(file.Name(), ".go") || strings.HasSuffix(file.Name(), "_test.go") {
			continue
		}
		parsed, err := parser.ParseFile(gotoken.NewFileSet(), file.Name(), nil, parser.SkipObjectResolution)
		if err != nil {
			t.Fatal(err)
		}
		for _, d := range parsed.Decls {
			f, ok := d.(*ast.FuncDecl)
			if !ok || !f.Name.IsExported() {
				continue
			}
			name := f.Name.Name
			if f.Recv != nil {
				star, _ := f.Recv.List[0].Type.(*ast.StarExpr)
				if star == nil {
					continue
				}
				if of, _ := star.X.(*ast.Ident); of == nil || of.Name != "Client" {
					continue
				}
				name = "Client." + name
			}
			if _, ok := tried[name]; !ok {
				t.Errorf("%s is not tried with a nil context and client: add it to entries", name)
			}
		}
	}
}

func TestNilOptionOfACall(t *testing.T) {
	client := sdk.New(newEngine(t, always(200, `""`)))
	_, err := sdk.Get[string](t.Context(), client, "orders", "/", sdk.Tenant("a"), nil)
	refused(t, err, lift.InvalidCall, "option 2 of 2 of the call is nil; leave it out")
	ctx := sdk.With(t.Context(), nil)
	_, err = client.HTTPClient().Do(get(ctx, "http://orders/"))
	refused(t, err, lift.InvalidCall, "option 1 of 1 of the call is nil")
	stub := healthpb.NewHealthClient(client.Conn("orders"))
	_, err = stub.Check(ctx, &healthpb.HealthCheckRequest{})
	refused(t, err, lift.InvalidCall, "option 1 of 1 of the call is nil")

	if _, err := stub.Check(t.Context(), &healthpb.HealthCheckRequest{}, nil); status.Code(err) != codes.InvalidArgument || !strings.Contains(err.Error(), "a grpc.CallOption is nil") {
		t.Errorf("got %v", err)
	}
	_, err = client.Conn("orders").NewStream(t.Context(), nil, "/a/b")
	refused(t, err, lift.InvalidCall, "the description of the stream is nil")
	if err := client.Conn("orders").Invoke(t.Context(), "/a/b", nil, nil); status.Code(err) != codes.Internal || !strings.Contains(err.Error(), "cannot be encoded") {
		t.Errorf("got %v", err)
	}

	// What asks for nothing by a nil pointer gets nothing.
	if _, err := sdk.Get[string](t.Context(), client, "orders", "/", sdk.RecordIn(nil), sdk.ResponseIn(nil)); err != nil {
		t.Error(err)
	}
}

func TestNilRequest(t *testing.T) {
	_, err := sdk.New(newEngine(t, nil)).Transport().RoundTrip(nil)
	refused(t, err, lift.InvalidCall, "the request is nil")

	body := &tracked{Reader: strings.NewReader("x")}
	var nobody *sdk.Client
	req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, "http://orders/", io.NopCloser(body))
	if err != nil {
		t.Fatal(err)
	}
	req.Body = body
	_, err = nobody.Transport().RoundTrip(req)
	refused(t, err, lift.Misconfigured, "the client is nil")
	if !body.isClosed() {
		t.Error("the body of the request that was not sent is not closed")
	}
}

func TestCloseOfNoClient(t *testing.T) {
	var none *sdk.Client
	refused(t, none.Close(), lift.Misconfigured, "the client is nil")
	if err := (&sdk.Client{}).Close(); err != nil {
		t.Error(err)
	}
}

func TestDialTellsWhatIsNotAnAddress(t *testing.T) {
	for _, tt := range []struct{ at, env, says string }{
		{"http://127.0.0.1:4141", "", `sdk.Dial: "http://127.0.0.1:4141" is a URL; want the path of the sidecar's unix socket, such as "/tmp/lift/lift.sock"`},
		{"unix:", "", "names no socket"},
		{"127.0.0.1:http", "", "not a number from 1 to 65535"},
		{"/" + strings.Repeat("x", 107), "", "has 108 bytes, and the system takes 107"},
		{"", "tcp://127.0.0.1:4141", `sdk.Dial with $LIFT_SOCKET: "tcp://127.0.0.1:4141" is a URL`},
	} {
		t.Setenv("LIFT_SOCKET", tt.env)
		_, err := sdk.Dial(tt.at)
		refused(t, err, lift.Misconfigured, tt.says)
	}
	_, err := sdk.Dial("/tmp/lift/lift.sock", nil)
	refused(t, err, lift.Misconfigured, "option 1 of 1 of the client is nil")
}
