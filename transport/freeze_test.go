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

// The faces a freeze can show: which clocks ran on in it. In the last one the
// wall clock was set back as well.
var faces = map[string]func(c *clock, gap time.Duration){
	"both clocks run on":     func(c *clock, gap time.Duration) { c.jump(gap, gap) },
	"monotonic stands still": func(c *clock, gap time.Duration) { c.jump(gap, 0) },
	"wall set back":          func(c *clock, gap time.Duration) { c.jump(-time.Hour, gap) },
	"time just passes":       func(_ *clock, gap time.Duration) { time.Sleep(gap) },
}

// TestIdleConnection crosses how long a connection was idle with what became of
// it meanwhile.
func TestIdleConnection(t *testing.T) {
	const fresh, trusted, doubtful, expired = -1, 2 * time.Second, 30 * time.Second, 60 * time.Second
	type want struct {
		code     lift.Code // "" is success
		requests int
		cost     time.Duration
		reached  lift.Reached
		fresh    bool
	}
	tests := []struct {
		name     string
		age      time.Duration
		what     string
		get, put want // of a GET, and of a POST
	}{
		{"fresh", fresh, "healthy", want{requests: 1, fresh: true}, want{requests: 1, fresh: true}},
		{"fresh", fresh, "fin", want{code: lift.Unavailable}, want{code: lift.Unavailable}},
		{"fresh", fresh, "rst", want{code: lift.Unavailable, requests: 1, reached: lift.MayHaveActed}, want{code: lift.Unavailable, requests: 1, reached: lift.MayHaveActed}},
		{"fresh", fresh, "silent", want{code: lift.AttemptTimeout, requests: 1, cost: time.Second, reached: lift.MayHaveActed}, want{code: lift.AttemptTimeout, requests: 1, cost: time.Second, reached: lift.MayHaveActed}},
		{"fresh", fresh, "refused", want{code: lift.Unavailable}, want{code: lift.Unavailable}},

		{"trusted", trusted, "healthy", want{requests: 1}, want{requests: 1}},
		{"trusted", trusted, "fin", want{requests: 1, fresh: true}, want{requests: 1, fresh: true}},
		{"trusted", trusted, "rst", want{requests: 2, fresh: true}, want{code: lift.Unavailable, requests: 1, reached: lift.MayHaveActed}},
		{"trusted", trusted, "silent", want{code: lift.AttemptTimeout, requests: 1, cost: time.Second, reached: lift.MayHaveActed}, want{code: lift.AttemptTimeout, requests: 1, cost: time.Second, reached: lift.MayHaveActed}},
		{"trusted", trusted, "refused", want{code: lift.Unavailable}, want{code: lift.Unavailable}},

		{"doubtful", doubtful, "healthy", want{requests: 1}, want{requests: 1, fresh: true}},
		{"doubtful", doubtful, "fin", want{requests: 1, fresh: true}, want{requests: 1, fresh: true}},
		{"doubtful", doubtful, "rst", want{requests: 2, fresh: true}, want{requests: 1, fresh: true}},
		{"doubtful", doubtful, "silent", want{requests: 2, cost: 100 * time.Millisecond, fresh: true}, want{requests: 1, fresh: true}},
		{"doubtful", doubtful, "refused", want{code: lift.Unavailable}, want{code: lift.Unavailable}},

		{"expired", expired, "healthy", want{requests: 1, fresh: true}, want{requests: 1, fresh: true}},
		{"expired", expired, "fin", want{requests: 1, fresh: true}, want{requests: 1, fresh: true}},
		{"expired", expired, "rst", want{requests: 1, fresh: true}, want{requests: 1, fresh: true}},
		{"expired", expired, "silent", want{requests: 1, fresh: true}, want{requests: 1, fresh: true}},
		{"expired", expired, "refused", want{code: lift.Unavailable}, want{code: lift.Unavailable}},
	}
	peers := map[string]peer{"healthy": healthy, "fin": hangUp, "rst": resetting, "silent": silent, "refused": hangUp}
	a := certtest.New(t, "ca")
	over := map[string]*tls.Config{"plain": nil, "TLS 1.3": a.Server("orders.test", nil), "TLS 1.2": a.Server("orders.test", func(c *tls.Config) { c.MaxVersion = tls.VersionTLS12 })}
	for face, pass := range faces {
		for secure, server := range over {
			for _, test := range tests {
				for method, want := range map[string]want{"GET": test.get, "POST": test.put} {
					t.Run(face+"/"+secure+"/"+test.name+"/"+test.what+"/"+method, func(t *testing.T) {
						synctest.Test(t, func(t *testing.T) {
							var cfg transport.Config
							if server != nil {
								cfg.TLS = &transport.TLS{CA: []string{a.File}}
							}
							b := newBenchTLS(t, onceThen(peers[test.what]), cfg, server)
							if test.age == fresh {
								b.up.set(test.what == "refused", peers[test.what])
							} else {
								b.mustCall(t, "GET")
								b.up.set(test.what == "refused", healthy)
								pass(b.clock, test.age)
							}
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
								// With room on the way, a request may leave before the end is seen.
								mayLeave := server != nil && test.what == "fin"
								if a.AttemptRecord.Err == nil || a.Reached != want.reached && !mayLeave {
									t.Errorf("attempt says %v, %v; want %v", a.Reached, a.AttemptRecord.Err, want.reached)
								}
							} else {
								if err != nil {
									t.Fatal(err)
								}
								wantHello(t, resp)
								if a.Reached != lift.Answered || a.Status != 200 || a.Fresh != want.fresh || a.AttemptRecord.Err != nil {
									t.Errorf("attempt says %+v", a)
								}
							}
							synctest.Wait()
							if got := b.up.seen() - before; got != want.requests {
								t.Errorf("the endpoint saw %d requests, want %d", got, want.requests)
							}
							if s := b.Stats(); s.InUse != 0 {
								t.Errorf("after the call: %+v", s)
							}
							c.End()
						})
					})
				}
			}
		}
	}
}

