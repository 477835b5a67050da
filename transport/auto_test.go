package transport_test

import (
	"crypto/tls"
	"testing"
	"testing/synctest"
	"time"

	"github.com/liftmesh/lift"
	"github.com/liftmesh/lift/internal/certtest"
	"github.com/liftmesh/lift/transport"
)

// secure makes the endpoint speak TLS and choose among the protocols.
func (u *h2upstream) secure(a *certtest.Authority, protocols ...string) {
	cfg := a.Server("orders.test", func(c *tls.Config) { c.NextProtos = protocols })
	u.set(func(u *h2upstream) { u.tls = cfg })
}

func newSecure(t *testing.T, a *certtest.Authority, protocol transport.Protocol) (transport.Upstream, *h2upstream, *clock) {
	t.Helper()
	up, clock := &h2upstream{}, newClock()
	w := transport.New("orders.test:443", transport.Options{Dial: up.dial, Now: clock.now, Config: transport.Config{
		Protocol: protocol, TLS: &transport.TLS{CA: []string{a.File}},
	}})
	t.Cleanup(func() {
		w.Close()
		up.close()
		synctest.Wait()
		if s := w.Stats(); s.Open != 0 {
			t.Errorf("connections left at the end: %+v", s)
		}
	})
	return w, up, clock
}

func mustSay(t *testing.T, w lift.RoundTripper, clock *clock) *lift.Attempt {
	t.Helper()
	c := aCall(clock, "POST", nil)
	resp, err := w.RoundTrip(c)
	if err != nil {
		t.Fatal(err)
	}
	wantHello(t, resp)
	c.End()
	return c
}

// The endpoint chooses, whoever asks first and however many ask at once; one
// connection is opened for that and carries the call.
func TestAutoIsTheEndpointsChoice(t *testing.T) {
	a := certtest.New(t, "ca")
	for chosen, offered := range map[string][]string{"h2": {"h2", "http/1.1"}, "http/1.1": {"http/1.1"}} {
		t.Run(chosen, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w, up, clock := newSecure(t, a, transport.Auto)
				up.secure(a, offered...)
				if err := w.Warm(t.Context(), 1); err != nil {
					t.Fatal(err)
				}
				done := make(chan bool)
				for range 3 {
					go func() {
						defer func() { done <- true }()
						mustSay(t, w, clock)
					}()
				}
				for range 3 {
					<-done
				}
				if h2 := up.seen() == 3; h2 != (chosen == "h2") {
					t.Errorf("%d calls came over HTTP/2", up.seen())
				}
				if n := len(up.all()); chosen == "h2" && n != 1 {
					t.Errorf("%d connections", n)
				}
				w.Thaw()
			})
		})
	}
}

// An endpoint that is another program after a restart is asked anew.
func TestAutoChangesItsMind(t *testing.T) {
	a := certtest.New(t, "ca")
	synctest.Test(t, func(t *testing.T) {
		w, up, clock := newSecure(t, a, transport.Auto)
		up.set(func(u *h2upstream) { u.refusing = true })
		c := aCall(clock, "POST", nil)
		_, err := w.RoundTrip(c)
		wantError(t, err, lift.Unavailable)
		if !c.Fresh || c.Reached != lift.NotReached {
			t.Errorf("%+v", c)
		}
		up.set(func(u *h2upstream) { u.refusing = false })
		up.secure(a, "h2")
		mustSay(t, w, clock)
		for _, c := range up.all() {
			_ = c.Close()
		}
		up.secure(a, "http/1.1")
		synctest.Wait()
		_, err = w.RoundTrip(aCall(clock, "POST", nil))
		wantError(t, err, lift.Unavailable)
		mustSay(t, w, clock)
		if up.seen() != 1 {
			t.Errorf("%d calls came over HTTP/2", up.seen())
		}
	})
}

// A call waits for the endpoint's choice no longer than it may.
func TestAutoWithinTheAttempt(t *testing.T) {
	a := certtest.New(t, "ca")
	synctest.Test(t, func(t *testing.T) {
		w, up, clock := newSecure(t, a, transport.Auto)
		up.set(func(u *h2upstream) { u.mute = true }) // and no TLS either
		c := aCall(clock, "POST", nil)
		c.Timeout = 100 * time.Millisecond
		c.Deadline = c.Began.Wall.Add(100 * time.Millisecond)
		began := time.Now()
		_, err := w.RoundTrip(c)
		wantError(t, err, lift.AttemptTimeout)
		if took := time.Since(began); took != 100*time.Millisecond || c.Reached != lift.NotReached {
			t.Errorf("after %s: %+v", took, c)
		}
		time.Sleep(3 * time.Second) // the handshake gives up by itself
	})
}

func TestH2OverTLS(t *testing.T) {
	a := certtest.New(t, "ca")
	for _, protocol := range []transport.Protocol{transport.H2, transport.GRPC} {
		synctest.Test(t, func(t *testing.T) {
			w, up, clock := newSecure(t, a, protocol)
			up.secure(a, "h2", "http/1.1")
			for range 3 {
				mustSay(t, w, clock)
			}
			if c := up.all(); len(c) != 1 || c[0].field(1, ":scheme") != "https" {
				t.Errorf("%d connections, scheme %q", len(c), c[0].field(1, ":scheme"))
			}
		})
	}
}
