//go:build e2e && linux

package e2e_test

import (
	"context"
	"errors"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/encoding/gzip"
	"google.golang.org/grpc/health"
	healthpb "google.golang.org/grpc/health/grpc_health_v1"
	"google.golang.org/grpc/interop/grpc_testing"
	"google.golang.org/grpc/metadata"
	reflectionpb "google.golang.org/grpc/reflection/grpc_reflection_v1"
	"google.golang.org/grpc/status"

	"github.com/liftmesh/lift"
	"github.com/liftmesh/lift/cmd/lift/rpc"
	"github.com/liftmesh/lift/cmd/lift/rpctest"
)

const (
	grpcioVersion      = "1.85.1"
	grpcJSVersion      = "1.14.7"
	protoLoaderVersion = "0.8.1"
)

// stubChecks are what a client in any language has to see.
func stubChecks() []string {
	return []string{
		"unary", "server stream", "client stream", "both ways", "metadata", "status", "status details", "compression",
		"deadline at the instance", "deadline", "cancellation", "unknown service", "by its own address", "an instance that goes away",
	}
}

// stubWorld is orders.v1.Orders at two instances, and a door to them.
type stubWorld struct {
	*plainSidecar
	instances []*grpc.Server
}

func startStubs(t *testing.T) *stubWorld {
	t.Helper()
	schema, err := rpc.Compile(context.Background(), []string{rpctest.File(t)}, nil)
	if err != nil {
		t.Fatal(err)
	}
	w := &stubWorld{}
	var addrs []string
	for range 2 {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		addrs = append(addrs, l.Addr().String())
		h := health.NewServer() // what no other answers
		h.SetServingStatus("orders.v1.Orders", healthpb.HealthCheckResponse_NOT_SERVING)
		w.instances = append(w.instances, rpctest.Serve(t, l, schema.Files(), rpctest.V1, func(s *grpc.Server) { healthpb.RegisterHealthServer(s, h) }))
	}
	w.plainSidecar = startPlain(t, "services: {orders: {from: static, protocol: grpc, timeout: 20s, endpoints: "+endpoints(addrs...)+"}}\n")
	return w
}

// run runs a client, and takes an instance away in the middle of its calls.
func (w *stubWorld) run(t *testing.T, env []string, path string, args ...string) {
	t.Helper()
	c := startChild(t, env, path, args...)
	waitFor(t, "the client has come to its last calls", func() bool {
		return c.out.has("leave") || !c.running()
	})
	go w.instances[0].GracefulStop() // GOAWAY
	if code := c.exited(t); code != 0 {
		t.Errorf("exit code %d", code)
	}
	out := c.out.String()
	for _, check := range stubChecks() {
		if !strings.Contains(out, "ok "+check+"\n") && !strings.HasSuffix(out, "ok "+check) {
			t.Errorf("%s is not ok", check)
		}
	}
	// What a client gave up has ended at the instances too.
	client := w.dial(t)
	waitFor(t, "nothing is in flight", func() bool {
		services, err := client.Services(within(t, patience), "orders")
		return err == nil && !slices.ContainsFunc(services[0].Endpoints, func(e lift.EndpointStatus) bool { return e.InFlight > 0 })
	})
}

// Stubs that protoc has made for Python, with grpcio as it is.
func TestStubsOfPython(t *testing.T) {
	t.Parallel()
	python, err := installPython("grpcio@"+grpcioVersion, "grpcio=="+grpcioVersion, "grpcio-tools=="+grpcioVersion)
	if errors.Is(err, errNoPython) {
		t.Skip(err)
	}
	if err != nil {
		t.Fatal(err)
	}
	w := startStubs(t)
	dir := t.TempDir()
	if err := command(python, "-m", "grpc_tools.protoc", "-I", filepath.Dir(rpctest.File(t)), "--python_out", dir, "--grpc_python_out", dir, "orders.proto"); err != nil {
		t.Fatal(err)
	}
	w.run(t, []string{"PYTHONPATH=" + dir, "PYTHONDONTWRITEBYTECODE=1"}, python, "stubs/client.py", "unix:"+w.socket, w.own)
}

// Stubs that Node makes of the .proto file, with @grpc/grpc-js as it is.
func TestStubsOfNode(t *testing.T) {
	t.Parallel()
	node, modules, err := installNode("grpc-js@"+grpcJSVersion, "@grpc/grpc-js@"+grpcJSVersion, "@grpc/proto-loader@"+protoLoaderVersion)
	if errors.Is(err, errNoNode) {
		t.Skip(err)
	}
	if err != nil {
		t.Fatal(err)
	}
	w := startStubs(t)
	w.run(t, []string{"NODE_PATH=" + modules}, node, "stubs/client.js", rpctest.File(t), "unix:"+w.socket, w.own)
}