// A doubtful connection that answers is trusted again, and the fresh one that
// was opened beside it is there for the next call.
func TestDoubtfulThatAnswers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, healthy, transport.Config{})
		b.mustCall(t, "GET")
		b.clock.jump(10*time.Second, 0)
		if c := b.mustCall(t, "GET"); c.Fresh {
			t.Error("the fresh connection answered, though the doubtful one was well")
		}
		synctest.Wait()
		if s := b.Stats(); s.Open != 2 || s.Idle != 2 {
			t.Errorf("want both connections idle, got %+v", s)
		}
		for range 5 {
			if c := b.mustCall(t, "POST"); c.Fresh {
				t.Error("a trusted connection was there and was not used")
			}
		}
		if n := b.up.dials(); n != 2 {
			t.Errorf("%d connections were opened, want 2", n)
		}
	})
}

// An endpoint that takes no new connections but still serves the old ones (it
// drains) answers over a doubtful one, in its own time.
func TestDoubtfulWhileRefusing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, onceThen(func(u *upstream, c conn, r reader) {
			u.request(r)
			time.Sleep(500 * time.Millisecond)
			_, _ = c.Write([]byte(okAnswer))
		}), transport.Config{})
		b.mustCall(t, "GET")
		b.clock.jump(10*time.Second, 0)
		b.up.set(true, nil)
		b.mustCall(t, "GET")
	})
}

// A doubtful connection whose answer has begun is not given up for being slow.
func TestDoubtfulThatHasBegunToAnswer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, onceThen(func(u *upstream, c conn, r reader) {
			u.request(r)
			_, _ = c.Write([]byte(okAnswer[:3]))
			time.Sleep(500 * time.Millisecond)
			_, _ = c.Write([]byte(okAnswer[3:]))
		}), transport.Config{})
		b.mustCall(t, "GET")
		b.clock.jump(10*time.Second, 0)
		b.mustCall(t, "GET")
		if n := b.up.seen(); n != 2 {
			t.Errorf("the endpoint saw %d requests, want 2", n)
		}
	})
}

