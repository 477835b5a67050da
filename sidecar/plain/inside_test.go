package plain

import (
	"bytes"
	"context"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"

	"github.com/liftmesh/lift"
)

// A drain that comes between Listen and Serve ends both in peace.
func TestServeAfterTheWayInIsShut(t *testing.T) {
	s, err := Listen(Config{
		Addresses: []Address{{Network: "tcp", Addr: "127.0.0.1:0"}},
		Caller:    lift.CallerFunc(func(*lift.Call) (*lift.Response, error) { return nil, lift.Internal }),
	})
	if err != nil {
		t.Fatal(err)
	}
	s.shut()
	ended := make(chan error, 1)
	go func() { ended <- s.Serve(context.Background()) }()
	s.Close()
	if err := <-ended; err != nil {
		t.Error(err)
	}
}

// bytesConn reads from its content, a few bytes at a time.
type bytesConn struct {
	net.Conn
	content []byte
	step    int
}

func (c *bytesConn) Read(p []byte) (int, error) {
	n := copy(p[:min(c.step, len(p))], c.content)
	c.content = c.content[n:]
	return n, nil
}

// The length is seen however the bytes are cut.
func FuzzLengthIsSeen(f *testing.F) {
	f.Add([]byte("POST / HTTP/1.1\r\nContent-Length: 1\r\n"), 3)
	f.Add([]byte("\n\ncontent-length"), 1)
	f.Add([]byte("\ncontent\ncontent-length:"), 5)
	f.Add([]byte("content-length"), 2)
	f.Fuzz(func(t *testing.T, content []byte, step int) {
		want := strings.Contains(string(asciiLower(content)), lengthField)
		c := &conn{Conn: &bytesConn{content: bytes.Clone(content), step: max(1, step&31)}}
		buf := make([]byte, 32)
		for n := 1; n > 0; {
			n, _ = c.Read(buf)
		}
		if c.sized.Load() != want {
			t.Errorf("%q in steps of %d: seen %v", content, step, !want)
		}
	})
}

func asciiLower(b []byte) []byte {
	return bytes.Map(func(r rune) rune {
		if 'A' <= r && r <= 'Z' {
			return r + 'a' - 'A'
		}
		return r
	}, b)
}

// Whatever a request's Host and fields: whom it calls can be named in a call, and
// nothing of Lift's own travels on.
func FuzzRouting(f *testing.F) {
	f.Add("orders", "orders", "250ms")
	f.Add("[::1]:80", "", "1h")
	f.Add("a:b:c", " x", "-")
	f.Add("Orders:80", "ORDERS", "1s")
	f.Fuzz(func(t *testing.T, host, wanted, limit string) {
		r := httptest.NewRequest(http.MethodGet, "/", nil)
		r.Host = host
		r.Header = http.Header{fieldService: {wanted}, fieldTimeout: {limit}, "X-A": {"1"}}
		name, bad := service(r, "")
		if (name == "") != (bad != nil) {
			t.Errorf("service %q, fault %v", name, bad)
		}
		if own, bad := service(r, "orders"); bad == nil && own != "orders" {
			t.Errorf("from an address of orders to %q", own)
		}
		delete(r.Header, fieldService)
		if name, bad := service(r, ""); bad != nil || lift.ServiceName(name) != name {
			t.Errorf("by host: %q, %v", name, bad)
		}
		if d, err := timeout(limit); err == nil && (d <= 0 || d > maxTimeout) {
			t.Errorf("timeout %v", d)
		}
		if got := onward(r.Header); len(got) != 1 || got[0].Name != "X-A" {
			t.Errorf("travels: %v", got)
		}
	})
}

// A grpc-timeout is read as it was written, or not at all.
func FuzzGRPCTimeout(f *testing.F) {
	for _, s := range []string{"1S", "0n", "99999999H", "100000000S", "1", "S", "-1S", "1s", "+1S", "1.5S"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		d, err := grpcTimeout(s)
		sound := len(s) >= 2 && len(s) <= 9 && strings.Trim(s[:len(s)-1], "0123456789") == "" && strings.ContainsAny(s[len(s)-1:], "HMSmun")
		if (err == nil) != sound || err == nil && (d <= 0 || d > maxGRPCTimeout) {
			t.Errorf("%q: %v, %v", s, d, err)
		}
	})
}

// A grpc-message holds printable ASCII alone, and is what it was.
func FuzzGRPCMessage(f *testing.F) {
	f.Add("plain")
	f.Add("100% \r\n\u00e9\x00")
	f.Fuzz(func(t *testing.T, s string) {
		got := percent(s)
		if strings.ContainsFunc(got, func(r rune) bool { return r < ' ' || r > '~' }) || len(got) > maxGRPCMessage+2 {
			t.Errorf("%q: %q", s, got)
		}
		if back, err := url.PathUnescape(got); err != nil || !strings.HasPrefix(s, back) || len(got) < maxGRPCMessage && back != s {
			t.Errorf("%q: %q, %q, %v", s, got, back, err)
		}
	})
}
