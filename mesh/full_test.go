package mesh_test

import (
	"context"
	"errors"
	"net"
	"strings"
	"sync"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/liftmesh/lift"
	"github.com/liftmesh/lift/balancer"
	"github.com/liftmesh/lift/mesh"
	"github.com/liftmesh/lift/registry/registrytest"
	"github.com/liftmesh/lift/resilience"
	"github.com/liftmesh/lift/transport"
)

// sized is a service to try a limit on.
func sized(protocol transport.Protocol, connections int) func(*mesh.Options) {
	return func(o *mesh.Options) {
		s := &o.Services[0]
		s.Transport.Protocol, s.Transport.MaxConnections = protocol, connections
		s.Timeout, s.AttemptTimeout = 10*time.Second, 2*time.Second
		s.Breaker = resilience.BreakerConfig{Consecutive: 3}
	}
}

// fill makes n calls whose answers never end, and returns what ends them.
func fill(t *testing.T, m *mesh.Mesh, n *network, addr string, protocol transport.Protocol, count int) (end func()) {
	t.Helper()
	i := n.instances[addr]
	i.set(func(i *instance) {
		i.drip = true
		if protocol == transport.GRPC {
			i.grpc = map[string]string{"Grpc-Status": "0"}
		}
	})
	var streams []*lift.Response
	var calls []*lift.Call
	for range count {
		c := get()
		if protocol == transport.GRPC {
			c = unary()
		}
		c.Timeout = time.Hour
		resp, err := m.Call(c)
		if err != nil {
			t.Fatal(err)
		}
		streams, calls = append(streams, resp), append(calls, c)
	}
	i.set(func(i *instance) { i.drip = false })
	return func() {
		for k := range streams {
			_ = streams[k].Body.Close()
			calls[k].End()
		}
		synctest.Wait()
	}
}

func wantBusy(t *testing.T, r result, after time.Duration, says ...string) {
	t.Helper()
	if lift.CodeOf(r.err) != lift.Busy || r.took != after {
		t.Errorf("after %s: %+v, %v", r.took, r, r.err)
		return
	}
	for _, s := range says {
		if !strings.Contains(r.err.Error(), s) {
			t.Errorf("%q says nothing of %q", r.err, s)
		}
	}
	if a := r.call.Attempts()[r.call.Tries()-1]; a.Outcome != lift.Limited || a.Reached != lift.NotReached || a.Queued != after || a.Owed() != 0 {
		t.Errorf("the attempt: %+v", a)
	}
}

// Streams fill what there may be of connections, and of places on them. Who comes then
// is told of the limit once the wait for it is over; the endpoint has not seen it, and
// is not blamed. When there is room again all is well.
func TestFullOfStreams(t *testing.T) {
	for protocol, tt := range map[transport.Protocol]struct {
		connections, streams int
		says                 []string
	}{
		transport.HTTP: {0, 64, []string{"all 64 connections", "connections.max (64)", "connections.wait (1s)"}},
		// 250 is what net/http's server takes on a connection.
		transport.H2C:  {2, 500, []string{"all 2 connections", "250 calls at once", "connections.max (2)", "connections.wait (1s)"}},
		transport.GRPC: {1, 250, []string{"all 1 connections", "250 calls at once", "connections.max"}},
	} {
		t.Run(string(protocol), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				n := newNetwork("a:1")
				m := start(t, n, registrytest.NewFake(n.endpoints()...), sized(protocol, tt.connections))
				end := fill(t, m, n, "a:1", protocol, tt.streams)
				call := post
				if protocol == transport.GRPC {
					call = unary
				}
				for range 4 {
					wantBusy(t, send(m, call()), time.Second, tt.says...)
				}
				hurried := call()
				hurried.Timeout = 300 * time.Millisecond
				wantBusy(t, send(m, hurried), 300*time.Millisecond, tt.says...)
				if seen := n.instances["a:1"].seen(); seen != tt.streams {
					t.Errorf("the instance saw %d calls", seen)
				}
				wantState(t, m, "closed")
				waits := make(chan result, 1)
				go func() { waits <- send(m, call()) }()
				time.Sleep(500 * time.Millisecond)
				end()
				if r := <-waits; r.err != nil || r.took < 500*time.Millisecond || r.took > 600*time.Millisecond || r.call.Attempts()[0].Queued != r.took {
					t.Errorf("a call that waited for room: after %s, %v", r.took, r.err)
				}
			})
		})
	}
}

// No wait is configured: who finds no room is told so at once.
func TestFullAtOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := newNetwork("a:1")
		m := start(t, n, registrytest.NewFake(n.endpoints()...), func(o *mesh.Options) {
			sized(transport.HTTP, 1)(o)
			o.Services[0].Transport.Wait = -1
		})
		defer fill(t, m, n, "a:1", transport.HTTP, 1)()
		for range 4 {
			wantBusy(t, send(m, post()), 0, "all 1 connections")
		}
		wantState(t, m, "closed")
	})
}