// The first answer wins, wherever it comes from; the other one is closed.
func TestSlowDoubtfulLosesOrWins(t *testing.T) {
	for name, wins := range map[string]bool{"old one wins": true, "fresh one wins": false} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				slow := func(d time.Duration) peer {
					return func(u *upstream, c conn, r reader) {
						u.request(r)
						time.Sleep(d)
						_, _ = c.Write([]byte(okAnswer))
						healthy(u, c, r)
					}
				}
				b := newBench(t, onceThen(slow(150*time.Millisecond)), transport.Config{})
				b.mustCall(t, "GET")
				b.clock.jump(10*time.Second, 0)
				next := slow(200 * time.Millisecond)
				if !wins {
					next = slow(10 * time.Millisecond)
				}
				b.up.set(false, next)
				if c := b.mustCall(t, "GET"); c.Fresh == wins {
					t.Errorf("fresh is %v", c.Fresh)
				}
				synctest.Wait()
				if s := b.Stats(); s.Open != 1 || s.Idle != 1 {
					t.Errorf("want the winner only, got %+v", s)
				}
			})
		})
	}
}

// When one doubtful connection proves dead, the others of its age go too.
func TestDeadTakesItsLikeAlong(t *testing.T) {
	for name, dead := range map[string]peer{"reset": resetting, "silent": silent} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				b := newBench(t, dead, transport.Config{})
				if err := b.Warm(t.Context(), 3); err != nil {
					t.Fatal(err)
				}
				b.clock.jump(10*time.Second, 0)
				b.up.set(false, healthy)
				b.mustCall(t, "GET")
				synctest.Wait()
				if s := b.Stats(); s.Open != 1 {
					t.Errorf("want the fresh one only, got %+v", s)
				}
			})
		})
	}
}

// A doubtful connection never goes alone: without room for another beside it,
// it makes room itself.
func TestDoubtfulAtTheLimit(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, onceThen(silent), transport.Config{MaxConnections: 1})
		b.mustCall(t, "GET")
		b.up.set(false, healthy)
		b.clock.jump(10*time.Second, 0)
		began := time.Now()
		b.mustCall(t, "GET")
		b.clock.jump(10*time.Second, 0)
		b.mustCall(t, "POST")
		if cost := time.Since(began); cost != 0 {
			t.Errorf("cost %s", cost)
		}
	})
}

// What came long after the last write may have lain in the kernel through a
// freeze: it proves nothing of now.
func TestAnswerReadAfterFreeze(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var b *bench
		b = newBench(t, func(u *upstream, c conn, r reader) {
			u.request(r)
			b.clock.jump(30*time.Second, 0)
			_, _ = c.Write([]byte(okAnswer))
			u.request(r)
		}, transport.Config{})
		b.mustCall(t, "GET")
		b.up.set(false, healthy)
		if c := b.mustCall(t, "POST"); !c.Fresh {
			t.Error("a connection that was last heard of before the freeze carried a POST")
		}
	})
}

// A call that is cut while two connections carry it leaves nothing behind.
func TestCutDuringRace(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, onceThen(silent), transport.Config{})
		b.mustCall(t, "GET")
		b.up.set(false, silent)
		b.clock.jump(10*time.Second, 0)
		c := b.call("GET", nil)
		began := time.Now()
		_, err := b.RoundTrip(c)
		wantError(t, err, lift.AttemptTimeout)
		if time.Since(began) != time.Second || c.Reached != lift.MayHaveActed {
			t.Errorf("after %s: %+v", time.Since(began), c)
		}
		synctest.Wait()
		if s := b.Stats(); s.Open != 0 {
			t.Errorf("left: %+v", s)
		}
	})
}
