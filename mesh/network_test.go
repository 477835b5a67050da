package mesh_test

import (
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/liftmesh/lift"
	"github.com/liftmesh/lift/internal/pipenet"
	"github.com/liftmesh/lift/mesh"
	"github.com/liftmesh/lift/registry/registrytest"
	"github.com/liftmesh/lift/resilience"
)

// network is a fake one, for bubbles: instances behind pipes that a test kills,
// hangs and breaks.
type network struct {
	mu        sync.Mutex
	instances map[string]*instance
}

type instance struct {
	*pipenet.Host
	mu     sync.Mutex
	addr   string
	hung   chan struct{} // not nil: requests wait for it
	reads  bool          // those that are hung read the request first
	after  time.Duration // how long it takes to answer
	status int
	grpc   map[string]string // not nil: answers in gRPC, with these trailers
	drip   bool              // answers never end: a line each 100 ms
	header map[string]string // of answers
	chunks bool              // answers have no declared length
	serve  http.HandlerFunc  // not nil: answers in place of all that
	breaks time.Duration     // when those that drip break all the same, or end in gRPC's trailers; 0: never
	ends   time.Duration     // when those that drip end well; 0: never
	calls  int
}

func newNetwork(addrs ...string) *network {
	n := &network{instances: map[string]*instance{}}
	for _, a := range addrs {
		n.add(a)
	}
	return n
}

func (n *network) add(addr string) {
	i := &instance{addr: addr, status: 200}
	i.Host = pipenet.NewHost(i)
	n.mu.Lock()
	defer n.mu.Unlock()
	n.instances[addr] = i
}

func (n *network) endpoints() (all []lift.Endpoint) {
	for _, a := range []string{"a:1", "b:1", "c:1"} {
		if n.instances[a] != nil {
			all = append(all, lift.Endpoint{Addr: a})
		}
	}
	return all
}

func (n *network) dial(_ context.Context, _, addr string) (net.Conn, error) {
	n.mu.Lock()
	i := n.instances[addr]
	n.mu.Unlock()
	if i == nil {
		return nil, pipenet.Refused()
	}
	return i.Dial()
}

func (i *instance) set(change func(*instance)) {
	i.mu.Lock()
	defer i.mu.Unlock()
	change(i)
}

func (i *instance) seen() int {
	i.mu.Lock()
	defer i.mu.Unlock()
	return i.calls
}

func (i *instance) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	i.mu.Lock()
	i.calls++
	hung, reads, after, status, grpc, drip, breaks, ends, header, chunks, serve := i.hung, i.reads, i.after, i.status, i.grpc, i.drip, i.breaks, i.ends, i.header, i.chunks, i.serve
	i.mu.Unlock()
	if reads {
		_, _ = io.Copy(io.Discard, r.Body)
	}
	if hung != nil {
		select {
		case <-hung:
		case <-r.Context().Done():
			return
		case <-i.Gone():
			panic(http.ErrAbortHandler) // a handler that returns has answered
		}
	}
	if serve != nil {
		serve(w, r)
		return
	}
	_, _ = io.Copy(io.Discard, r.Body)
	if after > 0 { // goroutines of a bubble that ask timers whose time has come crash the race detector (https://go.dev/issue/78156)
		select {
		case <-time.After(after):
		case <-i.Gone():
			panic(http.ErrAbortHandler)
		}
	}
	if grpc != nil {
		w.Header().Set("Content-Type", "application/grpc")
		for name, value := range grpc {
			w.Header().Set(http.TrailerPrefix+name, value)
		}
	}
	for name, value := range header {
		w.Header().Set(name, value)
	}
	w.WriteHeader(status)
	if chunks {
		_ = http.NewResponseController(w).Flush()
	}
	if grpc != nil {
		_, _ = w.Write([]byte{0, 0, 0, 0, byte(len(i.addr))}) // a message's head
	}
	fmt.Fprint(w, i.addr)
	var broken, ended <-chan time.Time
	if ends > 0 {
		ended = time.After(ends)
	}
	if breaks > 0 {
		broken = time.After(breaks)
	}
	for drip {
		if err := http.NewResponseController(w).Flush(); err != nil {
			return
		}
		select {
		case <-time.After(100 * time.Millisecond):
			fmt.Fprintln(w, "more")
		case <-broken:
			if grpc != nil {
				return
			}
			panic(http.ErrAbortHandler)
		case <-ended:
			return
		case <-r.Context().Done():
			return
		case <-i.Gone():
			panic(http.ErrAbortHandler) // a handler that returns has answered
		}
	}
}

// start builds a mesh over the fake network, closed at the test's end. Its choices are
// the same in each run.
func start(t *testing.T, n *network, registry *registrytest.Fake, change func(*mesh.Options)) *mesh.Mesh {
	t.Helper()
	o := mesh.Options{Dial: n.dial, Rand: seeded(), Services: []mesh.ServiceConfig{{
		Name: "orders", Registry: registry, Breaker: resilience.BreakerConfig{OpenForMax: 2 * time.Second},
	}}}
	if change != nil {
		change(&o)
	}
	m := mesh.New(o)
	t.Cleanup(func() {
		m.Close()
		for _, i := range n.instances {
			i.Kill()
		}
	})
	return m
}

type result struct {
	status int
	body   string
	err    error
	call   *lift.Call
	took   time.Duration
}

func send(m lift.Caller, c *lift.Call) (r result) {
	began := time.Now()
	defer c.End()
	r.call = c
	resp, err := m.Call(c)
	if err == nil {
		r.status = resp.Status
		var body []byte
		body, err = resp.Body.ReadAll(0)
		r.body = string(body)
	}
	r.err, r.took = err, time.Since(began)
	return r
}

func get() *lift.Call { return &lift.Call{Service: "orders", Method: "GET", Path: "/"} }

func post() *lift.Call {
	return &lift.Call{Service: "orders", Method: "POST", Path: "/", Body: lift.BytesBody([]byte("{}"))}
}

// last returns the record of the attempt that was started last.
func last(c *lift.Call) lift.AttemptRecord {
	attempts := c.Attempts()
	return attempts[len(attempts)-1]
}

// atomicDuration is a duration that goroutines share.
type atomicDuration struct{ v atomic.Int64 }

func (a *atomicDuration) Load() time.Duration   { return time.Duration(a.v.Load()) }
func (a *atomicDuration) Store(d time.Duration) { a.v.Store(int64(d)) }
