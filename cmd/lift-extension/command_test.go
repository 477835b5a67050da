package main

import (
	"bytes"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestCommands(t *testing.T) {
	dir := t.TempDir()
	socket, file := filepath.Join(dir, "lift.sock"), filepath.Join(dir, "lift.yaml")
	if err := os.WriteFile(file, []byte("socket: "+socket+"\nservices: {orders: {from: nowhere}}\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	p := build(parse(t, "socket: %q\n", socket), slog.New(slog.DiscardHandler))
	defer p.mesh.Close()
	api := p.api(0)
	server, err := api.listen()
	if err != nil {
		t.Fatal(err)
	}
	api.serve(t.Context(), server)
	byFile := map[string]string{"LIFT_CONFIG": file}
	bySocket := map[string]string{"LIFT_SOCKET": socket}
	check := func(args string, env map[string]string, code int, says string) {
		t.Helper()
		var out, problems bytes.Buffer
		got := command(strings.Fields(args), func(name string) (string, bool) { v, ok := env[name]; return v, ok }, &out, &problems)
		all := out.String() + problems.String()
		if got != code || !strings.Contains(all, says) || (code == 0) != (problems.Len() == 0) && !strings.Contains(args, "help") {
			t.Errorf("%s: code %d, want %d: %s", args, got, code, all)
		}
		if code == 1 && strings.Count(all, "\n") != 1 {
			t.Errorf("%s: not one line: %s", args, all)
		}
	}
	// A file that is broken elsewhere still says where to ask.
	check("health", byFile, 0, "serving")
	check("health", bySocket, 0, "serving")
	check("health --socket "+socket, nil, 0, "serving")
	check("health --live --timeout 5s --socket="+socket, nil, 0, "serving")
	server.Announce()
	check("health", byFile, 1, "shutting down")
	check("health --live", byFile, 0, "alive")
	server.Close()
	check("health --live", byFile, 1, "no sidecar answers at "+socket)
	check("health --socket 127.0.0.1:1", nil, 1, "no sidecar answers at 127.0.0.1:1")
	check("health now", nil, 2, `unexpected argument "now"`)
	check("health --help", nil, 0, "-timeout")
	check("health --quickly", nil, 2, "-quickly")
	check("version", nil, 0, "lift-extension ")
	check("--help", nil, 0, "lift-extension health")
	check("serve", nil, 2, `"serve" is not a command`)
}
