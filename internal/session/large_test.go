package session_test

import (
	"io"
	"runtime"
	"testing"

	"github.com/liftmesh/lift"
	"github.com/liftmesh/lift/internal/session"
	"github.com/liftmesh/lift/sidecar"
)

// watched is a body of zeros, which notes the most heap that was in use
// while it was read.
type watched struct {
	left, next int64
	most       uint64
}

func (z *watched) Read(p []byte) (int, error) {
	if z.left <= 0 {
		return 0, io.EOF
	}
	if z.left <= z.next {
		var m runtime.MemStats
		runtime.GC()
		runtime.ReadMemStats(&m)
		z.most = max(z.most, m.HeapInuse)
		z.next = z.left - 8<<20
	}
	n := int(min(int64(len(p)), z.left))
	z.left -= int64(n)
	return n, nil
}

func (*watched) Close() error { return nil }

// A large body flows through, both ways at once; neither end holds it.
func TestLargeBodiesFlow(t *testing.T) {
	const size = 64 << 20
	cl, _ := overSocket(t, lift.CallerFunc(func(c *lift.Call) (*lift.Response, error) {
		r, err := c.Body.Reader()
		if err != nil {
			return nil, err
		}
		return &lift.Response{Status: 200, Body: lift.StreamBody(r, size, 0)}, nil
	}), sidecar.Config{}, session.Options{})
	body := &watched{left: size, next: size}
	c := &lift.Call{Service: "orders", Method: "POST", Body: lift.StreamBody(body, size, 0)}
	defer c.End()
	var before runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&before)
	resp, err := cl.Call(c)
	if err != nil {
		t.Fatal(err)
	}
	r, err := resp.Body.Reader()
	if err != nil {
		t.Fatal(err)
	}
	n, err := io.Copy(io.Discard, r)
	if err != nil || n != size {
		t.Errorf("%d bytes came back, %v", n, err)
	}
	if grew := int64(body.most) - int64(before.HeapInuse); grew > 16<<20 { //nolint:gosec // small
		t.Errorf("the heap grew by %d MiB for a body of %d MiB", grew>>20, size>>20)
	} else {
		t.Logf("the heap grew by %d KiB", grew>>10)
	}
}
