package resilience

import (
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/sony/gobreaker/v2"

	"github.com/liftmesh/lift"
)

// Gate is what a breaker opens and closes: the balancer's node.
type Gate interface {
	// Suspend takes the endpoint out until a wall time.
	Suspend(until time.Time, why string)
	// Resume makes it usable again.
	Resume(why string)
	// ReturnProbe gives a probe's slot back, unjudged.
	ReturnProbe(why string)
}

// errFailed is what gobreaker is told of a failed attempt.
var errFailed = errors.New("failed")

// Breaker decides from the outcomes of an endpoint's attempts when its gate
// opens and for how long. The window's counts and the state machine are
// gobreaker's; the gate and its wall time are ours, since gobreaker measures by
// the monotonic clock, which may stand still in a freeze, and since a call that
// the gate let pass must never wait for a lock. It is told of attempts only when
// they end, so nothing can be left half done. An endpoint that has had no
// failure within the window costs one atomic load. Safe for concurrent use.
type Breaker struct {
	cfg  BreakerConfig
	gate Gate
	now  func() lift.Instant
	rand func() uint64

	suspect atomic.Bool // something has failed; count

	mu     sync.Mutex
	state  *gobreaker.TwoStepCircuitBreaker[struct{}]
	open   bool
	streak int
	trips  int // openings since the endpoint was last well for a window
	last   lift.Instant
	since  lift.Instant // of the last Forget: attempts that began earlier judge nothing
}

// NewBreaker returns a closed breaker for the endpoint behind gate.
func NewBreaker(cfg BreakerConfig, gate Gate, now func() lift.Instant, rand func() uint64) *Breaker {
	return &Breaker{cfg: cfg.WithDefaults(), gate: gate, now: now, rand: rand}
}

// Change makes cfg hold from now on. An open endpoint stays open until its time,
// failures in a row stay counted; the counts of another window begin anew.
func (b *Breaker) Change(cfg BreakerConfig) {
	b.mu.Lock()
	defer b.mu.Unlock()
	before := b.cfg.Window
	b.cfg = cfg.WithDefaults()
	if b.state != nil && b.cfg.Window != before {
		b.state = b.newState()
	}
}

// Forget makes the endpoint usable at once and drops everything counted so far,
// because it is reached in another way from now on. Attempts that began before do
// not count, whenever they end.
func (b *Breaker) Forget(why string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.since = b.now()
	b.suspect.Store(false)
	b.state, b.open, b.streak, b.trips = nil, false, 0, 0
	b.gate.Resume(why)
}

// Report tells the breaker of an attempt that has ended and been judged. It must
// be called for every attempt that was a probe.
func (b *Breaker) Report(a *lift.AttemptRecord) {
	if !a.Probe && !a.Outcome.Judges() {
		return
	}
	bad := a.Outcome == lift.Failed || a.Outcome == lift.Overloaded
	if !bad && !a.Probe && !b.suspect.Load() {
		return
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	if !b.since.IsZero() && a.Began.Mono < b.since.Mono {
		return
	}
	if a.Probe {
		b.probed(a, bad)
		return
	}
	if b.open {
		return // it began before the gate closed; only the probe is asked now
	}
	b.count(a, bad)
}

func (b *Breaker) count(a *lift.AttemptRecord, bad bool) {
	at := b.now()
	if b.state == nil || at.Since(b.last) > b.cfg.Window {
		if !bad { // a window without a failure: well again
			b.suspect.Store(false)
			b.state, b.streak, b.trips = nil, 0, 0
			return
		}
		b.state, b.streak = b.newState(), 0
	}
	b.suspect.Store(true)
	if bad {
		b.last = at
	}
	switch {
	case !bad:
		b.streak = 0
	case !asksForLess(a): // which counts in the ratio alone (linkerd)
		b.streak++
	}
	b.feed(bad)
	if refused(a) {
		b.trip("connection refused")
	} else if b.state != nil && b.state.State() != gobreaker.StateClosed {
		b.trip(b.why(a))
	}
}

// Streak returns how many of the last attempts failed in a row.
func (b *Breaker) Streak() int {
	if !b.suspect.Load() {
		return 0
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.streak
}

// feed gives gobreaker one result, whole: allowed and done in one go.
func (b *Breaker) feed(bad bool) {
	done, err := b.state.Allow()
	if err != nil {
		return
	}
	if bad {
		done(errFailed)
		return
	}
	done(nil)
}

func (b *Breaker) newState() *gobreaker.TwoStepCircuitBreaker[struct{}] {
	return gobreaker.NewTwoStepCircuitBreaker[struct{}](gobreaker.Settings{
		Interval:     b.cfg.Window,
		BucketPeriod: max(b.cfg.Window/10, time.Nanosecond),
		Timeout:      time.Nanosecond, // the gate's wall time says when to probe
		ReadyToTrip: func(n gobreaker.Counts) bool {
			return b.streak >= b.cfg.Consecutive ||
				int(n.Requests) >= b.cfg.MinCalls && float64(n.TotalFailures) >= b.cfg.FailureRatio*float64(n.Requests)
		},
	})
}

func (b *Breaker) why(a *lift.AttemptRecord) string {
	last := "status " + fmt.Sprint(a.Status)
	switch {
	case a.GRPC != "":
		last = "grpc-status " + a.GRPC
	case a.Err != nil:
		last = string(lift.CodeOf(a.Err))
	}
	if b.streak >= b.cfg.Consecutive {
		return fmt.Sprintf("%d failures in a row, the last: %s", b.streak, last)
	}
	return fmt.Sprintf("at least %g of the calls in %s failed, the last: %s", b.cfg.FailureRatio, b.cfg.Window, last)
}

// trip opens the gate: for OpenFor the first time, twice as long each time after
// that, with up to half as much again at random, so that the probes of many
// environments part. Source: linkerd2's breaker, 1 s to 60 s, jitter 0.5.
func (b *Breaker) trip(why string) {
	now := b.now()
	b.open = true
	d := min(b.cfg.OpenFor<<min(b.trips, 20), b.cfg.OpenForMax)
	b.trips++
	d = min(d+time.Duration(b.rand()>>1)%(d/2+1), b.cfg.OpenForMax) //nolint:gosec // 63 bits fit
	b.gate.Suspend(now.Wall.Add(d), why)
}

func (b *Breaker) probed(a *lift.AttemptRecord, bad bool) {
	switch {
	case !a.Outcome.Judges():
		b.gate.ReturnProbe("the probe was " + a.Outcome.String() + ", which judges nobody")
	case bad:
		if b.state != nil {
			b.feed(true)
		}
		b.trip("the probe failed: " + a.Outcome.String())
	default:
		if b.state != nil {
			b.feed(false)
		}
		b.open, b.streak, b.last = false, 0, b.now()
		b.gate.Resume("the probe succeeded")
	}
}

func refused(a *lift.AttemptRecord) bool {
	return a.Reached == lift.NotReached && errors.Is(a.Err, syscall.ECONNREFUSED)
}
