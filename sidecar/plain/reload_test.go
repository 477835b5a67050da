package plain_test

import (
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/liftmesh/lift"
	"github.com/liftmesh/lift/sidecar/plain"
)

const question = "GET / HTTP/1.1\r\nHost: orders\r\n\r\n"

// Two doors that share their bounds have them together.
func TestSharedBounds(t *testing.T) {
	arrived, release := make(chan struct{}), make(chan struct{})
	upstream := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {
		arrived <- struct{}{}
		<-release
	}))
	defer upstream.Close()
	cfg := plain.Config{Caller: meshTo(t, upstream.Listener.Addr().String()), Bounds: plain.NewBounds(plain.Limits{MaxPeers: 3, MaxCalls: 1}, nil)}
	one, _ := serve(t, cfg)
	two, _ := serve(t, cfg)
	a, b, c := dial(t, one), dial(t, two), dial(t, two)
	a.say(question)
	<-arrived
	b.say(question)
	if resp, body := b.answer(http.MethodGet); resp.StatusCode != http.StatusServiceUnavailable || !strings.Contains(body, "limit of 1 calls") {
		t.Errorf("a second call at the other door: %d %s", resp.StatusCode, body)
	}
	close(release)
	if resp, body := a.answer(http.MethodGet); resp.StatusCode != http.StatusOK {
		t.Errorf("the call that ran: %d %s", resp.StatusCode, body)
	}
	go func() { <-arrived }()
	c.say(question) // the first has given its place back
	if resp, body := c.answer(http.MethodGet); resp.StatusCode != http.StatusOK {
		t.Errorf("the next one: %d %s", resp.StatusCode, body)
	}
	dial(t, one) // b has been hung up on
	extra := dial(t, one)
	extra.say(question)
	if resp, body := extra.answer(http.MethodGet); resp.StatusCode != http.StatusServiceUnavailable || !strings.Contains(body, "limit of 3 connections") {
		t.Errorf("a connection too many: %d %s", resp.StatusCode, body)
	}
}

// A way in that is shut lets nobody in, and those who are in stay.
func TestShut(t *testing.T) {
	addr, s := serve(t, plain.Config{Caller: lift.CallerFunc(tell), Services: []string{"orders"}})
	inside := dial(t, addr)
	inside.say(question)
	if resp, _ := inside.answer(http.MethodGet); resp.StatusCode != http.StatusOK {
		t.Fatal(resp.Status)
	}
	s.Shut()
	if c, err := net.Dial("tcp", addr); err == nil {
		_ = c.Close()
		t.Error("somebody came in")
	}
	s.List([]string{"billing"})
	inside.say("GET / HTTP/1.1\r\nHost: lift\r\n\r\n")
	if resp, body := inside.answer(http.MethodGet); resp.StatusCode != http.StatusOK || !strings.Contains(body, `["billing"]`) {
		t.Errorf("%d %s", resp.StatusCode, body)
	}
	if got := s.Traffic(); got.Peers != 1 || got.Running != 0 || got.Begun != 1 {
		t.Errorf("traffic: %+v", got)
	}
}

func ExampleNewBounds() {
	// Each address is a door of its own; together they serve 256 connections.
	bounds := plain.NewBounds(plain.Limits{MaxPeers: 256}, nil)
	for range 2 {
		door, err := plain.Listen(plain.Config{
			Addresses: []plain.Address{{Network: "tcp", Addr: "127.0.0.1:0"}}, Bounds: bounds,
			Caller: lift.CallerFunc(tell),
		})
		if err != nil {
			fmt.Println(err)
			return
		}
		fmt.Println(door.Addrs()[0].Network())
		door.Close()
	}
	// Output:
	// tcp
	// tcp
}
