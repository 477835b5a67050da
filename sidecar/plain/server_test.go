package plain_test

import (
	"context"
	"errors"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/liftmesh/lift"
	"github.com/liftmesh/lift/sidecar/plain"
)

func TestUnixSocket(t *testing.T) {
	path := filepath.Join(t.TempDir(), "a", "plain.sock")
	addr, s := serve(t, plain.Config{Caller: lift.CallerFunc(tell), Mode: 0o660, Addresses: []plain.Address{{Network: "unix", Addr: path}}})
	if addr != path {
		t.Errorf("it listens at %s", addr)
	}
	if info, err := os.Stat(path); err != nil || info.Mode().Perm() != 0o660 {
		t.Errorf("%v, %v", info, err)
	}
	open := dial(t, path)
	ask := func(c *raw) {
		t.Helper()
		c.say("GET / HTTP/1.1\r\nHost: orders\r\n\r\n")
		if resp, body := c.answer(http.MethodGet); resp.StatusCode != 200 {
			t.Errorf("%d %s", resp.StatusCode, body)
		}
	}
	ask(open)
	if err := os.Remove(path); err != nil {
		t.Fatal(err)
	}
	s.Recheck()
	ask(open) // who is here stays
	ask(dial(t, path))
	if _, err := plain.Listen(plain.Config{Caller: lift.CallerFunc(tell), Addresses: []plain.Address{{Network: "unix", Addr: path}}}); err == nil ||
		!strings.Contains(err.Error(), "in use by this process") || !strings.Contains(err.Error(), "`plain:`") {
		t.Errorf("a second one: %v", err)
	}
	s.Close()
	if _, err := os.Lstat(path); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("left behind: %v", err)
	}
}

// One address that cannot be had gives the others back.
func TestAllAddressesOrNone(t *testing.T) {
	taken, _ := serve(t, plain.Config{Caller: lift.CallerFunc(tell)})
	path := filepath.Join(t.TempDir(), "plain.sock")
	_, err := plain.Listen(plain.Config{Caller: lift.CallerFunc(tell), Addresses: []plain.Address{{Network: "unix", Addr: path}, {Network: "tcp", Addr: taken}}})
	if err == nil || !strings.Contains(err.Error(), taken) || !strings.Contains(err.Error(), "choose another port") {
		t.Errorf("%v", err)
	}
	if _, err := os.Lstat(path); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("the socket stays: %v", err)
	}
}

func TestBadConfigs(t *testing.T) {
	ok := lift.CallerFunc(tell)
	for _, tt := range []struct {
		cfg  plain.Config
		says string
	}{
		{plain.Config{Addresses: []plain.Address{{Network: "tcp", Addr: "127.0.0.1:0"}}}, "Caller is not set"},
		{plain.Config{Caller: ok}, "Addresses is empty"},
		{plain.Config{Caller: ok, Addresses: []plain.Address{{Network: "tcp", Addr: "0.0.0.0:0"}}}, "not on the loopback"},
		{plain.Config{Caller: ok, Addresses: []plain.Address{{Network: "tcp", Addr: "127.0.0.1"}}}, "missing port"},
		{plain.Config{Caller: ok, Addresses: []plain.Address{{Network: "udp", Addr: "127.0.0.1:0"}}}, "neither unix nor tcp"},
		{plain.Config{Caller: ok, Group: "no such group", Addresses: []plain.Address{{Network: "unix", Addr: "/tmp/x.sock"}}}, "no such group"},
	} {
		if _, err := plain.Listen(tt.cfg); err == nil || !strings.Contains(err.Error(), tt.says) {
			t.Errorf("%v; want %s", err, tt.says)
		}
	}
}

func TestPeersBeyondTheLimit(t *testing.T) {
	addr, _ := serve(t, plain.Config{Caller: lift.CallerFunc(tell), Limits: plain.Limits{MaxPeers: 1}})
	first := dial(t, addr)
	first.say("GET / HTTP/1.1\r\nHost: orders\r\n\r\n")
	first.answer(http.MethodGet)
	second := dial(t, addr)
	second.say("GET / HTTP/1.1\r\nHost: orders\r\n\r\n")
	resp, body := second.answer(http.MethodGet)
	if e := errorOf(t, resp, body).Error; resp.StatusCode != 503 || e.Code != "busy" || !strings.Contains(e.Message, "limit of 1 connections") {
		t.Errorf("%d %s", resp.StatusCode, body)
	}
	if rest, ok := second.ends(); !ok || rest != "" {
		t.Errorf("goes on: %q", rest)
	}
	first.say("GET / HTTP/1.1\r\nHost: orders\r\n\r\n")
	if resp, _ := first.answer(http.MethodGet); resp.StatusCode != 200 {
		t.Errorf("the first: %d", resp.StatusCode)
	}
}

func TestHeaderLimitCountsFields(t *testing.T) {
	addr, _ := serve(t, plain.Config{Caller: lift.CallerFunc(tell), Limits: plain.Limits{MaxHeader: 2048}})
	resp, body := get(t, addr, "/", "Host: orders", strings.TrimSuffix(strings.Repeat("X: y\r\n", 70), "\r\n"))
	if e := errorOf(t, resp, body).Error; resp.StatusCode != 431 || e.Code != "too_large" || !strings.Contains(e.Message, "the limit is 2048") {
		t.Errorf("%d %s", resp.StatusCode, body)
	}
}

