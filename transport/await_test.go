package transport_test

import (
	"bufio"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"golang.org/x/net/http2"

	"github.com/liftmesh/lift"
	"github.com/liftmesh/lift/internal/certtest"
	"github.com/liftmesh/lift/transport"
)

// A wall clock that jumps while the caller sends, forward as a freeze makes it or back,
// neither cuts the call nor lengthens the time that the endpoint has afterwards.
func TestWallClockJumpsWhileTheCallerSends(t *testing.T) {
	for name, jump := range map[string]time.Duration{"forward": time.Hour, "back": -time.Hour} {
		for _, hangs := range []bool{false, true} {
			t.Run(name, func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					answer := healthy
					if hangs {
						answer = slow(time.Hour)
					}
					b := newBench(t, answer, transport.Config{})
					r, w := io.Pipe()
					c := b.call("POST", live(r, -1))
					go func() {
						time.Sleep(2 * time.Second)
						b.clock.jump(jump, 0)
						_, _ = w.Write([]byte("a"))
						time.Sleep(2 * time.Second)
						_ = w.Close()
					}()
					began := time.Now()
					resp, err := b.RoundTrip(c)
					took := time.Since(began)
					if hangs {
						wantError(t, err, lift.AttemptTimeout)
						if took != 5*time.Second {
							t.Errorf("took %s", took)
						}
						b.up.close() // who hangs goes
						return
					}
					if err != nil || took != 4*time.Second || c.Sending != took {
						t.Fatalf("after %s, of which the caller took %s: %v", took, c.Sending, err)
					}
					wantHello(t, resp)
				})
			})
		}
	}
}

// An endpoint that does not know Expect costs the request some time, and not the attempt.
func TestExpectIgnored(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, func(_ *upstream, c net.Conn, r *bufio.Reader) {
			req, err := http.ReadRequest(r)
			if err != nil {
				t.Error(err)
				return
			}
			if body, _ := io.ReadAll(req.Body); string(body) == "body" {
				_, _ = io.WriteString(c, okAnswer)
			}
		}, transport.Config{})
		for _, body := range []*lift.Body{lift.BytesBody([]byte("body")), live(strings.NewReader("body"), -1)} {
			c := b.call("POST", body)
			c.Header = []lift.Field{{Name: "Expect", Value: "100-continue"}}
			began := time.Now()
			resp, err := b.RoundTrip(c)
			if err != nil || time.Since(began) != 500*time.Millisecond {
				t.Fatalf("after %s: %v", time.Since(began), err)
			}
			wantHello(t, resp)
		}
	})
}

// A call over HTTP/2 waits for the endpoint while a connection is being opened, and for
// a limit once that is there and full.
func TestMuxWaitsForOneAfterTheOther(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newH2Bench(t, transport.Config{MaxConnections: 1}, http2.Setting{ID: http2.SettingMaxConcurrentStreams, Val: 1})
		b.up.answers(h2silent)
		b.up.set(func(u *h2upstream) { u.slowDial = 500 * time.Millisecond })
		first := b.call("POST", nil)
		first.Timeout, first.Deadline = 0, first.Call.Deadline
		holds := b.background(first)
		synctest.Wait()
		second := b.call("POST", nil)
		if o := <-b.background(second); lift.CodeOf(o.err) != lift.Busy || o.took != 1500*time.Millisecond || second.Queued != time.Second {
			t.Errorf("after %s, queued %s: %v", o.took, second.Queued, o.err)
		}
		first.Cancel(nil)
		<-holds
	})
}

// A connection that cannot be opened is the endpoint's, however long the queue.
func TestMuxBlackHoleIsTheEndpoint(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newH2Bench(t, transport.Config{MaxConnections: 1, ConnectTimeout: 3 * time.Second})
		b.up.set(func(u *h2upstream) { u.mute = true })
		var running []<-chan outcome
		for range 5 {
			running = append(running, b.background(b.call("POST", nil)))
		}
		for _, r := range running {
			if o := <-r; lift.CodeOf(o.err) != lift.AttemptTimeout || o.took != time.Second {
				t.Errorf("after %s: %v", o.took, o.err)
			}
		}
	})
}

