package session_test

import (
	"strings"
	"testing"

	"github.com/liftmesh/lift"
	"github.com/liftmesh/lift/internal/session"
	"github.com/liftmesh/lift/sidecar"
)

func TestEcho(t *testing.T) {
	cl, _ := overSocket(t, lift.CallerFunc(echo), sidecar.Config{}, session.Options{})
	for _, size := range []int{0, 1, 16 << 10, 16<<10 + 1, 64 << 10, 100_000, 256 << 10, 3 << 20} {
		for _, how := range []string{"bytes", "stream", "sized stream"} {
			content := strings.Repeat("x", size)
			c := &lift.Call{Service: "orders", Path: "/a?b=c"}
			switch how {
			case "bytes":
				c.Body = lift.BytesBody([]byte(content))
			case "stream":
				c.Body = lift.StreamBody(readCloser(content), -1, lift.ReplayLimit)
			case "sized stream":
				c.Body = lift.StreamBody(readCloser(content), int64(size), 0)
			}
			resp, got, err := ask(cl, c)
			if err != nil {
				t.Fatalf("%s of %d: %v", how, size, err)
			}
			if got != content || resp.Status != 200 || lift.Get(resp.Header, "X-Path") != "/a?b=c" || lift.Get(resp.Header, "X-Raw") != "\xff\xfe" {
				t.Errorf("%s of %d: %d %v, %d bytes", how, size, resp.Status, resp.Header, len(got))
			}
			if tr := resp.Body.Trailer(); lift.Get(tr, "after") != "all" {
				t.Errorf("%s of %d: trailer %v", how, size, tr)
			}
			if a := c.Attempts(); len(a) != 1 || a[0].Endpoint.Addr != "10.0.0.1:80" || a[0].Outcome != lift.OK || a[0].Duration() <= 0 {
				t.Errorf("%s of %d: attempts %+v", how, size, a)
			}
		}
	}
}
