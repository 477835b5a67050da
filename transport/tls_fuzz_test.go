package transport_test

import (
	"io"
	"testing"
	"testing/synctest"
	"time"

	"github.com/liftmesh/lift"
	"github.com/liftmesh/lift/internal/certtest"
	"github.com/liftmesh/lift/transport"
)

// FuzzHandshake has a peer answer a TLS handshake with anything: the call ends in
// time, has reached nobody, and leaves nothing.
func FuzzHandshake(f *testing.F) {
	for _, s := range []string{
		"", "HTTP/1.1 400 Bad Request\r\n\r\n", "SSH-2.0-x\r\n", "\x15\x03\x01\x00\x02\x02\x28", "\x15\x03\x03\x00\x02\x01\x00",
		"\x16\x03\x03\x00\x04\x0e\x00\x00\x00", "\x16\x03\x03\xff\xff", "\x17\x03\x03\x00\x01x", "\x14\x03\x03\x00\x01\x01", "\x16\x03\x03\x00\x02\x02\x00",
	} {
		f.Add([]byte(s), true)
		f.Add([]byte(s), false)
	}
	a := certtest.New(f, "ca")
	f.Fuzz(func(t *testing.T, says []byte, hangUp bool) {
		synctest.Test(t, func(t *testing.T) {
			b := newBench(t, func(_ *upstream, c conn, r reader) {
				_, _ = r.ReadByte()
				_, _ = c.Write(says)
				if !hangUp {
					_, _ = io.Copy(io.Discard, r)
				}
			}, transport.Config{TLS: &transport.TLS{CA: []string{a.File}}})
			b.up.roomy = true
			c, began := b.call("POST", lift.BytesBody([]byte("body"))), time.Now()
			_, err := b.RoundTrip(c)
			if code := lift.CodeOf(err); code != lift.Unavailable && code != lift.AttemptTimeout {
				t.Errorf("an error of the wrong kind: %v", err)
			}
			if took := time.Since(began); took > time.Second {
				t.Errorf("took %s", took)
			}
			if c.Reached != lift.NotReached {
				t.Errorf("reached %v", c.Reached)
			}
			c.End()
			synctest.Wait()
			if s := b.Stats(); s.Open != 0 {
				t.Errorf("left: %+v", s)
			}
		})
	})
}

// FuzzUpgrade has a peer answer anything to a call that asks for an upgrade, and
// then go: the call ends, and leaves nothing.
func FuzzUpgrade(f *testing.F) {
	for _, s := range []string{switching, switching + "hello", okAnswer, "HTTP/1.1 101 X\r\n\r\n", "HTTP/1.1 101 X\r\nUpgrade: echo/2\r\n\r\n", "HTTP/1.1 100 C\r\n\r\n" + switching, chunkedHead, ""} {
		f.Add([]byte(s), true)
		f.Add([]byte(s), false)
	}
	f.Fuzz(func(t *testing.T, answer []byte, goes bool) {
		synctest.Test(t, func(t *testing.T) {
			p := holding(string(answer))
			if goes {
				p = answering(string(answer))
			}
			b := newBench(t, p, transport.Config{})
			b.up.roomy = true
			c, w := b.upgrading()
			resp, err := b.RoundTrip(c)
			if err == nil {
				if resp.Status == 101 {
					time.AfterFunc(time.Hour, func() { _ = resp.Body.Close() })
				}
				_, err = resp.Body.ReadAll(0)
				if resp.Status < 200 && resp.Status != 101 {
					t.Errorf("status %d", resp.Status)
				}
			}
			switch lift.CodeOf(err) {
			case lift.Unavailable, lift.BadResponse, lift.AttemptTimeout, lift.DeadlineExceeded, "":
			default:
				t.Errorf("an error of the wrong kind: %v", err)
			}
			c.End()
			_ = w.Close()
			synctest.Wait()
			if s := b.Stats(); s.InUse != 0 || b.up.seen() > 1 {
				t.Errorf("left: %+v, %d requests", s, b.up.seen())
			}
		})
	})
}
