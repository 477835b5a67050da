package main

import (
	"net"
	"os"
	"path/filepath"
	"testing"

	"github.com/liftmesh/lift/cmd/lift/rpc"
	"github.com/liftmesh/lift/cmd/lift/rpctest"
	"github.com/liftmesh/lift/config"
	"github.com/liftmesh/lift/mesh"
)

// meshed starts a sidecar with a real data plane as the text of a lift.yaml says,
// and returns its socket.
func meshed(t *testing.T, text string) string {
	t.Helper()
	file := filepath.Join(t.TempDir(), "lift.yaml")
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	cfg, problems := config.Load(file, nothing)
	if len(problems) > 0 {
		t.Fatal(problems)
	}
	m := mesh.New(mesh.Options{Services: cfg.Services})
	t.Cleanup(m.Close)
	return serving(t, m)
}

// grpcServer starts a server of orders.v1 and returns its address.
func grpcServer(t *testing.T, r rpctest.Reflection) string {
	t.Helper()
	schema, err := rpc.Compile(t.Context(), []string{rpctest.File(t)}, nil)
	if err != nil {
		t.Fatal(err)
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	rpctest.Serve(t, l, schema.Files(), r)
	return l.Addr().String()
}