// Who waits for an endpoint's choice of a protocol waits for the process's limit if the
// handshake does.
func TestAutoWaitsForASlot(t *testing.T) {
	a := certtest.New(t, "ca")
	synctest.Test(t, func(t *testing.T) {
		other, up, clock, slots := &h2upstream{}, &h2upstream{}, newClock(), transport.NewSlots(1, 1)
		other.answers(h2silent)
		up.secure(a, "h2")
		holds := transport.New("other.test:80", transport.Options{Dial: other.dial, Now: clock.now, Slots: slots, Config: transport.Config{Protocol: transport.H2C}})
		w := transport.New("orders.test:443", transport.Options{Dial: up.dial, Now: clock.now, Slots: slots, Config: transport.Config{
			Protocol: transport.Auto, TLS: &transport.TLS{CA: []string{a.File}},
		}})
		held := aCall(clock, "POST", nil)
		held.Timeout, held.Deadline = 0, held.Call.Deadline
		done := make(chan struct{})
		go func() {
			defer close(done)
			_, _ = holds.RoundTrip(held)
		}()
		synctest.Wait()
		c := aCall(clock, "POST", nil)
		began := time.Now()
		_, err := w.RoundTrip(c)
		wantError(t, err, lift.Busy)
		if took := time.Since(began); took != time.Second || c.Queued != took || !strings.Contains(err.Error(), "limits.connections") {
			t.Errorf("after %s, queued %s: %v", took, c.Queued, err)
		}
		// Another one waits as well; then there is room.
		waits := aCall(clock, "POST", nil)
		go func() {
			time.Sleep(700 * time.Millisecond)
			held.Cancel(nil)
		}()
		resp, err := w.RoundTrip(waits)
		if err != nil || waits.Queued < 700*time.Millisecond || waits.Queued > 900*time.Millisecond {
			t.Fatalf("queued %s: %v", waits.Queued, err)
		}
		wantHello(t, resp)
		<-done
		holds.Close()
		w.Close()
		other.close()
		up.close()
	})
}

// The slot of the connection that an endpoint made its choice on is not given to another
// who waits for one: the call that asked would then wait behind it.
func TestAutoKeepsItsSlot(t *testing.T) {
	a := certtest.New(t, "ca")
	synctest.Test(t, func(t *testing.T) {
		other, up, clock, slots := &h2upstream{}, &h2upstream{}, newClock(), transport.NewSlots(1, 1)
		other.answers(h2silent)
		up.secure(a, "h2")
		plainly := transport.Options{Dial: other.dial, Now: clock.now, Slots: slots, Config: transport.Config{Protocol: transport.H2C, Wait: time.Minute}}
		holds, behind := transport.New("other.test:80", plainly), transport.New("third.test:80", plainly)
		w := transport.New("orders.test:443", transport.Options{Dial: up.dial, Now: clock.now, Slots: slots, Config: transport.Config{
			Protocol: transport.Auto, TLS: &transport.TLS{CA: []string{a.File}},
		}})
		send := func(w transport.Upstream, c *lift.Attempt) <-chan error {
			done := make(chan error, 1)
			go func() {
				resp, err := w.RoundTrip(c)
				if err == nil {
					_ = resp.Body.Close()
				}
				done <- err
			}()
			synctest.Wait()
			return done
		}
		held, c, third := aCall(clock, "POST", nil), aCall(clock, "POST", nil), aCall(clock, "POST", nil)
		held.Timeout, held.Deadline = 0, held.Call.Deadline
		first, asks, waits := send(holds, held), send(w, c), send(behind, third)
		time.Sleep(100 * time.Millisecond)
		held.Cancel(nil)
		<-first
		if err := <-asks; err != nil || c.Queued > 200*time.Millisecond {
			t.Errorf("queued %s: %v", c.Queued, err)
		}
		third.Cancel(nil)
		<-waits
		for _, up := range []transport.Upstream{holds, behind, w} {
			up.Close()
		}
		other.close()
		up.close()
	})
}
