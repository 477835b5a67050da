package mesh_test

import (
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/liftmesh/lift"
	"github.com/liftmesh/lift/mesh"
	"github.com/liftmesh/lift/registry/registrytest"
	"github.com/liftmesh/lift/transport"
)

// A call that brings more time than its service has may take it, in one attempt.
func TestACallsOwnTimeoutIsTheAttemptsToo(t *testing.T) {
	for _, protocol := range []transport.Protocol{transport.HTTP, transport.H2C, transport.GRPC} {
		t.Run(string(protocol), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				n, call := newNetwork("a:1"), get
				n.instances["a:1"].set(func(i *instance) { i.after = 1500 * time.Millisecond })
				if protocol == transport.GRPC {
					answering(n, map[string]string{"Grpc-Status": "0"})
					call = unary
				}
				m := start(t, n, registrytest.NewFake(n.endpoints()...), func(o *mesh.Options) { o.Services[0].Transport.Protocol = protocol })
				c := call()
				c.Timeout = 10 * time.Second
				r := send(m, c)
				if r.err != nil || len(c.Attempts()) != 1 || r.took != 1500*time.Millisecond || c.Attempts()[0].Outcome != lift.OK || c.Attempts()[0].Timeout != 5*time.Second {
					t.Errorf("after %s, %d attempts, %+v: %v", r.took, len(c.Attempts()), c.Attempts()[0], r.err)
				}
			})
		})
	}
}

// A setting of the service is stronger than what calls bring.
func TestAConfiguredAttemptTimeoutHolds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := newNetwork("a:1")
		n.instances["a:1"].set(func(i *instance) { i.after = 1500 * time.Millisecond })
		m := start(t, n, registrytest.NewFake(n.endpoints()...), func(o *mesh.Options) { o.Services[0].AttemptTimeout = 300 * time.Millisecond })
		c := post()
		c.Timeout = 10 * time.Second
		if r := send(m, c); !errors.Is(r.err, lift.AttemptTimeout) || r.took != 300*time.Millisecond {
			t.Errorf("after %s: %v", r.took, r.err)
		}
	})
}

// A call with little time leaves an endpoint that hangs after half of it.
func TestAShortTimeoutLeavesTimeForAnother(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := newNetwork("a:1", "b:1")
		m := start(t, n, registrytest.NewFake(n.endpoints()...), nil)
		n.instances["a:1"].set(func(i *instance) { i.hung = make(chan struct{}) })
		hung := 0
		for range 40 {
			c := get()
			c.Timeout = 400 * time.Millisecond
			r := send(m, c)
			if r.err != nil || r.took > 300*time.Millisecond {
				t.Errorf("after %s: %v", r.took, r.err)
			}
			if a := c.Attempts()[0]; a.Endpoint.Addr == "a:1" {
				hung++
				if a.Outcome != lift.CutShort || a.Timeout != 200*time.Millisecond {
					t.Errorf("the attempt that hung is %+v", a)
				}
			}
		}
		if hung == 0 {
			t.Error("no call met the one that hangs")
		}
	})
}

// Callers in a hurry do not take a slow service away from those that have time.
func TestHurriedCallersDoNotOpenASlowService(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := newNetwork("a:1")
		n.instances["a:1"].set(func(i *instance) { i.after = 150 * time.Millisecond })
		m := start(t, n, registrytest.NewFake(n.endpoints()...), nil)
		for range 10 {
			c := post()
			c.Timeout = 200 * time.Millisecond
			if r := send(m, c); !errors.Is(r.err, lift.AttemptTimeout) || c.Attempts()[0].Outcome != lift.CutShort {
				t.Errorf("%v", r.err)
			}
		}
		if r := send(m, post()); r.err != nil {
			t.Error(r.err)
		}
	})
}
