package mesh_test

import (
	"bufio"
	"context"
	"io"
	"net"
	"net/http"
	"sync"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/liftmesh/lift"
	"github.com/liftmesh/lift/mesh"
	"github.com/liftmesh/lift/registry/static"
)

// sockets are endpoints that agree to an upgrade and send back what comes, but
// for those that refuse or decline.
type sockets struct {
	mu                sync.Mutex
	refuses, declines string
	asked             []string
}

func (s *sockets) dial(_ context.Context, _, addr string) (net.Conn, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if addr == s.refuses {
		return nil, &net.OpError{Op: "dial", Net: "tcp", Err: syscall.ECONNREFUSED}
	}
	client, server := net.Pipe()
	declines := addr == s.declines
	go func() {
		defer server.Close()
		r := bufio.NewReader(server)
		if _, err := http.ReadRequest(r); err != nil {
			return
		}
		s.mu.Lock()
		s.asked = append(s.asked, addr)
		s.mu.Unlock()
		if declines {
			_, _ = io.WriteString(server, "HTTP/1.1 503 Full\r\nContent-Length: 0\r\n\r\n")
			return
		}
		_, _ = io.WriteString(server, "HTTP/1.1 101 X\r\nConnection: upgrade\r\nUpgrade: websocket\r\n\r\n")
		_, _ = io.Copy(server, r)
	}()
	return client, nil
}

// An upgrade goes elsewhere as long as nobody was reached, and not once it was
// sent; then it lives on past the service's timeout.
func TestUpgradeThroughTheMesh(t *testing.T) {
	for name, test := range map[string]struct {
		sockets *sockets
		status  int
	}{
		"agreed":   {&sockets{refuses: "b:1"}, 101},
		"declined": {&sockets{refuses: "b:1", declines: "a:1"}, 503},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := test.sockets
				m := mesh.New(mesh.Options{Dial: s.dial, Services: []mesh.ServiceConfig{{
					Name: "chat", Registry: static.New([]lift.Endpoint{{Addr: "a:1"}, {Addr: "b:1"}}),
				}}})
				for range 6 {
					r, w := io.Pipe()
					c := &lift.Call{Service: "chat", Method: "GET", Path: "/", Upgrade: "websocket", Body: lift.StreamBody(r, -1, 0)}
					resp, err := m.Call(c)
					if err != nil || resp.Status != test.status {
						t.Fatalf("got %+v, %v", resp, err)
					}
					if resp.Status == 101 {
						time.Sleep(time.Hour)
						go func() { _, _ = io.WriteString(w, "ping") }()
						in, _ := resp.Body.Reader()
						got := make([]byte, 4)
						if _, err := io.ReadFull(in, got); err != nil || string(got) != "ping" {
							t.Errorf("got %q, %v", got, err)
						}
					}
					_ = w.Close()
					_ = resp.Body.Close()
					c.End()
					a := last(c)
					if want := map[int]lift.Outcome{101: lift.OK, 503: lift.Overloaded}[test.status]; a.Outcome != want || a.Endpoint.Addr != "a:1" {
						t.Errorf("the attempt: %+v", a)
					}
					time.Sleep(time.Minute)
				}
				if len(s.asked) != 6 {
					t.Errorf("asked %v", s.asked)
				}
				m.Close()
				synctest.Wait()
			})
		})
	}
}
