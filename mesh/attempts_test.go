package mesh_test

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/liftmesh/lift"
	"github.com/liftmesh/lift/registry/registrytest"
)

// Two attempts of one call run at the same time: one hangs, the other is answered.
// Both leave a whole record, and the one that was given up judges nobody.
func TestAttemptsAtTheSameTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := newNetwork("a:1", "b:1")
		m := start(t, n, registrytest.NewFake(n.endpoints()...), nil)
		hung := make(chan struct{})
		defer close(hung)
		for _, i := range n.instances {
			i.set(func(i *instance) { i.hung = hung })
		}
		c, pick := get(), m.Pick("orders")
		c.Began, c.Deadline = lift.Now(), time.Now().Add(time.Second)
		first := make(chan error)
		go func() {
			_, err := pick.Call(c)
			first <- err
		}()
		synctest.Wait()
		running := c.Attempts()
		if len(running) != 1 || running[0].Outcome != lift.Unjudged {
			t.Fatalf("the attempt that hangs: %+v", running)
		}
		for addr, i := range n.instances {
			if addr != running[0].Endpoint.Addr {
				i.set(func(i *instance) { i.hung = nil })
			}
		}
		if resp, err := pick.Call(c); err != nil || resp.Status != 200 {
			t.Fatal(resp, err)
		}
		c.Cancel(nil)
		if err := <-first; lift.CodeOf(err) != lift.CallCanceled {
			t.Errorf("the one that hangs: %v", err)
		}
		a := c.Attempts()
		if len(a) != 2 || a[0].Endpoint.Addr == a[1].Endpoint.Addr || a[0].Outcome != lift.Canceled || a[1].Outcome != lift.OK || a[0].Ended.IsZero() {
			t.Errorf("%+v", a)
		}
		for _, ep := range status(t, m).Endpoints {
			if ep.State != "closed" || ep.InFlight != 0 || ep.Failures != 0 {
				t.Errorf("%+v", ep)
			}
		}
	})
}
