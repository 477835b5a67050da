package transport_test

import (
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"golang.org/x/net/http2"

	"github.com/liftmesh/lift"
	"github.com/liftmesh/lift/internal/certtest"
	"github.com/liftmesh/lift/transport"
)

// TestMuxIdleConnection crosses how long a connection was idle, by which clock, with
// what became of it meanwhile. Whatever it was, no call of any kind pays for it.
func TestMuxIdleConnection(t *testing.T) {
	const trusted, doubtful, expired = 2 * time.Second, 30 * time.Second, 60 * time.Second
	fates := map[string]func(u *h2upstream, c *h2conn){
		"healthy": func(*h2upstream, *h2conn) {},
		"fin":     func(_ *h2upstream, c *h2conn) { _ = c.Close() },
		"rst":     func(u *h2upstream, c *h2conn) { u.set(func(u *h2upstream) { u.cutting = c }) },
		"silent":  func(_ *h2upstream, c *h2conn) { c.goDeaf() },
		"goaway":  func(_ *h2upstream, c *h2conn) { c.goAway(1, http2.ErrCodeNo) },
		"goaway and fin": func(_ *h2upstream, c *h2conn) {
			c.goAway(1, http2.ErrCodeNo)
			_ = c.Close()
		},
		"refusing": func(u *h2upstream, _ *h2conn) { u.set(func(u *h2upstream) { u.refusing = true }) },
		"refusing and silent": func(u *h2upstream, c *h2conn) {
			u.set(func(u *h2upstream) { u.refusing = true })
			c.goDeaf()
		},
	}
	fine := muxPays{requests: 1, reached: lift.Answered}
	unreached := muxPays{code: lift.Unavailable}
	pays := func(fate, method string, age time.Duration) muxPays {
		switch {
		case age == trusted && fate == "rst":
			if method == "GET" {
				return muxPays{requests: 2, reached: lift.Answered}
			}
			return muxPays{code: lift.Unavailable, requests: 1, reached: lift.MayHaveActed}
		case age == trusted && (fate == "silent" || fate == "refusing and silent"):
			return muxPays{code: lift.AttemptTimeout, cost: time.Second, reached: lift.MayHaveActed}
		case age == doubtful && fate == "refusing and silent":
			return muxPays{code: lift.Unavailable, cost: 100 * time.Millisecond}
		case age == expired && (fate == "refusing" || fate == "refusing and silent"):
			return unreached
		default:
			return fine
		}
	}
	ca := certtest.New(t, "ca")
	for _, secure := range []bool{false, true} {
		for face, pass := range faces {
			for fate, befall := range fates {
				for name, age := range map[string]time.Duration{"trusted": trusted, "doubtful": doubtful, "expired": expired} {
					for _, method := range []string{"GET", "POST"} {
						t.Run(fmt.Sprintf("%s/TLS %v/%s/%s/%s", face, secure, name, fate, method), func(t *testing.T) {
							synctest.Test(t, func(t *testing.T) {
								b := newH2BenchTLS(t, ca, secure)
								b.mustCall(t, "GET")
								befall(b.up, b.up.all()[0])
								pass(b.clock, age)
								b.afterIdling(t, method, pays(fate, method, age))
								if s := b.Stats(); s.Open > 1 && fate != "silent" {
									t.Errorf("after the call: %+v", s)
								}
							})
						})
					}
				}
			}
		}
	}
}

// muxPays is what a call comes to.
type muxPays struct {
	code     lift.Code // "" is success
	requests int       // that the endpoint sees
	cost     time.Duration
	reached  lift.Reached
}

// afterIdling makes a call and holds it to what it may come to.
func (b *h2bench) afterIdling(t *testing.T, method string, want muxPays) {
	t.Helper()
	synctest.Wait()
	before, began := b.up.seen(), time.Now()
	c := b.call(method, lift.BytesBody([]byte("body")))
	a := c
	resp, err := b.RoundTrip(c)
	if cost := time.Since(began); cost != want.cost {
		t.Errorf("cost %s, want %s", cost, want.cost)
	}
	if want.code != "" {
		wantError(t, err, want.code)
	} else {
		if err != nil {
			t.Fatal(err)
		}
		wantHello(t, resp)
	}
	if a.Reached != want.reached || (a.AttemptRecord.Err == nil) != (want.code == "") {
		t.Errorf("attempt says %v, %v; want %v", a.Reached, a.AttemptRecord.Err, want.reached)
	}
	c.End()
	synctest.Wait()
	if got := b.up.seen() - before; got != want.requests {
		t.Errorf("the endpoint saw %d requests, want %d", got, want.requests)
	}
	if s := b.Stats(); s.InUse != 0 {
		t.Errorf("after the call: %+v", s)
	}
}

