package transport_test

import (
	"bufio"
	"io"
	"net"
	"net/http"
	"runtime"
	"sync"
	"testing"
	"time"

	"github.com/liftmesh/lift"
	"github.com/liftmesh/lift/transport"
)

// listen serves each connection on loopback with serve.
func listen(t testing.TB, serve func(c *net.TCPConn, r *bufio.Reader)) string {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	var wg sync.WaitGroup
	wg.Go(func() {
		for {
			c, err := ln.Accept()
			if err != nil {
				return
			}
			wg.Go(func() {
				defer c.Close()
				serve(c.(*net.TCPConn), bufio.NewReader(c)) //nolint:forcetypeassert // of a TCP listener
			})
		}
	})
	t.Cleanup(func() { _ = ln.Close(); wg.Wait() })
	return ln.Addr().String()
}

// What has died before a call began is seen by it, be it the instant before: no
// POST is lost.
func TestDeadBeforeTheCall(t *testing.T) {
	for name, linger := range map[string]int{"fin": -1, "rst": 0} {
		t.Run(name, func(t *testing.T) {
			closed := make(chan struct{})
			addr := listen(t, func(c *net.TCPConn, r *bufio.Reader) {
				req, err := http.ReadRequest(r)
				if err != nil {
					return
				}
				_, _ = io.Copy(io.Discard, req.Body)
				_, _ = io.WriteString(c, okAnswer)
				_ = c.SetLinger(linger)
				_ = c.Close()
				closed <- struct{}{}
			})
			p := transport.NewPool(addr, transport.Options{})
			defer p.Close()
			for i := range 300 {
				c := &lift.Call{Method: "POST", Body: lift.BytesBody([]byte("x")), Deadline: time.Now().Add(10 * time.Second)}
				resp, err := p.RoundTrip(tryOf(c))
				if err != nil {
					t.Fatalf("call %d: %v", i, err)
				}
				wantHello(t, resp)
				<-closed
			}
		})
	}
}

func TestRefused(t *testing.T) {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	addr := ln.Addr().String()
	_ = ln.Close()
	p := transport.NewPool(addr, transport.Options{})
	defer p.Close()
	a := tryOf(&lift.Call{Method: "POST"})
	_, err = p.RoundTrip(a)
	wantError(t, err, lift.Unavailable)
	if a.Reached != lift.NotReached {
		t.Errorf("reached %s", a.Reached)
	}
}

// An instance that answers early and resets the rest is heard: the answer is in
// the kernel when the sending fails.
func TestEarlyAnswerThenReset(t *testing.T) {
	addr := listen(t, func(c *net.TCPConn, r *bufio.Reader) {
		if _, err := http.ReadRequest(r); err == nil {
			_, _ = io.WriteString(c, "HTTP/1.1 413 Too Large\r\nContent-Length: 5\r\n\r\nhello")
		} // closed with the rest of the request unread: a reset
	})
	p := transport.NewPool(addr, transport.Options{})
	defer p.Close()
	body := make([]byte, 8<<20)
	lost := 0
	for range 30 {
		resp, err := p.RoundTrip(tryOf(&lift.Call{Method: "POST", Body: lift.BytesBody(body), Deadline: time.Now().Add(10 * time.Second)}))
		if err != nil {
			lost++ // the reset can overtake the answer in the endpoint's own kernel
			continue
		}
		if resp.Status != 413 {
			t.Fatalf("got %d", resp.Status)
		}
	}
	if lost > 10 {
		t.Errorf("%d of 30 answers were lost", lost)
	}
}

// Many calls at once over few connections, with an endpoint that hangs up at
// odd times: nothing is lost of what can be sent again, and nothing is left.
func TestManyAtOnce(t *testing.T) {
	var mu sync.Mutex
	n := 0
	addr := listen(t, func(c *net.TCPConn, r *bufio.Reader) {
		for {
			req, err := http.ReadRequest(r)
			if err != nil {
				return
			}
			_, _ = io.Copy(io.Discard, req.Body)
			if _, err := io.WriteString(c, okAnswer); err != nil {
				return
			}
			mu.Lock()
			n++
			bye := n%7 == 0
			mu.Unlock()
			if bye {
				return
			}
		}
	})
	p := transport.NewPool(addr, transport.Options{Config: transport.Config{MaxConnections: 4}, Slots: transport.NewSlots(3, 2)})
	var wg sync.WaitGroup
	var failed int
	for range 16 {
		wg.Go(func() {
			for range 50 {
				resp, err := p.RoundTrip(tryOf(&lift.Call{Deadline: time.Now().Add(20 * time.Second)}))
				if err != nil {
					mu.Lock()
					failed++
					mu.Unlock()
					continue
				}
				wantHello(t, resp)
			}
		})
	}
	wg.Wait()
	if failed > 0 {
		t.Errorf("%d of 800 calls failed", failed)
	}
	p.Close()
	for until := time.Now().Add(10 * time.Second); p.Stats().Open != 0; runtime.Gosched() {
		if time.Now().After(until) {
			t.Fatalf("left: %+v", p.Stats())
		}
	}
}
