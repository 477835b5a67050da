package mesh_test

import (
	"io"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/liftmesh/lift"
	"github.com/liftmesh/lift/mesh"
	"github.com/liftmesh/lift/registry/registrytest"
)

// What adapts an attempt sees the body whole, once for each attempt, and what it
// makes of the answer is what the judge and the caller are told.
func TestAdapt(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n, seen := all(), []string(nil)
		m := start(t, n, registrytest.NewFake(n.endpoints()...), func(o *mesh.Options) {
			o.Services[0].WholeBody = 8
			o.Services[0].Adapt = func(next lift.RoundTripper) lift.RoundTripper {
				return lift.RoundTripperFunc(func(a *lift.Attempt) (*lift.Response, error) {
					content, _ := a.Body.Complete()
					seen = append(seen, string(content))
					resp, err := next.RoundTrip(a)
					if err == nil && len(seen) == 1 {
						_ = resp.Body.Close()
						a.Status, a.Reached = 429, lift.NotReached
						return &lift.Response{Status: 429, Body: lift.BytesBody(nil)}, nil
					}
					return resp, err
				})
			}
		})
		c := post()
		c.Body = lift.StreamBody(io.NopCloser(strings.NewReader("twice")), -1, 0)
		r := send(m, c)
		if r.err != nil || r.status != 200 || strings.Join(seen, " ") != strings.Repeat(" twice", 2)[1:] || r.call.Attempts()[0].Outcome != lift.Overloaded {
			t.Errorf("%d %v, seen %q, attempts %+v", r.status, r.err, seen, r.call.Attempts())
		}
		c = post()
		c.Body = lift.StreamBody(io.NopCloser(strings.NewReader("over the limit")), -1, 0)
		if r := send(m, c); lift.CodeOf(r.err) != lift.TooLarge || r.call.Tries() != 0 {
			t.Errorf("%v, %d attempts", r.err, r.call.Tries())
		}
	})
}
