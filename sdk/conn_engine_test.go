package sdk_test

import (
	"context"
	"net"
	"testing"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/test/bufconn"

	"github.com/liftmesh/lift"
	lines "github.com/liftmesh/lift/internal/session"
	"github.com/liftmesh/lift/mesh"
	"github.com/liftmesh/lift/registry/static"
	"github.com/liftmesh/lift/sidecar"
	"github.com/liftmesh/lift/transport"
)

// served returns the mesh itself over one gRPC server, with a connection in
// memory. Both end with the test.
func served(t *testing.T, srv *grpc.Server) *mesh.Mesh {
	l := bufconn.Listen(64 << 10)
	go func() { _ = srv.Serve(l) }()
	m := mesh.New(mesh.Options{
		Dial: func(ctx context.Context, _, _ string) (net.Conn, error) { return l.DialContext(ctx) },
		Services: []mesh.ServiceConfig{{
			Name: "orders", Registry: static.New([]lift.Endpoint{{Addr: "10.0.0.1:80"}}),
			Timeout: time.Hour, AttemptTimeout: time.Hour, Transport: transport.Config{Protocol: transport.GRPC},
		}},
	})
	t.Cleanup(func() {
		m.Close()
		srv.Stop()
	})
	return m
}

// overSession returns a session to a sidecar whose calls eng takes, over a
// connection in memory.
func overSession(t *testing.T, eng lift.Caller) *lines.Client {
	l := bufconn.Listen(64 << 10)
	srv, err := sidecar.On(l, sidecar.Config{Caller: eng})
	if err != nil {
		t.Fatal(err)
	}
	served := make(chan error, 1)
	go func() { served <- srv.Serve(context.Background()) }()
	client, err := lines.Dial("", lines.Options{
		Grace: 25 * time.Millisecond, Dial: func(ctx context.Context) (net.Conn, error) { return l.DialContext(ctx) },
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = client.Close()
		srv.Close()
		if err := <-served; err != nil {
			t.Error(err)
		}
	})
	return client
}
