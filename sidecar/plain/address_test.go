package plain_test

import (
	"net"
	"net/netip"
	"strings"
	"testing"

	"github.com/liftmesh/lift/sidecar/plain"
)

func TestParseAddress(t *testing.T) {
	for _, tt := range []struct{ text, is, says string }{
		{"unix:/tmp/lift/plain.sock", "unix:/tmp/lift/plain.sock", ""},
		{"127.0.0.1:4140", "127.0.0.1:4140", ""},
		{"127.9.9.9:1", "127.9.9.9:1", ""},
		{"[::1]:65535", "[::1]:65535", ""},
		{"unix:plain.sock", "", "absolute path"},
		{"unix:/tmp/", "", "absolute path"},
		{"unix:/" + strings.Repeat("a", 103), "", "104 bytes"},
		{"/tmp/plain.sock", "", "want unix:"},
		{"4140", "", "want unix:"},
		{":4140", "", "not an IP address"},
		{"localhost:4140", "", "want 127.0.0.1"},
		{"0.0.0.0:4140", "", "not on the loopback"},
		{"10.0.0.1:4140", "", "not on the loopback"},
		{"[::]:4140", "", "not on the loopback"},
		{"[::1%lo]:4140", "", "not on the loopback"},
		{"127.0.0.1:0", "", "1 to 65535"},
		{"127.0.0.1:http", "", "1 to 65535"},
		{"127.0.0.1:065", "", "1 to 65535"},
		{"127.0.0.1:70000", "", "1 to 65535"},
	} {
		a, err := plain.ParseAddress(tt.text)
		switch {
		case tt.says == "" && (err != nil || a.String() != tt.is):
			t.Errorf("%s: %v, %v", tt.text, a, err)
		case tt.says != "" && (err == nil || !strings.Contains(err.Error(), tt.says)):
			t.Errorf("%s: %v; want %s", tt.text, err, tt.says)
		}
	}
}

// Whatever the text: what is accepted is a path or the loopback.
func FuzzParseAddress(f *testing.F) {
	for _, s := range []string{"unix:/a", "127.0.0.1:1", "[::1]:1", "0.0.0.0:1", "[::ffff:127.0.0.1]:9", "a", ":"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		a, err := plain.ParseAddress(s)
		if err != nil {
			return
		}
		if again, err := plain.ParseAddress(a.String()); err != nil || again != a {
			t.Errorf("%q read again: %v, %v", s, again, err)
		}
		if a.Network == "unix" {
			if !strings.HasPrefix(a.Addr, "/") {
				t.Errorf("%q: the path %q", s, a.Addr)
			}
			return
		}
		host, _, err := net.SplitHostPort(a.Addr)
		if err != nil || !netip.MustParseAddr(host).IsLoopback() {
			t.Errorf("%q: the address %q", s, a.Addr)
		}
	})
}
