//go:build e2e && linux

package e2e_test

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"sync"
	"testing"

	"github.com/liftmesh/lift"
	"github.com/liftmesh/lift/sdk"
)

// rogue is an upstream that does with each request what it likes.
func rogue(t *testing.T, do func(*net.TCPConn)) (addr string) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	var work sync.WaitGroup
	var mu sync.Mutex
	var conns []net.Conn
	t.Cleanup(func() {
		_ = l.Close()
		mu.Lock()
		for _, c := range conns {
			_ = c.Close()
		}
		mu.Unlock()
		work.Wait()
	})
	work.Go(func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			mu.Lock()
			conns = append(conns, c)
			mu.Unlock()
			work.Go(func() {
				defer c.Close()
				r := bufio.NewReader(c)
				for {
					line, err := r.ReadString('\n')
					if err != nil {
						return
					}
					if strings.TrimSpace(line) == "" {
						do(c.(*net.TCPConn))
						return
					}
				}
			})
		}
	})
	return l.Addr().String()
}

// rogues are the ways in which an upstream can be wrong, and what is to be said
// of each.
func rogues() []struct {
	name string
	do   func(*net.TCPConn)
	code lift.Code
	says []string
} {
	return []struct {
		name string
		do   func(*net.TCPConn)
		code lift.Code
		says []string
	}{
		{"garbage", func(c *net.TCPConn) { _, _ = io.WriteString(c, "\x16\x03\x01\x02 what?\r\n\r\n") },
			lift.BadResponse, []string{"not an HTTP/1.1 answer", "is that an HTTP port?"}},
		{"half", func(c *net.TCPConn) { _, _ = io.WriteString(c, "HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhalf") },
			lift.BadResponse, []string{"4 of 100 bytes", "did the instance die?"}},
		{"half-a-head", func(c *net.TCPConn) { _, _ = io.WriteString(c, "HTTP/1.1 200 OK\r\nContent-Le") },
			lift.BadResponse, []string{"within its head", "did the instance die?"}},
		{"endless-header", func(c *net.TCPConn) {
			_, err := io.WriteString(c, "HTTP/1.1 200 OK\r\n")
			for line := []byte("X-More: " + strings.Repeat("m", 4000) + "\r\n"); err == nil; {
				_, err = c.Write(line)
			}
		}, lift.BadResponse, []string{"header", "max_header"}},
		{"reset", func(c *net.TCPConn) { _ = c.SetLinger(0) },
			lift.Unavailable, []string{"before an answer came", "did the instance die or restart?"}},
		{"closes", func(*net.TCPConn) {},
			lift.Unavailable, []string{"before an answer came", "did the instance die or restart?"}},
		{"silent", func(c *net.TCPConn) { _, _ = io.Copy(io.Discard, c) },
			lift.AttemptTimeout, []string{"no answer within", "attempt_timeout"}},
	}
}

// Each error names the endpoint and what to do; where there is a healthy
// instance beside the rogue, no GET fails.
func TestRogueUpstreams(t *testing.T) {
	t.Parallel()
	room := startWaitingRoom(t)
	config := "defaults: {timeout: 3s, attempt_timeout: 300ms, balancer: {strategy: round_robin}, connections: {max_idle_count: 2}}\nservices:\n"
	addrs := map[string]string{}
	for _, r := range rogues() {
		addr := rogue(t, r.do)
		addrs[r.name] = addr
		config += fmt.Sprintf("  %s: {from: static, endpoints: %s}\n", r.name, endpoints(addr))
		config += fmt.Sprintf("  %s-and-well: {from: static, endpoints: %s}\n", r.name, endpoints(addr, room.addr()))
	}
	// Its head has been handed on when it breaks off, so nobody can try again.
	half := rogue(t, func(c *net.TCPConn) {
		_, _ = io.WriteString(c, "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nhalf\r\n4\r\nan")
	})
	config += fmt.Sprintf("  half-a-stream: {from: static, endpoints: %s}\n", endpoints(half))
	config += fmt.Sprintf("  refused: {from: static, endpoints: %s}\n", endpoints(ownAddr(t)))
	config += fmt.Sprintf("  orders: {from: static, endpoints: %s}\n", endpoints(room.addr()))
	s := startShipped(t, config)
	client := s.dial(t)
	for _, r := range rogues() {
		t.Run(r.name, func(t *testing.T) {
			s.unharmed(t, client, func() {
				for _, method := range []string{http.MethodPost, http.MethodGet} {
					_, err := sdk.JSON[answer](within(t, patience), client, method, r.name, "/", nil)
					e, ok := errors.AsType[*lift.Error](err)
					if !ok || e.Code != r.code || e.Endpoint != addrs[r.name] || e.Reached == lift.NotReached {
						t.Errorf("%s: got %+v, want the code %s of %s, and that it was reached", method, e, r.code, addrs[r.name])
					}
					for _, says := range append(r.says, addrs[r.name]) {
						if !strings.Contains(fmt.Sprint(err), says) {
							t.Errorf("%s: it does not say %q: %v", method, says, err)
						}
					}
				}
				met := false
				for range 30 {
					var rec sdk.Record
					if _, err := sdk.Get[answer](within(t, patience), client, r.name+"-and-well", "/", sdk.RecordIn(&rec)); err != nil {
						t.Errorf("a GET beside a healthy instance: %v", err)
					}
					met = met || len(rec.Attempts()) > 1
				}
				if !met {
					t.Error("no call has met the rogue")
				}
			})
		})
	}
	t.Run("half-a-stream", func(t *testing.T) {
		s.unharmed(t, client, func() {
			for range wrongs {
				_, err := sdk.Get[answer](within(t, patience), client, "half-a-stream", "/")
				if errors.Is(err, lift.AllOpen) {
					return // it has been found out
				}
				e, ok := errors.AsType[*lift.Error](err)
				if !ok || e.Code != lift.BadResponse || e.Reached != lift.Answered || !strings.Contains(err.Error(), half) || !strings.Contains(err.Error(), "did the instance die?") {
					t.Errorf("got %v", err)
				}
			}
			t.Error("it has not been found out")
		})
	})
	t.Run("refused", func(t *testing.T) {
		s.unharmed(t, client, func() {
			_, err := sdk.Post[answer](within(t, patience), client, "refused", "/", answer{})
			if e, ok := errors.AsType[*lift.Error](err); !ok || e.Code != lift.Unavailable || e.Reached != lift.NotReached || !strings.Contains(err.Error(), "refused") {
				t.Errorf("got %v", err)
			}
		})
	})
}
