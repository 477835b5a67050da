package rpc_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"
	"google.golang.org/grpc/test/bufconn"

	"github.com/liftmesh/lift/cmd/lift/rpc"
	"github.com/liftmesh/lift/cmd/lift/rpctest"
)

func compiled(t testing.TB, file string) *rpc.Schema {
	t.Helper()
	s, err := rpc.Compile(context.Background(), []string{file}, nil)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// server returns a connection to a server of orders.v1.
func server(t *testing.T, r rpctest.Reflection) *grpc.ClientConn {
	t.Helper()
	l := bufconn.Listen(1 << 16)
	rpctest.Serve(t, l, compiled(t, rpctest.File(t)).Files(), r)
	conn, err := grpc.NewClient("passthrough:///orders", grpc.WithTransportCredentials(insecure.NewCredentials()),
		grpc.WithContextDialer(func(ctx context.Context, _ string) (net.Conn, error) { return l.DialContext(ctx) }))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close() })
	return conn
}

func within(t *testing.T) context.Context {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
	t.Cleanup(cancel)
	return ctx
}

func method(t testing.TB, s *rpc.Schema, name string) rpc.Method {
	t.Helper()
	m, err := s.Method("orders.v1.Orders/" + name)
	if err != nil {
		t.Fatal(err)
	}
	return m
}

const shipped = `{"id":"17","state":"shipped","placed":"2026-01-02T03:04:05Z"}`

func TestKindsOfMethods(t *testing.T) {
	conn := server(t, rpctest.V1)
	reflected, err := rpc.Reflect(within(t), conn, "orders.v1.Orders")
	if err != nil {
		t.Fatal(err)
	}
	for from, schema := range map[string]*rpc.Schema{"reflection": reflected, "file": compiled(t, rpctest.File(t))} {
		for _, test := range []struct{ method, in, out string }{
			{"Get", `{"id": "17"}`, shipped},
			{"Get", ` {"id": "17"}` + "\n", shipped},
			{"Get", `{"id":"1"}`, `{"id":"1","state":"shipped","placed":"2026-01-02T03:04:05Z"}`},
			{"Watch", `{"id":"17"}`, `{"id":"17","state":"placed"} {"id":"17","state":"packed"} {"id":"17","state":"shipped"}`},
			{"Put", `{"id":"1"} {"id":"2"}{"id":"3"}`, `{"count":3}`},
			{"Put", ``, `{}`},
			{"Check", `{"id":"1"}{"id":"2"}`, `{"id":"1","state":"checked"} {"id":"2","state":"checked"}`},
			{"Check", ``, ``},
		} {
			t.Run(fmt.Sprintf("%s/%s %s", from, test.method, test.in), func(t *testing.T) {
				var got []string
				ctx := metadata.AppendToOutgoingContext(within(t), "echo", "hello")
				reply, err := method(t, schema, test.method).Call(ctx, conn, strings.NewReader(test.in), func(line []byte) error {
					got = append(got, string(line))
					return nil
				})
				if err != nil || strings.Join(got, " ") != test.out {
					t.Errorf("got %v, %v", got, err)
				}
				if test.out != "" && fmt.Sprint(reply.Header["echo"], reply.Trailer["rows"]) != "[hello] [1]" {
					t.Errorf("header %v, trailer %v", reply.Header, reply.Trailer)
				}
			})
		}
	}
}

// Each answer is there as it comes, and a request goes out before the next one
// is known.
func TestConversation(t *testing.T) {
	conn := server(t, rpctest.V1)
	in, out := io.Pipe()
	answers := make(chan string, 1)
	go func() {
		for _, id := range []string{"1", "2"} {
			_, _ = fmt.Fprintf(out, `{"id":%q}`, id)
			<-answers
		}
		_ = out.Close()
	}()
	n := 0
	_, err := method(t, compiled(t, rpctest.File(t)), "Check").Call(within(t), conn, in, func(line []byte) error {
		n++
		answers <- string(line)
		return nil
	})
	if err != nil || n != 2 {
		t.Errorf("%d answers, %v", n, err)
	}
}

func TestWhatGoesWrong(t *testing.T) {
	conn := server(t, rpctest.V1)
	schema := compiled(t, rpctest.File(t))
	call := func(name, in string) error {
		_, err := method(t, schema, name).Call(within(t), conn, strings.NewReader(in), func([]byte) error { return nil })
		return err
	}
	for _, test := range []struct{ method, in, says string }{
		{"Get", `{`, "no JSON"},
		{"Get", `{"di":"17"}`, `no orders.v1.GetRequest`},
		{"Get", `{"id":"1"} {"id":"2"}`, "takes one message"},
		{"Watch", `[]`, `no orders.v1.GetRequest`},
		{"Put", `{"id":"1"} nonsense`, "no JSON"},
		{"Check", `{"id":"1"} {"id":1}`, "no orders.v1.Order"},
	} {
		err := call(test.method, test.in)
		if _, ok := errors.AsType[rpc.RequestError](err); !ok || !strings.Contains(err.Error(), test.says) {
			t.Errorf("%s %s: %v, want a RequestError that says %q", test.method, test.in, err, test.says)
		}
	}
	get := method(t, schema, "Get")
	for id, want := range map[string]string{
		"x":  `{"@type":"type.googleapis.com/google.rpc.ErrorInfo","reason":"NO_ORDER","domain":"orders"}`,
		"-1": `{"@type":"type.googleapis.com/secret.v1.Thing","value":"AQI="}`,
	} {
		s := status.Convert(call("Get", fmt.Sprintf(`{"id":%q}`, id)))
		if details := get.Details(s); len(details) != 1 || string(details[0]) != want {
			t.Errorf("id %s: %v with the details %s", id, s, details)
		}
	}
	gone := errors.New("nobody reads any more")
	if _, err := method(t, schema, "Watch").Call(within(t), conn, strings.NewReader(`{"id":"endless"}`), func([]byte) error { return gone }); !errors.Is(err, gone) {
		t.Errorf("a reader that is gone: %v", err)
	}
}