// A Go program's own ClientConn and generated stubs, by the door and not by the SDK,
// while one of two instances is killed.
func TestStubsOfGo(t *testing.T) {
	t.Parallel()
	a, kill := startTalker(t)
	b, _ := startTalker(t)
	p := startPlain(t, "services: {orders: {from: static, protocol: grpc, timeout: 20s, endpoints: "+endpoints(a, b)+"}}\n")
	stub := grpc_testing.NewTestServiceClient(p.conn(t))
	ctx := metadata.AppendToOutgoingContext(within(t, patience), "lift-idempotent", "true")
	in := &grpc_testing.SimpleRequest{Payload: &grpc_testing.Payload{Body: make([]byte, 100_000)}}
	for n := range 60 {
		if n == 20 {
			kill()
		}
		if got, err := stub.UnaryCall(ctx, in, grpc.UseCompressor(gzip.Name)); err != nil || len(got.GetPayload().GetBody()) != 100_000 {
			t.Fatalf("call %d: %v", n, err)
		}
	}
	stream, err := stub.FullDuplexCall(ctx)
	if err != nil {
		t.Fatal(err)
	}
	for n := range 5 {
		if err := stream.Send(&grpc_testing.StreamingOutputCallRequest{Payload: &grpc_testing.Payload{Body: make([]byte, n)}}); err != nil {
			t.Fatal(err)
		}
		if got, err := stream.Recv(); err != nil || len(got.GetPayload().GetBody()) != n {
			t.Fatalf("%d bytes: %v", n, err)
		}
	}
	_ = stream.CloseSend()
	if _, err := stream.Recv(); status.Code(err) != codes.OutOfRange || status.Convert(err).Message() != "that was all" {
		t.Errorf("at the end: %v", err)
	}
}

// Health and reflection by a service's name are the service's own.
func TestStubsOfHealthAndReflection(t *testing.T) {
	t.Parallel()
	conn := startStubs(t).conn(t)
	ctx := within(t, patience)
	stream, err := reflectionpb.NewServerReflectionClient(conn).ServerReflectionInfo(ctx)
	if err != nil {
		t.Fatal(err)
	}
	if err := stream.Send(&reflectionpb.ServerReflectionRequest{MessageRequest: &reflectionpb.ServerReflectionRequest_ListServices{}}); err != nil {
		t.Fatal(err)
	}
	if answer, err := stream.Recv(); err != nil || !strings.Contains(answer.String(), "orders.v1.Orders") {
		t.Errorf("reflection: %v, %v", answer, err)
	}
	_ = stream.CloseSend()
	if got, err := healthpb.NewHealthClient(conn).Check(ctx, &healthpb.HealthCheckRequest{Service: "orders.v1.Orders"}); err != nil || got.GetStatus() != healthpb.HealthCheckResponse_NOT_SERVING {
		t.Errorf("health: %v, %v", got, err)
	}
}

// conn is gRPC's own connection to orders by the door.
func (p *plainSidecar) conn(t *testing.T) *grpc.ClientConn {
	t.Helper()
	conn, err := grpc.NewClient("unix:"+p.socket, grpc.WithAuthority("orders"), grpc.WithTransportCredentials(insecure.NewCredentials()))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close() })
	return conn
}

// The programs of docs/grpc.md print what the page says.
func TestStubsOfTheDocs(t *testing.T) {
	t.Parallel()
	page, err := os.ReadFile("../docs/grpc.md")
	if err != nil {
		t.Fatal(err)
	}
	for language, start := range map[string]func(dir, file string) (*exec.Cmd, error){
		"python": func(dir, file string) (*exec.Cmd, error) {
			python, err := installPython("grpcio@"+grpcioVersion, "grpcio=="+grpcioVersion, "grpcio-tools=="+grpcioVersion)
			if err == nil {
				err = command(python, "-m", "grpc_tools.protoc", "-I", dir, "--python_out", dir, "--grpc_python_out", dir, "orders.proto")
			}
			return exec.Command(python, file), err
		},
		"js": func(_, file string) (*exec.Cmd, error) {
			node, modules, err := installNode("grpc-js@"+grpcJSVersion, "@grpc/grpc-js@"+grpcJSVersion, "@grpc/proto-loader@"+protoLoaderVersion)
			cmd := exec.Command(node, file)
			cmd.Env = append(os.Environ(), "NODE_PATH="+modules)
			return cmd, err
		},
	} {
		t.Run(language, func(t *testing.T) {
			t.Parallel()
			program, prints := snippet(t, string(page), language)
			w := startStubs(t)
			dir := filepath.Dir(rpctest.File(t))
			file := filepath.Join(dir, "program."+language)
			write(t, file, strings.ReplaceAll(program, "/tmp/lift/plain.sock", w.socket))
			cmd, err := start(dir, file)
			if errors.Is(err, errNoPython) || errors.Is(err, errNoNode) {
				t.Skip(err)
			}
			if err != nil {
				t.Fatal(err)
			}
			cmd.Dir = dir
			if out, err := cmd.CombinedOutput(); err != nil || string(out) != prints {
				t.Errorf("%v: it prints\n%s\nand the page says\n%s", err, out, prints)
			}
		})
	}
}

// snippet is the page's program in a language, and what the page says that it
// prints.
func snippet(t *testing.T, page, language string) (program, prints string) {
	t.Helper()
	_, rest, ok := strings.Cut(page, "```"+language+"\n")
	program, rest, ok2 := strings.Cut(rest, "```\n")
	_, rest, ok3 := strings.Cut(rest, "```text\n")
	prints, _, ok4 := strings.Cut(rest, "```\n")
	if !ok || !ok2 || !ok3 || !ok4 {
		t.Fatalf("the page has no program in %s with what it prints", language)
	}
	return program, prints
}
