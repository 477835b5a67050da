package transport_test

import (
	"io"
	"testing"
	"testing/synctest"
	"time"

	"github.com/liftmesh/lift"
	"github.com/liftmesh/lift/transport"
)

// FuzzAnswer has a peer answer anything: the call ends by its deadline with a
// response or an error of the right kind, and nothing is left of it.
func FuzzAnswer(f *testing.F) {
	for _, s := range []string{
		okAnswer, okAnswer + okAnswer, "", "HTTP/1.1 200 OK\r\n\r\n", "HTTP/1.1 204 X\r\n\r\njunk", "HTTP/1.0 200\r\n\r\n",
		chunkedHead + "5\r\nhello\r\n0\r\nA: b\r\n\r\n", chunkedHead + "ffffffffffffffff\r\n", chunkedHead + "5;x=y\r\nhello\r\n",
		"HTTP/1.1 100 Continue\r\n\r\n" + okAnswer, "HTTP/1.1 101 X\r\nUpgrade: x\r\nConnection: Upgrade\r\n\r\n", "HTTP/1.1 099 X\r\n\r\n",
		"HTTP/1.1 200 OK\r\nContent-Length: 9999999999\r\n\r\n", "HTTP/1.1 200 OK\r\nConnection: close\r\n\r\nx", "\x00\x00\x12\x04\x00\x00",
		"HTTP/1.1 408 Request Timeout\r\nContent-Length: 0\r\n\r\n",
	} {
		f.Add([]byte(s), true, uint8(0))
		f.Add([]byte(s), false, uint8(1))
		f.Add([]byte(s), false, uint8(2))
	}
	f.Fuzz(func(t *testing.T, answer []byte, hangUp bool, method uint8) {
		synctest.Test(t, func(t *testing.T) {
			p := holding(string(answer))
			if hangUp {
				p = answering(string(answer))
			}
			b := newBench(t, p, transport.Config{})
			for range 2 { // the second on what the first left behind
				began := time.Now()
				c := b.call([]string{"GET", "POST", "HEAD"}[method%3], lift.BytesBody([]byte("x")))
				resp, err := b.RoundTrip(c)
				if err == nil {
					var r io.Reader
					if r, err = resp.Body.Reader(); err == nil {
						_, err = io.Copy(io.Discard, r)
					}
					if resp.Status < 200 || resp.Status > 999 {
						t.Errorf("status %d", resp.Status)
					}
				}
				switch lift.CodeOf(err) {
				case lift.Unavailable, lift.BadResponse, lift.AttemptTimeout, lift.DeadlineExceeded:
				default:
					if err != nil {
						t.Errorf("an error of the wrong kind: %v", err)
					}
				}
				if took := time.Since(began); took > 10*time.Second {
					t.Errorf("took %s", took)
				}
				c.End()
			}
			synctest.Wait()
			if s := b.Stats(); s.InUse != 0 {
				t.Errorf("left: %+v", s)
			}
		})
	})
}

// FuzzRequest has a caller send anything: what is let through is one request.
func FuzzRequest(f *testing.F) {
	f.Add("GET", "/a?b", "Accept", "x", []byte("body"))
	f.Add("POST", "//a/%zz", "Transfer-Encoding", "chunked", []byte(""))
	f.Add("X\r\n", "/\r\n", "A\r\nB", "c\r\nd", []byte("GET / HTTP/1.1\r\n\r\n"))
	f.Add("OPTIONS", "*", "connection", "host, content-length", []byte("x"))
	f.Fuzz(func(t *testing.T, method, path, name, value string, body []byte) {
		synctest.Test(t, func(t *testing.T) {
			b := newBench(t, healthy, transport.Config{})
			c := b.call(method, lift.BytesBody(body))
			c.Path, c.Header = path, []lift.Field{{Name: name, Value: value}}
			resp, err := b.RoundTrip(c)
			switch {
			case err == nil:
				_, _ = resp.Body.ReadAll(0)
			case lift.CodeOf(err) != lift.InvalidCall && lift.CodeOf(err) != lift.Unavailable:
				t.Fatalf("an error of the wrong kind: %v", err)
			}
			synctest.Wait()
			if n := b.up.seen(); n > 1 || err == nil && n != 1 {
				t.Fatalf("the endpoint saw %d requests", n)
			}
		})
	})
}
