//go:build e2e && linux

package e2e_test

import (
	"fmt"
	"io"
	"net"
	"sync/atomic"
	"testing"
	"time"

	"github.com/liftmesh/lift/e2e/testfunction/order"
	"github.com/liftmesh/lift/emulator"
)

// counted is a way to Consul that counts what is open.
type counted struct {
	addr string
	open atomic.Int64
	all  atomic.Int64
}

func countTo(t *testing.T, addr string) *counted {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = l.Close() })
	c := &counted{addr: l.Addr().String()}
	go func() {
		for {
			in, err := l.Accept()
			if err != nil {
				return
			}
			c.all.Add(1)
			c.open.Add(1)
			go func() {
				defer c.open.Add(-1)
				defer in.Close()
				out, err := net.Dial("tcp", addr)
				if err != nil {
					return
				}
				defer out.Close()
				go func() {
					_, _ = io.Copy(in, out)
					_ = in.Close()
				}()
				_, _ = io.Copy(out, in)
			}()
		}
	}()
	return c
}

// Inside Lambda nothing is held open at Consul, in an invocation or frozen, and
// after a thaw the set is brought up to date beside the invocation.
func TestConsulInsideLambda(t *testing.T) {
	t.Parallel()
	up := startUpstreams(t, nil, "A", "B")
	agent := startConsul(t, "")
	agent.Register("a", up[0].Addr, nil)
	way := countTo(t, agent.Addr)
	e := startLambda(t, fmt.Sprintf("registry: {consul: {address: %q}}\nservices: {orders: {from: consul}}\n", "http://"+way.addr), nil)
	quiet := func(when string) {
		t.Helper()
		waitFor(t, "nothing is open at Consul "+when, func() bool { return way.open.Load() == 0 })
	}
	served := func() string {
		t.Helper()
		_, r := e.does(order.Order{Calls: []order.Call{get()}})
		a := r.Answers[0]
		if a.Error != "" {
			t.Fatalf("a call failed: %s", a.Error)
		}
		return a.Instance
	}
	for range 5 {
		if got := served(); got != "A" {
			t.Fatalf("%s served", got)
		}
	}
	quiet("after invocations")
	if n := way.all.Load(); n != 1 {
		t.Errorf("asked %d times in half a minute", n)
	}
	agent.Register("b", up[1].Addr, nil)
	agent.Deregister("a")
	for _, stands := range []bool{true, false} {
		if err := e.Freeze(); err != nil {
			t.Fatal(err)
		}
		quiet("while frozen")
		if err := e.Thaw(emulator.Gap{Length: 10 * time.Minute, MonotonicStands: stands}); err != nil {
			t.Fatal(err)
		}
		asked := way.all.Load()
		served() // by the old set, or the new one if that was faster
		waitFor(t, "the set is asked for after a thaw", func() bool { return way.all.Load() == asked+1 })
		quiet("after a thaw")
	}
	waitFor(t, "B serves", func() bool { return served() == "B" })
	if !e.out.has("inside Lambda no Consul listens on") {
		t.Error("no warning of an address of the loopback")
	}
}
