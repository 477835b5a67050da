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

// Gate is the part of the balancer's node that a breaker opens and closes.
type Gate interface {
	// Suspend takes the endpoint out for length, and after that until a probe succeeds.
	Suspend(length time.Duration, why string)
	// Resume makes it usable again.
	Resume(why string)
	// ReturnProbe gives a probe's slot back and changes nothing else.
	ReturnProbe(why string)
}

// errFailed is the error that gobreaker gets for a failed attempt.
var errFailed = errors.New("failed")

// Breaker decides from the outcomes of an endpoint's attempts when its gate opens and
// for how long. gobreaker has the window's counts and the state machine. Lift has its
// own gate with its own wall time, because gobreaker measures by the monotonic clock,
// which may stand still in a freeze, and because a call that passes the gate must never
// wait for a lock. The breaker only hears of attempts that have ended, so no count can
// stay incomplete. An endpoint that has had no failure within the window costs one
// atomic load. Safe for concurrent use.
type Breaker struct {
	cfg  BreakerConfig
	gate Gate
	now  func() lift.Instant
	rand func() uint64

	suspect atomic.Bool // an attempt has failed within the window, so count

	mu     sync.Mutex
	state  *gobreaker.TwoStepCircuitBreaker[struct{}]
	open   bool
	opened lift.Instant
	length time.Duration // how long it was opened for
	streak int
	trips  int // openings since the endpoint was last well for a window
	last   lift.Instant
	since  lift.Instant // of the last Forget: attempts that began earlier do not count
}

// NewBreaker returns a closed breaker for the endpoint behind gate.
func NewBreaker(cfg BreakerConfig, gate Gate, now func() lift.Instant, rand func() uint64) *Breaker {
	return &Breaker{cfg: cfg.WithDefaults(), gate: gate, now: now, rand: rand}
}

// Change replaces the configuration. An open endpoint stays open for its time, and
// failures in a row stay counted. If the window changes, its counts start again from
// zero.
func (b *Breaker) Change(cfg BreakerConfig) {
	b.mu.Lock()
	defer b.mu.Unlock()
	before := b.cfg.Window
	b.cfg = cfg.WithDefaults()
	if b.state != nil && b.cfg.Window != before {
		b.state = b.newState()
	}
}

// Forget makes the endpoint usable at once and drops all counts, because Lift reaches
// it in another way from now on. Attempts that began earlier do not count, whenever
// they end.
func (b *Breaker) Forget(why string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.since = b.now()
	b.suspect.Store(false)
	b.state, b.open, b.streak, b.trips = nil, false, 0, 0
	b.gate.Resume(why)
}

// Report counts an attempt that has ended, with its verdict about the endpoint. For a
// probe that has not been reported, call Probed.
func (b *Breaker) Report(a *lift.AttemptRecord, v Verdict) {
	if v == Nothing || v != Unwell && !b.suspect.Load() {
		return
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.open || b.before(a) {
		return // if open, the attempt began before the gate closed; only the probe counts now
	}
	b.count(a, v == Unwell)
}

// Probed reports a probe's result, once: at the head of its answer if that is good, so
// that a long answer delays no other call, else at its end. It must be called for every
// attempt that is a probe.
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

// before reports whether a began before the last Forget.
func (b *Breaker) before(a *lift.AttemptRecord) bool {
	return !b.since.IsZero() && a.Began.Mono < b.since.Mono
}

func (b *Breaker) count(a *lift.AttemptRecord, bad bool) {
	at := b.now()
	if b.state == nil || at.Age(b.last) > b.cfg.Window {
		if !bad { // a window without a failure: the endpoint is well again
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

// feed gives gobreaker one whole result: it asks for permission and reports the result
// in one step.
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