func TestSchema(t *testing.T) {
	for name, r := range map[string]rpctest.Reflection{"v1": rpctest.V1, "v1alpha": rpctest.V1Alpha} {
		schema, err := rpc.Reflect(within(t), server(t, r), "")
		if err != nil {
			t.Fatal(name, err)
		}
		var all []string
		for _, m := range schema.Methods() {
			all = append(all, m.String())
		}
		want := []string{
			"orders.v1.Orders/Get(orders.v1.GetRequest) returns (orders.v1.Order)",
			"orders.v1.Orders/Watch(orders.v1.GetRequest) returns (stream orders.v1.Order)",
			"orders.v1.Orders/Put(stream orders.v1.Order) returns (orders.v1.PutResponse)",
			"orders.v1.Orders/Check(stream orders.v1.Order) returns (stream orders.v1.Order)",
		}
		if got := strings.Join(all, "\n"); !strings.Contains(got, strings.Join(want, "\n")) {
			t.Errorf("%s: got\n%s", name, got)
		}
		for method, says := range map[string]string{
			"orders.v1.Orders/Got": "has no method Got; it has: Get, Watch, Put, Check",
			"orders.v1.Nothing/X":  "there is no service orders.v1.Nothing; there are: grpc.reflection." + name + ".ServerReflection, orders.v1.Orders",
			"orders.v1.Orders":     "want package.Service/Method",
			"orders.v1.Order/Get":  "there is no service",
		} {
			if _, err := schema.Method(method); err == nil || !strings.Contains(err.Error(), says) {
				t.Errorf("%s: %v, want %q", method, err, says)
			}
		}
	}
	if _, err := rpc.Reflect(within(t), server(t, rpctest.None), ""); status.Code(err) != codes.Unimplemented {
		t.Errorf("without reflection: %v", err)
	}
}

func TestTemplate(t *testing.T) {
	got, err := method(t, compiled(t, rpctest.File(t)), "Put").Template()
	if want := `{"id":"","state":"","placed":null,"items":[],"gift":{"sku":"","count":0}}`; err != nil || string(got) != want {
		t.Errorf("got %s, %v, want %s", got, err, want)
	}
}

func TestCompile(t *testing.T) {
	dir := t.TempDir()
	for name, text := range map[string]string{
		"a/v1/a.proto":   `syntax = "proto3"; package a.v1; import "b/v1/b.proto"; service A { rpc Do(b.v1.B) returns (b.v1.B); }`,
		"b/v1/b.proto":   `syntax = "proto3"; package b.v1; message B { string s = 1; }`,
		"bad/bad.proto":  "syntax = \"proto3\";\nmessage M {\n  strin s = 1;\n}\n",
		"bad/lost.proto": `syntax = "proto3"; import "nowhere.proto";`,
	} {
		path := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	for _, file := range []string{filepath.Join(dir, "a", "v1", "a.proto"), "a/v1/a.proto"} {
		s, err := rpc.Compile(t.Context(), []string{file}, []string{dir})
		if err != nil || len(s.Methods()) != 1 {
			t.Errorf("%s: %v", file, err)
		}
	}
	for file, says := range map[string]string{"bad/bad.proto": "bad.proto:3:3: ", "bad/lost.proto": "nowhere.proto", "none.proto": "none.proto"} {
		if _, err := rpc.Compile(t.Context(), []string{filepath.Join(dir, file)}, nil); err == nil || !strings.Contains(err.Error(), says) {
			t.Errorf("%s: %v, want %q", file, err, says)
		}
	}
}

// Whatever is written as a request, the answer is a request or a RequestError,
// and what was taken is sent as it was written.
func FuzzRequest(f *testing.F) {
	for _, seed := range []string{`{"id":"17"}`, `{"id":"1"}{"id":"2"}`, `{"items":[{"sku":"a","count":1}]}`, `{`, `[]`, `{"placed":"2026-01-02T03:04:05Z"}`, "\xff"} {
		f.Add(seed)
	}
	dir := f.TempDir()
	file := filepath.Join(dir, "orders.proto")
	if err := os.WriteFile(file, rpctest.Proto, 0o600); err != nil {
		f.Fatal(err)
	}
	m := method(f, compiled(f, file), "Check")
	f.Fuzz(func(t *testing.T, in string) {
		_, err := m.Call(t.Context(), deaf{}, strings.NewReader(in), func([]byte) error { return nil })
		if _, ok := errors.AsType[rpc.RequestError](err); err != nil && !ok {
			t.Error(err)
		}
	})
}

// deaf takes requests until they end.
type deaf struct{ grpc.ClientConnInterface }

func (deaf) NewStream(ctx context.Context, _ *grpc.StreamDesc, _ string, _ ...grpc.CallOption) (grpc.ClientStream, error) {
	return &deafStream{ctx: ctx, closed: make(chan struct{})}, nil
}

type deafStream struct {
	grpc.ClientStream
	ctx    context.Context
	closed chan struct{}
}

func (s *deafStream) SendMsg(any) error { return nil }
func (s *deafStream) CloseSend() error  { close(s.closed); return nil }
func (s *deafStream) RecvMsg(any) error {
	select {
	case <-s.closed:
		return io.EOF
	case <-s.ctx.Done():
		return s.ctx.Err()
	}
}
func (s *deafStream) Header() (metadata.MD, error) { return nil, nil }
func (s *deafStream) Trailer() metadata.MD         { return nil }
