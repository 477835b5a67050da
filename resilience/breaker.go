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

// Gate is what a breaker opens and closes: its hold on the balancer's node.
type Gate interface {
	// Suspend takes the endpoint out for length, until a probe has gone well.
	Suspend(length time.Duration, why string)
	// Resume makes it usable again.
	Resume(why string)
	// ReturnProbe gives a probe's slot back, and leaves the rest as it is.
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
	opened lift.Instant
	length time.Duration // for which it was opened
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

// Report tells the breaker of an attempt that has ended, and what that says of the
// endpoint. For one that was a probe, and has not been told of, see Probed.
func (b *Breaker) Report(a *lift.AttemptRecord, v Verdict) {
	if v == Nothing || v != Unwell && !b.suspect.Load() {
		return
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.open || b.before(a) {
		return // if open it began before the gate closed; only the probe is asked now
	}
	b.count(a, v == Unwell)
}

// Probed tells the breaker what the probe said, once: at the head of its answer if
// that is good, so that an answer which goes on for long holds nobody up, else at its
// end. It must be called for every attempt that is a probe.
func (b *Breaker) Probed(a *lift.AttemptRecord, v Verdict) {
	b.mu.Lock()
	defer b.mu.Unlock()
	switch {
	case !b.open || b.before(a):
	case v == Nothing:
		b.gate.ReturnProbe("the probe was " + a.Outcome.String() + ", which judges nobody")
	case v == Unwell && a.Began.Age(b.opened) < b.length:
		b.gate.ReturnProbe("an early probe failed: " + a.Cause())
	case v == Unwell:
		b.feed(true)
		b.trip("the probe failed: " + a.Cause())
	default:
		b.feed(false)
		b.open, b.streak, b.last = false, 0, b.now()
		b.gate.Resume("the probe was answered")
	}
}

// before reports whether a went another way than the endpoint is reached by now.
func (b *Breaker) before(a *lift.AttemptRecord) bool {
	return !b.since.IsZero() && a.Began.Mono < b.since.Mono
}

func (b *Breaker) count(a *lift.AttemptRecord, bad bool) {
	at := b.now()
	if b.state == nil || at.Age(b.last) > b.cfg.Window {
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
		b.streak++
	} else {
		b.streak = 0
	}
	b.feed(bad)
	switch {
	case refused(a):
		b.trip(a.Cause())
	case b.state.State() != gobreaker.StateClosed:
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
	if b.state == nil {
		return
	}
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
	if b.streak >= b.cfg.Consecutive {
		return fmt.Sprintf("%d failures in a row, the last: %s", b.streak, a.Cause())
	}
	return fmt.Sprintf("at least %g of the calls in %s failed, the last: %s", b.cfg.FailureRatio, b.cfg.Window, a.Cause())
}

// trip opens the gate.
func (b *Breaker) trip(why string) {
	b.open, b.opened, b.length = true, b.now(), b.cfg.openFor(b.trips, b.rand)
	b.trips++
	b.gate.Suspend(b.length, why)
}

func refused(a *lift.AttemptRecord) bool {
	return a.Reached == lift.NotReached && errors.Is(a.Err, syscall.ECONNREFUSED)
}