// A connection that died in silence while it carried calls is found out by the
// first of them whose time runs out; the next call does not pay.
func TestMuxSilenceIsPaidForOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newH2Bench(t, transport.Config{SafeIdle: time.Hour, MaxIdle: 2 * time.Hour})
		b.mustCall(t, "GET")
		b.up.all()[0].goDeaf()
		if o := <-b.background(b.call("POST", nil)); lift.CodeOf(o.err) != lift.AttemptTimeout {
			t.Fatal(o.err)
		}
		began := time.Now()
		b.mustCall(t, "POST")
		if took := time.Since(began); took != 0 {
			t.Errorf("the next call took %s", took)
		}
		time.Sleep(time.Second)
		if s := b.Stats(); s.Open != 1 {
			t.Errorf("left: %+v", s)
		}
	})
}

// A stream without a deadline on a connection that died in silence does not hang for
// ever: the next call has the connection pinged, and closed.
func TestMuxSilenceEndsStreams(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newH2Bench(t, transport.Config{})
		b.up.answers(func(c *h2conn, stream uint32) { c.head(stream, false, ":status", "200") })
		c := &lift.Call{Service: "orders"}
		resp, err := b.RoundTrip(tryOf(c))
		if err != nil {
			t.Fatal(err)
		}
		ended := make(chan error, 1)
		go func() {
			_, err := resp.Body.ReadAll(0)
			ended <- err
		}()
		b.up.answers(nil)
		b.up.all()[0].goDeaf()
		b.clock.jump(10*time.Minute, 0)
		began := time.Now()
		b.mustCall(t, "POST")
		if took := time.Since(began); took != 0 {
			t.Errorf("the call beside it took %s", took)
		}
		err = <-ended
		if took := time.Since(began); took != time.Second || lift.CodeOf(err) != lift.BadResponse {
			t.Errorf("the stream ended after %s: %v", took, err)
		}
		c.End()
	})
}

// Many calls at once after a thaw share one ping and one connect.
func TestMuxBurstAfterThaw(t *testing.T) {
	for name, deaf := range map[string]bool{"healthy": false, "silent": true} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				b := newH2Bench(t, transport.Config{})
				b.mustCall(t, "GET")
				first := b.up.all()[0]
				if deaf {
					first.goDeaf()
				}
				b.clock.jump(30*time.Second, 0)
				b.Thaw()
				var running []<-chan outcome
				for range 64 {
					running = append(running, b.background(b.call("POST", nil)))
				}
				for _, r := range running {
					if o := <-r; o.err != nil || o.took != 0 {
						t.Errorf("after %s: %v", o.took, o.err)
					}
				}
				if n := len(b.up.all()); n > 2 {
					t.Errorf("%d connections", n)
				}
				if !deaf && first.pinged() != 1 {
					t.Errorf("%d pings", first.pinged())
				}
			})
		})
	}
}

// Doubts leave no connections behind, however many there are.
func TestMuxDoubtsDoNotAddUp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newH2Bench(t, transport.Config{})
		for range 30 {
			b.mustCall(t, "POST")
			synctest.Wait()
			if s := b.Stats(); s.Open != 1 {
				t.Fatalf("%+v", s)
			}
			b.clock.jump(4*time.Second, 0)
		}
	})
}

// A slow connect beside a healthy connection is not waited for, and a slow ping
// beside a fast connect is not either.
func TestMuxFirstThatIsReady(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newH2Bench(t, transport.Config{})
		b.mustCall(t, "GET")
		b.up.set(func(u *h2upstream) { u.slowDial = 50 * time.Millisecond })
		b.clock.jump(30*time.Second, 0)
		began := time.Now()
		if c := b.mustCall(t, "POST"); c.Fresh || time.Since(began) != 0 {
			t.Errorf("after %s, fresh %v", time.Since(began), c.Fresh)
		}
		time.Sleep(100 * time.Millisecond)
		b.up.all()[0].goDeaf()
		b.clock.jump(30*time.Second, 0)
		began = time.Now()
		if c := b.mustCall(t, "POST"); !c.Fresh || time.Since(began) != 50*time.Millisecond {
			t.Errorf("after %s, fresh %v", time.Since(began), c.Fresh)
		}
	})
}

// At the limit a doubtful connection makes room itself, if it is idle.
func TestMuxDoubtfulAtTheLimit(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newH2Bench(t, transport.Config{MaxConnections: 1})
		b.mustCall(t, "GET")
		b.up.all()[0].goDeaf()
		b.clock.jump(10*time.Second, 0)
		began := time.Now()
		b.mustCall(t, "POST")
		if cost := time.Since(began); cost != 0 {
			t.Errorf("cost %s", cost)
		}
	})
}

// What was answered after a freeze was asked before it: it proves nothing of now.
func TestMuxAnswerReadAfterFreeze(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newH2Bench(t, transport.Config{})
		b.up.answers(func(c *h2conn, stream uint32) {
			b.clock.jump(30*time.Second, 0)
			h2hello(c, stream)
			c.goDeaf()
		})
		b.mustCall(t, "GET")
		b.up.answers(nil)
		began := time.Now()
		if c := b.mustCall(t, "POST"); !c.Fresh || time.Since(began) != 0 {
			t.Errorf("after %s over a connection that was last heard of before the freeze", time.Since(began))
		}
	})
}
