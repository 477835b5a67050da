package mesh_test

import (
	"fmt"
	"io"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/liftmesh/lift"
	"github.com/liftmesh/lift/mesh"
	"github.com/liftmesh/lift/registry/registrytest"
	"github.com/liftmesh/lift/transport"
)

func unary() *lift.Call {
	return &lift.Call{
		Service: "orders", Method: "POST", Path: "/orders.Orders/Get", Body: lift.BytesBody([]byte("\x00\x00\x00\x00\x00")),
		Header: []lift.Field{{Name: "content-type", Value: "application/grpc"}},
	}
}

func startGRPC(t *testing.T, n *network, idempotent bool) *mesh.Mesh {
	t.Helper()
	return start(t, n, registrytest.NewFake(n.endpoints()...), func(o *mesh.Options) {
		o.Services[0].Transport.Protocol = transport.GRPC
		o.Services[0].Idempotent = idempotent
	})
}

func answering(n *network, trailers map[string]string) {
	for _, i := range n.instances {
		i.set(func(i *instance) { i.grpc = trailers })
	}
}

// What becomes of a gRPC call whose endpoints fail, and of the endpoints.
func TestGRPC(t *testing.T) {
	for _, tt := range []struct {
		name       string
		trailers   map[string]string
		idempotent bool             // the service says so
		said       lift.Idempotence // the caller says so
		tries      int
		outcome    lift.Outcome
	}{
		{"fine", map[string]string{"Grpc-Status": "0"}, false, lift.ByMethod, 1, lift.OK},
		{"UNAVAILABLE, and it may have acted", map[string]string{"Grpc-Status": "14"}, false, lift.ByMethod, 1, lift.Failed},
		{"UNAVAILABLE", map[string]string{"Grpc-Status": "14"}, true, lift.ByMethod, 3, lift.Failed},
		{"UNAVAILABLE, the caller vouches", map[string]string{"Grpc-Status": "14"}, false, lift.Idempotent, 3, lift.Failed},
		{"UNAVAILABLE, the caller warns", map[string]string{"Grpc-Status": "14"}, true, lift.NotIdempotent, 1, lift.Failed},
		{"RESOURCE_EXHAUSTED", map[string]string{"Grpc-Status": "8"}, true, lift.ByMethod, 3, lift.Overloaded},
		{"NOT_FOUND", map[string]string{"Grpc-Status": "5"}, true, lift.ByMethod, 1, lift.CallerFault},
		{"no status", map[string]string{"X-Other": "1"}, true, lift.ByMethod, 3, lift.Failed},
		{"pushed back for good", map[string]string{"Grpc-Status": "14", "Grpc-Retry-Pushback-Ms": "-1"}, true, lift.ByMethod, 1, lift.Failed},
	} {
		for _, streamed := range []bool{false, true} {
			t.Run(fmt.Sprintf("%s/streamed %v", tt.name, streamed), func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					n := all()
					answering(n, tt.trailers)
					m := startGRPC(t, n, tt.idempotent)
					c := unary()
					c.Idempotent = tt.said
					if streamed { // as a door hands it on
						c.Body = lift.StreamBody(io.NopCloser(strings.NewReader("\x00\x00\x00\x00\x00")), -1, lift.ReplayLimit)
					}
					r := send(m, c)
					if r.err != nil || r.status != 200 || c.Tries() != tt.tries {
						t.Fatalf("%d tries, %+v", c.Tries(), r)
					}
					if a := last(c); a.Outcome != tt.outcome || tt.trailers["Grpc-Status"] != "" && a.GRPC != tt.trailers["Grpc-Status"] {
						t.Errorf("the last attempt is %+v", a)
					}
				})
			})
		}
	}
}

// A server that says when to come back is obeyed to the millisecond.
func TestGRPCPushback(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := newNetwork("a:1")
		answering(n, map[string]string{"Grpc-Status": "14", "Grpc-Retry-Pushback-Ms": "300"})
		m := startGRPC(t, n, true)
		if r := send(m, unary()); r.call.Tries() != 3 || r.took != 600*time.Millisecond {
			t.Errorf("%d tries in %s", r.call.Tries(), r.took)
		}
	})
}

// An endpoint that says UNAVAILABLE is taken out as one that answers 503 is, one that
// says INTERNAL while others do not as one that answers 500, and each comes back; calls
// go elsewhere meanwhile.
func TestGRPCBreaker(t *testing.T) {
	for code, most := range map[string]int{"14": 10, "13": 15} {
		t.Run(code, func(t *testing.T) { grpcBreaker(t, code, most) })
	}
}

func grpcBreaker(t *testing.T, code string, most int) {
	synctest.Test(t, func(t *testing.T) {
		n := all()
		answering(n, map[string]string{"Grpc-Status": "0"})
		n.instances["a:1"].set(func(i *instance) { i.grpc = map[string]string{"Grpc-Status": code} })
		m := startGRPC(t, n, true)
		for range 300 {
			r := send(m, unary())
			if a := last(r.call); r.err != nil || a.GRPC != "0" {
				t.Fatalf("%+v", a)
			}
			time.Sleep(20 * time.Millisecond)
		}
		if seen := n.instances["a:1"].seen(); seen > most {
			t.Errorf("the one that fails saw %d calls", seen)
		}
		n.instances["a:1"].set(func(i *instance) { i.grpc = map[string]string{"Grpc-Status": "0"} })
		time.Sleep(3 * time.Second)
		var picked []string
		for range 30 {
			picked = append(picked, last(send(m, unary()).call).Endpoint.Addr)
		}
		if !slices.Contains(picked, "a:1") {
			t.Error("it did not come back")
		}
	})
}
