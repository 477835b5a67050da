package wire_test

import (
	"strings"
	"testing"

	"github.com/liftmesh/lift/internal/wire"
)

func TestAddress(t *testing.T) {
	long := "/tmp/" + strings.Repeat("x", 103)
	for _, tt := range []struct{ at, network, addr, says string }{
		{"/tmp/lift/lift.sock", "unix", "/tmp/lift/lift.sock", ""},
		{"lift.sock", "unix", "lift.sock", ""},
		{"./a:1", "unix", "./a:1", ""},
		{"/a:1/b", "unix", "/a:1/b", ""},
		{"@lift", "unix", "@lift", ""}, // abstract
		{"unix:/tmp/lift/lift.sock", "unix", "/tmp/lift/lift.sock", ""},
		{"unix:///tmp/lift/lift.sock", "unix", "/tmp/lift/lift.sock", ""},
		{"unix:lift.sock", "unix", "lift.sock", ""},
		{"unix:a:1", "unix", "a:1", ""},
		{"127.0.0.1:4141", "tcp", "127.0.0.1:4141", ""},
		{"[::1]:4141", "tcp", "[::1]:4141", ""},
		{"localhost:4141", "tcp", "localhost:4141", ""},
		{long[:107], "unix", long[:107], ""},

		{"", "", "", "names no socket"},
		{"unix:", "", "", "names no socket"},
		{"unix://", "", "", "no path after unix://"},
		{"unix://lift.sock", "", "", "no path after unix://"},
		{"http://127.0.0.1:4141", "", "", "is a URL; want the path of the sidecar's unix socket"},
		{"https://lift", "", "", "is a URL"},
		{"tcp://127.0.0.1:4141", "", "", "is a URL"},
		{"tcp:127.0.0.1:4141", "", "", "is not a host and a port"},
		{"127.0.0.1:http", "", "", `the port "http"`},
		{"127.0.0.1:", "", "", `the port ""`},
		{"127.0.0.1:70000", "", "", `the port "70000"`},
		{":4141", "", "", "has no host"},
		{"/a\x00b", "", "", "zero byte"},
		{long, "", "", "has 108 bytes, and the system takes 107"},
	} {
		network, addr, err := wire.Address(tt.at)
		if network != tt.network || addr != tt.addr {
			t.Errorf("%q is %s %q, want %s %q", tt.at, network, addr, tt.network, tt.addr)
		}
		if (err == nil) != (tt.says == "") || err != nil && !strings.Contains(err.Error(), tt.says) {
			t.Errorf("%q: got %v, want %q", tt.at, err, tt.says)
		}
	}
}

func FuzzAddress(f *testing.F) {
	for _, at := range []string{"/tmp/lift/lift.sock", "unix:///a", "127.0.0.1:4141", "http://a", ":1", "[::1]:1"} {
		f.Add(at)
	}
	f.Fuzz(func(t *testing.T, at string) {
		network, addr, err := wire.Address(at)
		switch {
		case err != nil && (network != "" || addr != ""):
			t.Errorf("%q: got %s %q beside the error %v", at, network, addr, err)
		case err == nil && (addr == "" || network != "unix" && network != "tcp"):
			t.Errorf("%q: got %s %q", at, network, addr)
		}
	})
}