// A call that finds one endpoint full goes to another that is not, whatever its method.
func TestFullGoesElsewhere(t *testing.T) {
	for _, protocol := range spoken {
		t.Run(string(protocol), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				n := newNetwork("a:1", "b:1")
				registry := registrytest.NewFake(lift.Endpoint{Addr: "a:1"})
				m := start(t, n, registry, func(o *mesh.Options) {
					sized(protocol, 1)(o)
					o.Services[0].Balancer.Strategy = balancer.RoundRobin
					o.Services[0].Transport.Wait = 100 * time.Millisecond
				})
				streams := 1
				if protocol != transport.HTTP {
					streams = 250
				}
				defer fill(t, m, n, "a:1", protocol, streams)()
				registry.Set(n.endpoints()...)
				synctest.Wait()
				limited := 0
				for range 6 {
					r := send(m, post())
					if r.err != nil || r.body != "b:1" || r.took > 100*time.Millisecond {
						t.Errorf("after %s: %q, %v", r.took, r.body, r.err)
					}
					if r.call.Attempts()[0].Outcome == lift.Limited {
						limited++
					}
				}
				if limited == 0 {
					t.Error("no call came to the full endpoint")
				}
				wantState(t, m, "closed")
			})
		})
	}
}

// Connections that hang fill an endpoint: its own calls judge it, and those that wait
// for one do not.
func TestFullOfHungCalls(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := newNetwork("a:1")
		hung := make(chan struct{})
		n.instances["a:1"].set(func(i *instance) { i.hung = hung })
		m := start(t, n, registrytest.NewFake(n.endpoints()...), sized(transport.HTTP, 2))
		var wg sync.WaitGroup
		outcomes := make(chan lift.Outcome, 10)
		for range 10 {
			wg.Go(func() { outcomes <- send(m, post()).call.Attempts()[0].Outcome })
			synctest.Wait()
		}
		wg.Wait()
		close(outcomes)
		var failed, limited int
		for o := range outcomes {
			switch o {
			case lift.Failed:
				failed++
			case lift.Limited:
				limited++
			}
		}
		if failed != 2 || limited != 8 {
			t.Errorf("%d failed, %d limited", failed, limited)
		}
		wantState(t, m, "closed")
		send(m, post())
		wantState(t, m, "open")
		close(hung)
	})
}

// The process has its connections in use, or its connects: it is not the endpoint's
// fault that there is no other for it.
func TestFullProcess(t *testing.T) {
	for _, protocol := range spoken {
		for name, tt := range map[string]struct {
			connections, connects int
			says                  []string
		}{
			"connections": {1, 0, []string{"all 1 connections of this process", "limits.connections (1)"}},
			"connects":    {0, 1, []string{"opening 1 connections", "limits.connects (1)"}},
		} {
			t.Run(name+" by "+string(protocol), func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					n, over := newNetwork("a:1", "b:1"), make(chan struct{})
					m := start(t, n, registrytest.NewFake(lift.Endpoint{Addr: "a:1"}), func(o *mesh.Options) {
						sized(protocol, 0)(o)
						o.Connections, o.Connects = tt.connections, tt.connects
						other := o.Services[0]
						other.Name, other.Registry = "others", registrytest.NewFake(lift.Endpoint{Addr: "b:1"})
						other.Transport.ConnectTimeout, other.AttemptTimeout = time.Minute, time.Minute
						o.Services = append(o.Services, other)
						dial := o.Dial
						o.Dial = func(ctx context.Context, network, addr string) (net.Conn, error) {
							if addr == "b:1" && tt.connects > 0 {
								<-over
								return nil, errors.New("not in time")
							}
							return dial(ctx, network, addr)
						}
					})
					n.instances["b:1"].set(func(i *instance) { i.drip = true })
					holds := &lift.Call{Service: "others", Timeout: time.Minute}
					go func() {
						if resp, err := m.Call(holds); err == nil {
							<-holds.Done()
							_ = resp.Body.Close()
						}
					}()
					synctest.Wait()
					for range 4 {
						wantBusy(t, send(m, post()), time.Second, tt.says...)
					}
					wantState(t, m, "closed")
					close(over)
					holds.Cancel(nil)
					holds.End()
					synctest.Wait()
				})
			})
		}
	}
}

// No file descriptor is left: the call fails at once, and the endpoint stays.
func TestNoDescriptorLeft(t *testing.T) {
	for _, protocol := range spoken {
		t.Run(string(protocol), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				n := newNetwork("a:1")
				out := true
				m := start(t, n, registrytest.NewFake(n.endpoints()...), func(o *mesh.Options) {
					sized(protocol, 0)(o)
					dial := o.Dial
					o.Dial = func(ctx context.Context, network, addr string) (net.Conn, error) {
						if out {
							return nil, &net.OpError{Op: "dial", Net: "tcp", Err: syscall.EMFILE}
						}
						return dial(ctx, network, addr)
					}
				})
				for range 4 {
					wantBusy(t, send(m, post()), 0, "file descriptor", "ulimit -n")
				}
				wantState(t, m, "closed")
				out = false
				if r := send(m, post()); r.err != nil {
					t.Error(r.err)
				}
			})
		})
	}
}
