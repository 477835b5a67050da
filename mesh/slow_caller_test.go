package mesh_test

import (
	"io"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/liftmesh/lift"
	"github.com/liftmesh/lift/mesh"
	"github.com/liftmesh/lift/registry/registrytest"
	"github.com/liftmesh/lift/resilience"
	"github.com/liftmesh/lift/transport"
)

// spoken are the protocols that a request body is sent by in different ways.
var spoken = []transport.Protocol{transport.HTTP, transport.H2C, transport.GRPC}

// piece is a part of a request that the caller sends after a while.
type piece struct {
	after time.Duration
	bytes string
}

// upload is a call whose caller takes its time to send the body. Its own time is
// limit, that of an attempt a second.
func upload(protocol transport.Protocol, limit time.Duration, pieces ...piece) *lift.Call {
	r, w := io.Pipe()
	c := post()
	if protocol == transport.GRPC {
		c = unary()
	}
	c.Timeout, c.Body = limit, lift.StreamBody(r, -1, 0)
	over := make(chan struct{})
	c.Hold(func() {
		_ = c.Body.Close()
		close(over)
	})
	go func() {
		defer w.Close()
		for _, p := range pieces {
			select {
			case <-time.After(p.after):
			case <-over:
				return
			}
			if _, err := io.WriteString(w, p.bytes); err != nil {
				return
			}
		}
	}()
	return c
}

func startSlow(t *testing.T, n *network, protocol transport.Protocol) *mesh.Mesh {
	t.Helper()
	if protocol == transport.GRPC {
		answering(n, map[string]string{"Grpc-Status": "0"})
	}
	return start(t, n, registrytest.NewFake(n.endpoints()...), func(o *mesh.Options) {
		o.Services[0].Transport.Protocol = protocol
		o.Services[0].AttemptTimeout = time.Second
		o.Services[0].Breaker = resilience.BreakerConfig{Consecutive: 3}
	})
}

func wantState(t *testing.T, m *mesh.Mesh, want string) {
	t.Helper()
	if e := status(t, m).Endpoints[0]; e.State != want {
		t.Errorf("the endpoint is %s: %s", e.State, e.Why)
	}
}

// A caller that sends its request slowly gets its answer, however much longer than the
// attempt's timeout that takes, and nothing of it is held against the endpoint.
func TestSlowCaller(t *testing.T) {
	bodies := map[string][]piece{
		"the end comes late":       {{0, "a"}, {0, "bc"}, {1200 * time.Millisecond, ""}},
		"in pieces":                {{800 * time.Millisecond, "a"}, {800 * time.Millisecond, "b"}, {800 * time.Millisecond, "c"}},
		"the first piece is late":  {{1600 * time.Millisecond, "abc"}},
		"long pieces, long pauses": {{1200 * time.Millisecond, strings.Repeat("x", 300<<10)}, {5 * time.Second, strings.Repeat("y", 300<<10)}},
	}
	for name, pieces := range bodies {
		for _, protocol := range spoken {
			t.Run(name+" by "+string(protocol), func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					n := newNetwork("a:1")
					m := startSlow(t, n, protocol)
					var sending time.Duration
					for _, p := range pieces {
						sending += p.after
					}
					for range 4 {
						r := send(m, upload(protocol, 30*time.Second, pieces...))
						if r.err != nil || r.status != 200 || r.call.Tries() != 1 {
							t.Fatalf("after %s: %+v, %v", r.took, r, r.err)
						}
						if a := r.call.Attempts()[0]; a.Outcome != lift.OK || a.Sending != sending || a.Owed() != 0 {
							t.Errorf("the caller took %s, and %s of %s are told", sending, a.Sending, a.Duration())
						}
					}
					wantState(t, m, "closed")
				})
			})
		}
	}
}

// A caller whose time is up before it has sent its request is told that it was slow,
// as often as it happens, and the endpoint stays.
func TestCallerTooSlow(t *testing.T) {
	for _, protocol := range spoken {
		t.Run(string(protocol), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				n := newNetwork("a:1")
				m := startSlow(t, n, protocol)
				for range 10 { // so that it is known how fast the endpoint usually is
					time.Sleep(time.Millisecond)
					send(m, upload(protocol, time.Second, piece{0, "abc"}))
				}
				for range 5 {
					r := send(m, upload(protocol, 2*time.Second, piece{0, "a"}, piece{time.Minute, "b"}))
					if lift.CodeOf(r.err) != lift.DeadlineExceeded || r.took != 2*time.Second || !strings.Contains(r.err.Error(), "the caller had not sent its request whole") {
						t.Errorf("after %s: %v", r.took, r.err)
					}
					if a := r.call.Attempts()[0]; a.Outcome != lift.CutShort || r.call.Tries() != 1 {
						t.Errorf("%d attempts, %s", r.call.Tries(), a.Outcome)
					}
				}
				wantState(t, m, "closed")
			})
		})
	}
}

// An endpoint that has a request whole, or does not take it, has the attempt's timeout
// and no more. One that is hung while the caller trickles is bounded by the call's time.
func TestHungAndUploading(t *testing.T) {
	for name, tt := range map[string]struct {
		pieces []piece
		reads  bool
		took   time.Duration
		code   lift.Code
		says   string
		state  string
	}{
		"all was sent":  {[]piece{{1200 * time.Millisecond, "abc"}}, true, 2200 * time.Millisecond, lift.AttemptTimeout, "no answer within", "open"},
		"takes nothing": {[]piece{{500 * time.Millisecond, strings.Repeat("x", 4<<20)}}, false, 1500 * time.Millisecond, lift.AttemptTimeout, "took no more of the request", "open"},
		"trickling":     {[]piece{{700 * time.Millisecond, "a"}, {700 * time.Millisecond, "b"}, {time.Hour, "c"}}, true, 10 * time.Second, lift.DeadlineExceeded, "the caller had not sent", "closed"},
	} {
		for _, protocol := range spoken {
			t.Run(name+" by "+string(protocol), func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					n := newNetwork("a:1")
					m := startSlow(t, n, protocol)
					hung := make(chan struct{})
					n.instances["a:1"].set(func(i *instance) { i.hung, i.reads = hung, tt.reads })
					for range 3 {
						r := send(m, upload(protocol, 10*time.Second, tt.pieces...))
						if lift.CodeOf(r.err) != tt.code || r.took != tt.took || !strings.Contains(r.err.Error(), tt.says) {
							t.Errorf("after %s: %v", r.took, r.err)
						}
					}
					wantState(t, m, tt.state)
					close(hung)
				})
			})
		}
	}
}
