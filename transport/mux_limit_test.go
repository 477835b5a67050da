package transport_test

import (
	"bytes"
	"runtime/debug"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"golang.org/x/net/http2"

	"github.com/liftmesh/lift"
	"github.com/liftmesh/lift/transport"
)

// after answers when so much time has passed.
func after(d time.Duration) h2peer {
	return func(c *h2conn, stream uint32) {
		time.Sleep(d)
		h2hello(c, stream)
	}
}

// No more idle connections are kept than may be.
func TestMuxKeepsFew(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newH2Bench(t, transport.Config{MaxIdleConnections: 1}, http2.Setting{ID: http2.SettingMaxConcurrentStreams, Val: 1})
		b.up.answers(after(10 * time.Millisecond))
		var running []<-chan outcome
		for range 3 {
			running = append(running, b.background(b.call("POST", nil)))
		}
		for _, r := range running {
			if o := <-r; o.err != nil {
				t.Error(o.err)
			}
		}
		synctest.Wait()
		if s := b.Stats(); s.Open != 1 || len(b.up.all()) != 3 {
			t.Errorf("%+v of %d", s, len(b.up.all()))
		}
	})
}

// A connection whose call has ended makes room for another endpoint that waits.
func TestMuxMakesRoom(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		slots := transport.NewSlots(1, 1)
		one, two := &h2upstream{}, &h2upstream{}
		one.answers(after(100 * time.Millisecond))
		a := transport.NewMux("one.test:80", transport.Options{Dial: one.dial, Slots: slots})
		b := transport.NewMux("two.test:80", transport.Options{Dial: two.dial, Slots: slots})
		done := make(chan error)
		go func() {
			_, err := a.RoundTrip(tryOf(&lift.Call{}))
			done <- err
		}()
		synctest.Wait()
		began := time.Now()
		_, err := b.RoundTrip(tryOf(&lift.Call{}))
		if err != nil || time.Since(began) != 100*time.Millisecond {
			t.Errorf("after %s: %v", time.Since(began), err)
		}
		if err := <-done; err != nil {
			t.Error(err)
		}
		a.Close()
		b.Close()
		one.close()
		two.close()
	})
}

// What nobody waits for any longer is not opened, once there is room for it.
func TestMuxOpensNothingUnwanted(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		slots := transport.NewSlots(1, 1)
		one, two := &h2upstream{}, &h2upstream{}
		one.answers(after(100 * time.Millisecond))
		clock := newClock()
		a := transport.NewMux("one.test:80", transport.Options{Dial: one.dial, Slots: slots})
		b := transport.NewMux("two.test:80", transport.Options{Dial: two.dial, Slots: slots, Now: clock.now, Config: transport.Config{Wait: 10 * time.Millisecond}})
		go func() { _, _ = a.RoundTrip(tryOf(&lift.Call{})) }()
		synctest.Wait()
		_, err := b.RoundTrip(aCall(clock, "POST", nil))
		wantError(t, err, lift.Busy)
		if !strings.Contains(err.Error(), "all 1 connections of this process") || !strings.Contains(err.Error(), "limits.connections") {
			t.Errorf("got %v", err)
		}
		time.Sleep(time.Second)
		if n := len(two.all()); n != 0 {
			t.Errorf("%d connections for nobody", n)
		}
		a.Close()
		b.Close()
		one.close()
		two.close()
	})
}

