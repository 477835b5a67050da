package emulator_test

import (
	"bufio"
	"errors"
	"io"
	"net"
	"os"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/liftmesh/lift/emulator"
)

// upstream echoes lines, and can hang up on all its clients.
type upstream struct {
	t        *testing.T
	listener net.Listener
	mu       sync.Mutex
	conns    []net.Conn
}

func newUpstream(t *testing.T) *upstream {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	u := &upstream{t: t, listener: listener}
	var work sync.WaitGroup
	work.Go(func() {
		for {
			c, err := listener.Accept()
			if err != nil {
				return
			}
			u.mu.Lock()
			u.conns = append(u.conns, c)
			u.mu.Unlock()
			work.Go(func() { _, _ = io.Copy(c, c); _ = c.Close() })
		}
	})
	t.Cleanup(func() { _ = listener.Close(); u.hangUp(); work.Wait() })
	return u
}

func (u *upstream) addr() string { return u.listener.Addr().String() }

func (u *upstream) hangUp() {
	u.mu.Lock()
	defer u.mu.Unlock()
	for _, c := range u.conns {
		_ = c.Close()
	}
	u.conns = nil
}

func newRelay(t *testing.T, target string) *emulator.Relay {
	t.Helper()
	r, err := emulator.NewRelay(target)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = r.Close() })
	return r
}

// client talks by way of a relay.
type client struct {
	t *testing.T
	net.Conn
	r *bufio.Reader
}

func dial(t *testing.T, r *emulator.Relay) *client {
	t.Helper()
	c, err := net.Dial("tcp", r.Addr())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.Close() })
	return &client{t: t, Conn: c, r: bufio.NewReader(c)}
}

func (c *client) send(s string) {
	c.t.Helper()
	if _, err := io.WriteString(c, s+"\n"); err != nil {
		c.t.Fatal(err)
	}
}

func (c *client) read(limit time.Duration) (string, error) {
	if err := c.SetReadDeadline(time.Now().Add(limit)); err != nil {
		c.t.Fatal(err)
	}
	return c.r.ReadString('\n')
}

func (c *client) hears(want string) {
	c.t.Helper()
	if got, err := c.read(patience); err != nil || got != want+"\n" {
		c.t.Fatalf("heard %q, %v, want %q", got, err, want)
	}
}

func (c *client) echo(s string) {
	c.t.Helper()
	c.send(s)
	c.hears(s)
}

func (c *client) hearsNothing() {
	c.t.Helper()
	if got, err := c.read(50 * time.Millisecond); !errors.Is(err, os.ErrDeadlineExceeded) {
		c.t.Fatalf("heard %q, %v", got, err)
	}
}

func (c *client) isReset() {
	c.t.Helper()
	if got, err := c.read(patience); !errors.Is(err, syscall.ECONNRESET) {
		c.t.Fatalf("heard %q, %v, want a reset", got, err)
	}
}

func TestRelayDelivers(t *testing.T) {
	up := newUpstream(t)
	r := newRelay(t, up.addr())
	quiet, talking := dial(t, r), dial(t, r)
	quiet.echo("a")
	talking.echo("b")
	r.Hold()
	talking.send("held")
	late := dial(t, r)
	late.send("late")
	talking.hearsNothing()
	late.hearsNothing()
	r.Release(emulator.Deliver)
	talking.hears("held")
	late.hears("late")
	r.Hold()
	up.hangUp()
	quiet.hearsNothing() // the end is held
	r.Release(emulator.Deliver)
	if got, err := quiet.read(patience); !errors.Is(err, io.EOF) {
		t.Errorf("heard %q, %v, want a FIN", got, err)
	}
}

func TestRelayPassesHalfClose(t *testing.T) {
	r := newRelay(t, newUpstream(t).addr())
	c := dial(t, r)
	c.echo("a")
	c.send("last")
	if err := c.Conn.(*net.TCPConn).CloseWrite(); err != nil {
		t.Fatal(err)
	}
	c.hears("last")
	waitFor(t, "the connection is let go", func() bool { return r.Conns() == 0 })
}

func TestRelayResets(t *testing.T) {
	up := newUpstream(t)
	r := newRelay(t, up.addr())
	old, spoke := dial(t, r), dial(t, r)
	old.echo("a")
	spoke.echo("b")
	r.Hold()
	spoke.send("while held")
	up.hangUp()
	r.Release(emulator.Reset)
	spoke.isReset()
	old.hearsNothing() // no byte, no RST
	old.send("first byte")
	old.isReset()
	dial(t, r).echo("new ones pass")
}

func TestRelayStaysSilent(t *testing.T) {
	up := newUpstream(t)
	r := newRelay(t, up.addr())
	old := dial(t, r)
	old.echo("a")
	r.Hold()
	up.hangUp()
	r.Release(emulator.Silent)
	for range 3 {
		old.send("swallowed")
		old.hearsNothing()
	}
	dial(t, r).echo("new ones pass")
	r.Hold()
	r.Release(emulator.Deliver)
	old.send("still swallowed")
	old.hearsNothing()
}

func TestRelayWithoutTarget(t *testing.T) {
	up := newUpstream(t)
	r := newRelay(t, up.addr())
	_ = up.listener.Close()
	if c, err := net.Dial("tcp", r.Addr()); err == nil { // it may be reset before it is told that it was accepted
		defer c.Close()
		(&client{t: t, Conn: c, r: bufio.NewReader(c)}).isReset()
	} else if !errors.Is(err, syscall.ECONNRESET) {
		t.Error(err)
	}
	if _, err := emulator.NewRelay("nowhere"); !errors.Is(err, emulator.ErrConfig) {
		t.Errorf("error = %v", err)
	}
}

func TestRelayCloseWhileHeld(t *testing.T) {
	r := newRelay(t, newUpstream(t).addr())
	c := dial(t, r)
	c.echo("a")
	r.Hold()
	c.send("b")
	dial(t, r)
	if err := r.Close(); err != nil {
		t.Fatal(err)
	}
	if n := r.Conns(); n != 0 {
		t.Errorf("%d connections", n)
	}
}
