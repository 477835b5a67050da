package mesh_test

import (
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/liftmesh/lift"
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
	mu     sync.Mutex
	addr   string
	down   bool
	hung   chan struct{} // not nil: requests wait for it
	status int
	grpc   map[string]string // not nil: answers in gRPC, with these trailers
	calls  int
	conns  []net.Conn
	gone   chan struct{} // closed when it is killed
}

func newNetwork(addrs ...string) *network {
	n := &network{instances: map[string]*instance{}}
	for _, a := range addrs {
		n.instances[a] = &instance{addr: a, status: 200, gone: make(chan struct{})}
	}
	return n
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
	if i == nil || i.isDown() {
		return nil, &net.OpError{Op: "dial", Net: "tcp", Err: syscall.ECONNREFUSED}
	}
	client, server := net.Pipe()
	i.mu.Lock()
	i.conns = append(i.conns, server)
	i.mu.Unlock()
	go func() {
		l := &oneConn{conn: server, closed: make(chan struct{})}
		var both http.Protocols
		both.SetHTTP1(true)
		both.SetUnencryptedHTTP2(true)
		_ = (&http.Server{Handler: i, ReadHeaderTimeout: time.Hour, ConnState: l.watch, Protocols: &both}).Serve(l)
	}()
	return client, nil
}

func (i *instance) isDown() bool {
	i.mu.Lock()
	defer i.mu.Unlock()
	return i.down
}

// kill ends the instance and resets its connections.
func (i *instance) kill() {
	i.mu.Lock()
	i.down = true
	close(i.gone)
	i.gone = make(chan struct{})
	conns := i.conns
	i.conns = nil
	i.mu.Unlock()
	for _, c := range conns {
		_ = c.Close()
	}
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
	hung, status, gone, grpc := i.hung, i.status, i.gone, i.grpc
	i.mu.Unlock()
	if hung != nil {
		select {
		case <-hung:
		case <-r.Context().Done():
			return
		case <-gone:
			return
		}
	}
	_, _ = io.Copy(io.Discard, r.Body)
	if grpc != nil {
		w.Header().Set("Content-Type", "application/grpc")
		for name, value := range grpc {
			w.Header().Set(http.TrailerPrefix+name, value)
		}
	}
	w.WriteHeader(status)
	fmt.Fprint(w, i.addr)
}

// oneConn is a listener of one connection; it is closed with it.
type oneConn struct {
	mu     sync.Mutex
	conn   net.Conn
	closed chan struct{}
	once   sync.Once
}

func (l *oneConn) Accept() (net.Conn, error) {
	l.mu.Lock()
	c := l.conn
	l.conn = nil
	l.mu.Unlock()
	if c != nil {
		return c, nil
	}
	<-l.closed
	return nil, net.ErrClosed
}

func (l *oneConn) watch(_ net.Conn, s http.ConnState) {
	if s == http.StateClosed || s == http.StateHijacked {
		_ = l.Close()
	}
}

func (l *oneConn) Close() error {
	l.once.Do(func() { close(l.closed) })
	return nil
}
func (l *oneConn) Addr() net.Addr { return &net.UnixAddr{Name: "pipe"} }

// start builds a mesh over the fake network, closed at the test's end.
func start(t *testing.T, n *network, registry *registrytest.Fake, change func(*mesh.Options)) *mesh.Mesh {
	t.Helper()
	o := mesh.Options{Dial: n.dial, Services: []mesh.ServiceConfig{{
		Name: "orders", Registry: registry, Breaker: resilience.BreakerConfig{OpenForMax: 2 * time.Second},
	}}}
	if change != nil {
		change(&o)
	}
	m := mesh.New(o)
	t.Cleanup(func() {
		m.Close()
		for _, i := range n.instances {
			i.kill()
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
