package mesh_test

import (
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/liftmesh/lift"
	"github.com/liftmesh/lift/mesh"
	"github.com/liftmesh/lift/registry/registrytest"
	"github.com/liftmesh/lift/transport"
)

// An endpoint's usual time is that to the head of its answers. Neither the length of
// streams nor a clock that jumps during a call teaches another one.
func TestUsualTimeIsThatOfTheHead(t *testing.T) {
	const head = 200 * time.Millisecond
	for _, protocol := range []transport.Protocol{transport.HTTP, transport.H2C, transport.GRPC} {
		for _, tt := range []struct {
			name string
			set  func(*instance)
			jump time.Duration // of the wall clock, during each call
			want time.Duration
		}{
			{name: "short answers", want: head},
			{name: "streams that end", set: func(i *instance) { i.drip, i.ends = true, 5*time.Second }, want: head},
			{name: "streams that break", set: func(i *instance) { i.drip, i.breaks = true, 5*time.Second }, want: head},
			{name: "a clock set forward", jump: time.Hour},
			{name: "a clock set back", jump: -time.Hour},
		} {
			t.Run(string(protocol)+"/"+tt.name, func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					n, call := newNetwork("a:1"), get
					n.instances["a:1"].set(func(i *instance) {
						i.after = head
						if protocol == transport.GRPC {
							i.grpc, call = map[string]string{"Grpc-Status": "0"}, unary
						}
						if tt.set != nil {
							tt.set(i)
						}
					})
					var jumped atomic.Int64
					m := start(t, n, registrytest.NewFake(n.endpoints()...), func(o *mesh.Options) {
						o.Services[0].Transport.Protocol = protocol
						o.Services[0].Timeout = 20 * time.Second
						o.Now = func() lift.Instant {
							now := lift.Now()
							now.Wall = now.Wall.Add(time.Duration(jumped.Load()))
							return now
						}
					})
					for range 2 { // a third stream that breaks would open the endpoint
						time.AfterFunc(head/2, func() { jumped.Add(int64(tt.jump)) })
						send(m, call())
					}
					if usual := status(t, m).Endpoints[0].Usual; usual < tt.want || usual > tt.want+10*time.Millisecond {
						t.Errorf("its usual time is %s, want %s", usual, tt.want)
					}
				})
			})
		}
	}
}
