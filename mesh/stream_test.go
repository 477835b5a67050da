package mesh_test

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/liftmesh/lift"
	"github.com/liftmesh/lift/mesh"
	"github.com/liftmesh/lift/registry/registrytest"
	"github.com/liftmesh/lift/resilience"
	"github.com/liftmesh/lift/transport"
)

// An instance that keeps breaking its streams is taken out, however long after the
// head it breaks them, and so is one whose gRPC streams keep ending in UNAVAILABLE.
func TestStreamsThatBreakOpenTheEndpoint(t *testing.T) {
	for _, protocol := range []transport.Protocol{transport.HTTP, transport.H2C, transport.GRPC} {
		for _, after := range []time.Duration{500 * time.Millisecond, 5 * time.Second} {
			t.Run(string(protocol)+" after "+after.String(), func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					n, call := newNetwork("a:1"), get
					n.instances["a:1"].set(func(i *instance) {
						i.drip, i.breaks = true, after
						if protocol == transport.GRPC {
							i.grpc, call = map[string]string{"Grpc-Status": "14"}, unary
						}
					})
					m := start(t, n, registrytest.NewFake(n.endpoints()...), func(o *mesh.Options) {
						o.Services[0].Transport.Protocol = protocol
						o.Services[0].Timeout, o.Services[0].AttemptTimeout = time.Minute, time.Second
						o.Services[0].Breaker = resilience.BreakerConfig{Consecutive: 3}
					})
					for range 3 {
						r := send(m, call())
						if a := r.call.Attempts()[0]; a.Outcome != lift.Failed || r.took != after || r.call.Tries() != 1 {
							t.Errorf("%s after %s, %d attempts, %v", a.Outcome, r.took, r.call.Tries(), r.err)
						}
					}
					if e := status(t, m).Endpoints[0]; e.State != "open" {
						t.Errorf("after three streams that broke it is %s", e.State)
					}
				})
			})
		}
	}
}