func TestPanicsAreOneCallsOwn(t *testing.T) {
	addr, _ := serve(t, plain.Config{Caller: lift.CallerFunc(func(*lift.Call) (*lift.Response, error) { panic("oh") })})
	for range 2 {
		resp, body := get(t, addr, "/", "Host: orders")
		if e := errorOf(t, resp, body).Error; resp.StatusCode != 500 || e.Code != "internal" || !strings.Contains(e.Message, "oh") {
			t.Errorf("%d %s", resp.StatusCode, body)
		}
	}
	addr, _ = serve(t, plain.Config{Caller: lift.CallerFunc(func(*lift.Call) (*lift.Response, error) { return nil, nil })}) //nolint:nilnil // the bug
	if resp, body := get(t, addr, "/", "Host: orders"); errorOf(t, resp, body).Error.Code != "internal" {
		t.Errorf("%d %s", resp.StatusCode, body)
	}
}

// A drain lets what runs come to its end, and takes nothing new.
func TestDrain(t *testing.T) {
	arrived, release := make(chan struct{}), make(chan struct{})
	addr, s := serve(t, plain.Config{Caller: lift.CallerFunc(func(c *lift.Call) (*lift.Response, error) {
		if c.Path == "/slow" {
			close(arrived)
			<-release
		}
		return tell(c)
	})})
	idle, running := dial(t, addr), dial(t, addr)
	idle.say("GET / HTTP/1.1\r\nHost: orders\r\n\r\n")
	idle.answer(http.MethodGet)
	running.say("GET /slow HTTP/1.1\r\nHost: orders\r\n\r\n")
	<-arrived
	drained := make(chan error, 1)
	go func() { drained <- s.Drain(context.Background()) }()
	for { // until the drain has begun
		idle.say("GET /healthz HTTP/1.1\r\nHost: lift\r\n\r\n")
		if resp, _ := idle.answer(http.MethodGet); resp.StatusCode == 503 {
			break
		}
	}
	close(release)
	if resp, body := running.answer(http.MethodGet); resp.StatusCode != 200 {
		t.Errorf("what ran: %d %s", resp.StatusCode, body)
	}
	if err := <-drained; err != nil {
		t.Error(err)
	}
}

func TestDrainRefusesAndCuts(t *testing.T) {
	arrived := make(chan struct{})
	addr, s := serve(t, plain.Config{Caller: lift.CallerFunc(func(c *lift.Call) (*lift.Response, error) {
		close(arrived)
		<-c.Done()
		return nil, lift.Errorf(c, lift.CallCanceled, "%w", c.Err())
	})})
	other, running, probe := dial(t, addr), dial(t, addr), dial(t, addr)
	other.say("GET /healthz HTTP/1.1\r\nHost: lift\r\n\r\n")
	other.answer(http.MethodGet)
	running.say("GET / HTTP/1.1\r\nHost: orders\r\n\r\n")
	<-arrived
	ctx, cancel := context.WithCancel(t.Context())
	drained := make(chan error, 1)
	go func() { drained <- s.Drain(ctx) }()
	for { // until the drain has begun
		probe.say("HEAD /healthz HTTP/1.1\r\nHost: lift\r\n\r\n")
		resp, _ := probe.answer(http.MethodHead)
		if resp.StatusCode == 503 {
			break
		}
	}
	other.say("GET / HTTP/1.1\r\nHost: orders\r\n\r\n")
	if resp, body := other.answer(http.MethodGet); resp.StatusCode != 503 || errorOf(t, resp, body).Error.Code != "draining" || !resp.Close {
		t.Errorf("a new call: %d %s", resp.StatusCode, body)
	}
	cancel()
	if resp, body := running.answer(http.MethodGet); resp.StatusCode != 503 || errorOf(t, resp, body).Error.Code != "draining" {
		t.Errorf("what ran: %d %s", resp.StatusCode, body)
	}
	if err := <-drained; !errors.Is(err, context.Canceled) {
		t.Errorf("%v", err)
	}
	if got := s.Traffic(); got.Cut != 1 {
		t.Errorf("%d calls are said to be cut, want 1", got.Cut)
	}
}

// An unfinished upload does not hold up the answer's end for long, nor the door.
func TestCloseWithAnUploadUnderWay(t *testing.T) {
	addr, s := serve(t, plain.Config{Caller: lift.CallerFunc(func(c *lift.Call) (*lift.Response, error) {
		r, err := c.Body.Reader()
		if err != nil {
			return nil, err
		}
		_, err = r.Read(make([]byte, 10))
		if err != nil {
			return nil, err
		}
		_, err = r.Read(make([]byte, 10)) // nothing more comes
		return nil, lift.Errorf(c, lift.CallCanceled, "%w", err)
	})})
	c := dial(t, addr)
	c.say("POST / HTTP/1.1\r\nHost: orders\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nfirst\r\n")
	ended := make(chan struct{})
	go func() {
		s.Close()
		close(ended)
	}()
	if _, ok := c.ends(); !ok {
		t.Error("the connection goes on")
	}
	select {
	case <-ended:
	case <-time.After(patience):
		t.Error("Close does not return")
	}
}