// A place that is given in the instant in which its call is cut is not lost.
func TestMuxPlaceIsNotLost(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		up, clock := &h2upstream{settings: []http2.Setting{{ID: http2.SettingMaxConcurrentStreams, Val: 1}}}, newClock()
		var mu sync.Mutex
		var cut []*lift.Attempt
		m := transport.NewMux("orders.test:80", transport.Options{Dial: up.dial, Config: transport.Config{MaxConnections: 1}, Now: func() lift.Instant {
			mu.Lock()
			defer mu.Unlock()
			// The clock is read as a place is about to be given to who waits first.
			if s := debug.Stack(); len(cut) > 0 && (bytes.Contains(s, []byte(".release(")) || bytes.Contains(s, []byte(".stir("))) {
				cut[0].Cancel(nil)
				cut = cut[1:]
			}
			return clock.now()
		}})
		b := &h2bench{Mux: m, up: up, clock: clock}
		for range 30 {
			up.answers(after(10 * time.Millisecond))
			holds := b.background(b.call("POST", nil))
			synctest.Wait()
			var waits []*lift.Attempt
			var waiting []<-chan outcome
			for range 4 {
				c := b.call("POST", nil)
				waits, waiting = append(waits, c), append(waiting, b.background(c))
				synctest.Wait()
			}
			mu.Lock()
			cut = waits
			mu.Unlock()
			if o := <-holds; o.err != nil {
				t.Fatal(o.err)
			}
			for _, w := range waiting {
				<-w
			}
			mu.Lock()
			cut = nil
			mu.Unlock()
			up.answers(nil)
			if o := <-b.background(b.call("POST", nil)); o.err != nil || o.took > 100*time.Millisecond {
				t.Fatalf("the next: %+v", o)
			}
		}
		if n := len(up.all()); n != 1 {
			t.Errorf("%d connections", n)
		}
		m.Close()
		up.close()
	})
}

// The window of an answer that was given up is given back once.
func TestMuxGivesWindowsBackOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newH2Bench(t, transport.Config{})
		b.up.answers(func(c *h2conn, stream uint32) {
			c.head(stream, false, ":status", "200")
			for range 16 {
				c.data(stream, false, strings.Repeat("x", 16<<10))
			}
		})
		c := b.call("GET", nil)
		resp, err := b.RoundTrip(c)
		if err != nil {
			t.Fatal(err)
		}
		synctest.Wait()
		before, stream := b.up.all()[0].windows()
		if stream != 256<<10 {
			t.Errorf("a stream's window is %d", stream)
		}
		c.Cancel(nil)
		synctest.Wait()
		_ = resp.Body.Close()
		c.End()
		synctest.Wait()
		if opened, _ := b.up.all()[0].windows(); opened-before != 256<<10 {
			t.Errorf("%d of %d bytes were given back", opened-before, 256<<10)
		}
	})
}

// A peer that reads nothing any more holds nobody for longer than it may: calls end
// by their own limits, and the connection goes without anybody asking for it.
func TestMuxPeerThatDoesNotRead(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newH2Bench(t, transport.Config{})
		b.mustCall(t, "GET")
		wake := b.up.all()[0].sleep()
		defer wake()
		b.up.set(func(u *h2upstream) { u.refusing = true })
		for _, c := range []*lift.Attempt{b.call("POST", lift.BytesBody(bigBody)), b.call("GET", nil)} {
			o := <-b.background(c)
			if o.err == nil || o.took > time.Second {
				t.Errorf("%+v", o)
			}
			c.End()
		}
		time.Sleep(10 * time.Second)
		if s := b.Stats(); s.Open != 0 {
			t.Errorf("left: %+v", s)
		}
	})
}

// What killed a connection may have killed those that were silent for as long: they
// are pinged before they carry a call.
func TestMuxDeadCastsDoubt(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newH2Bench(t, transport.Config{})
		if err := b.Warm(t.Context(), 2); err != nil {
			t.Fatal(err)
		}
		for _, c := range b.up.all() {
			c.goDeaf()
		}
		_ = b.up.all()[1].Close()
		synctest.Wait()
		began := time.Now()
		b.mustCall(t, "POST")
		if took := time.Since(began); took != 0 {
			t.Errorf("took %s", took)
		}
	})
}

// A connection more that is refused leaves those in peace that wait for a place on
// one that works.
func TestMuxRefusedBesideOneThatWorks(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newH2Bench(t, transport.Config{}, http2.Setting{ID: http2.SettingMaxConcurrentStreams, Val: 1})
		b.up.answers(after(100 * time.Millisecond))
		holds := b.background(b.call("POST", nil))
		synctest.Wait()
		b.up.set(func(u *h2upstream) { u.refusing = true })
		if o := <-b.background(b.call("POST", nil)); o.err != nil || o.took != 200*time.Millisecond {
			t.Errorf("%+v", o)
		}
		<-holds
	})
}

// HTTP/2 has no upgrades.
func TestMuxUpgrade(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newH2Bench(t, transport.Config{})
		c := b.call("GET", nil)
		c.Upgrade = "websocket"
		_, err := b.RoundTrip(c)
		wantError(t, err, lift.InvalidCall)
	})
}
