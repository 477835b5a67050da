package transport_test

import (
	"fmt"
	"math/rand/v2"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"golang.org/x/net/http2"

	"github.com/liftmesh/lift"
	"github.com/liftmesh/lift/transport"
)

// storm is an endpoint that does whatever comes to its mind.
type storm struct {
	b  *h2bench
	mu sync.Mutex
	r  *rand.Rand
	// acted counts, by path, how often a call was acted on.
	acted map[string]int
	last  map[*h2conn]uint32 // the last stream of a connection that was acted on
	away  map[*h2conn]bool   // said that it would act on no more
}

// act reports whether a call is acted on: an endpoint keeps its word.
func (s *storm) act(c *h2conn, stream uint32, goAway bool) (acted bool, last uint32) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.away[c] && stream > s.last[c] || goAway && stream > s.last[c] {
		s.away[c] = true
		return false, s.last[c]
	}
	s.last[c] = max(s.last[c], stream)
	s.acted[c.field(stream, ":path")]++
	return true, 0
}

func (s *storm) n(n int) int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.r.IntN(n)
}

func (s *storm) answer(c *h2conn, stream uint32) {
	fate := s.n(20)
	if fate == 0 {
		c.reset(stream, http2.ErrCodeRefusedStream)
		return
	}
	if acted, last := s.act(c, stream, fate == 1); !acted {
		c.goAway(last, http2.ErrCodeNo)
		return
	}
	time.Sleep(time.Duration(s.n(40)) * time.Millisecond)
	switch fate {
	case 2:
		c.reset(stream, http2.ErrCodeInternal)
	case 3:
		_ = c.Close()
	case 4:
		c.goDeaf()
	case 5:
		return
	case 6:
		c.head(stream, false, ":status", "200", "content-length", "5")
		c.data(stream, false, "he")
		c.reset(stream, http2.ErrCodeCancel)
	case 7:
		c.goAway(1<<31-1, http2.ErrCodeNo)
		h2hello(c, stream)
	case 8, 9, 10:
		c.head(stream, false, ":status", "200", "content-type", "application/grpc")
		c.data(stream, false, "hello")
		time.Sleep(time.Duration(s.n(10)) * time.Millisecond)
		c.head(stream, true, "grpc-status", "0")
	default:
		h2hello(c, stream)
	}
}

// TestMuxStorm has many calls, and freezes among them, to an endpoint that does
// anything: each ends in its time, what is not idempotent is acted on once at most,
// what is told as not reached was not acted on, and nothing is left.
func TestMuxStorm(t *testing.T) {
	for seed := range uint64(30) {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				b := newH2Bench(t, transport.Config{MaxConnections: 4, MaxIdleConnections: 2}, http2.Setting{ID: http2.SettingMaxConcurrentStreams, Val: uint32(1 + seed%4)})
				s := &storm{b: b, r: rand.New(rand.NewPCG(seed, 1)), acted: map[string]int{}, last: map[*h2conn]uint32{}, away: map[*h2conn]bool{}}
				b.up.answers(s.answer)
				var wg sync.WaitGroup
				well := 0
				for i := range 300 {
					time.Sleep(time.Duration(s.n(20)) * time.Millisecond)
					if s.n(30) == 0 {
						b.clock.jump(time.Duration(s.n(70))*time.Second, 0)
						b.Thaw()
					}
					method := []string{"GET", "POST"}[s.n(2)]
					c := b.call(method, lift.BytesBody([]byte("body")))
					c.Path = fmt.Sprintf("/%d", i)
					if s.n(3) == 0 {
						c.Header = []lift.Field{{Name: "Content-Type", Value: "application/grpc"}}
					}
					giveUp := s.n(8) == 0
					wg.Go(func() {
						if giveUp {
							time.AfterFunc(time.Duration(s.n(60))*time.Millisecond, func() { c.Cancel(nil) })
						}
						o := <-b.background(c)
						if o.took > 10*time.Second {
							t.Errorf("%s took %s", c.Path, o.took)
						}
						s.mu.Lock()
						defer s.mu.Unlock()
						acted, reached := s.acted[c.Path], c.Reached
						if method == "POST" && acted > 1 || reached == lift.NotReached && acted > 0 || acted > 2 {
							t.Errorf("%s %s was acted on %d times, %v, %v", method, c.Path, acted, reached, o.err)
						}
						if o.err == nil {
							well++
						}
						c.End()
					})
				}
				wg.Wait()
				if well < 50 { // of some 130 that the endpoint had time for, hung ones among them
					t.Errorf("%d of 300 calls went well", well)
				}
				time.Sleep(10 * time.Second)
				if st := b.Stats(); st.InUse != 0 || st.Open > 2 {
					t.Errorf("left: %+v", st)
				}
				b.up.answers(nil)
				b.mustCall(t, "POST")
			})
		})
	}
}
