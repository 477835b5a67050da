package wire_test

import (
	"testing"

	"github.com/liftmesh/lift/internal/wire"
)

func TestNetwork(t *testing.T) {
	for at, want := range map[string]string{
		"/tmp/lift/lift.sock": "unix", "lift.sock": "unix", "./a:1": "unix", "/a:1/b": "unix", "": "unix",
		"127.0.0.1:4141": "tcp", "[::1]:4141": "tcp", "localhost:4141": "tcp",
	} {
		if got := wire.Network(at); got != want {
			t.Errorf("%q is %s, want %s", at, got, want)
		}
	}
}
