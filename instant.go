package lift

import "time"

// Instant is one moment read from two clocks: the wall clock, which is right after a
// freeze but may jump, and the monotonic clock, which never jumps but may stand still
// while a Lambda environment is frozen. The age of connections, breakers, budgets and
// sets is measured by Wall. If the two disagree about a span, a freeze lies in it.
type Instant struct {
	Wall time.Time     // without Go's hidden monotonic reading
	Mono time.Duration // since an arbitrary moment of this process
}

var started = time.Now() // only ever read; the zero of Mono

// Now reads both clocks. All code that measures age takes a function like this one;
// tests and the emulator's test build pass another one.
func Now() Instant {
	t := time.Now()
	return Instant{Wall: t.Round(0), Mono: t.Sub(started)}
}

// FreezeGap is how much the wall and the monotonic length of a span may differ before
// Lift concludes that a freeze lay in it.
const FreezeGap = time.Second

// Since returns how long ago earlier was, by the wall clock. It is never
// negative: a wall clock that was set back gives 0.
func (i Instant) Since(earlier Instant) time.Duration {
	return max(0, i.Wall.Sub(earlier.Wall))
}

// Age returns how long ago earlier was, by the clock that advanced more: the monotonic
// one may have stood still in a freeze, and the wall clock may have been set back.
func (i Instant) Age(earlier Instant) time.Duration {
	return max(i.Since(earlier), i.Mono-earlier.Mono)
}

// Before reports whether i is before later by both clocks: the wall clock may have been
// set back, the monotonic one may have stood still in a freeze.
func (i Instant) Before(later Instant) bool {
	return i.Wall.Before(later.Wall) && i.Mono < later.Mono
}

// Straddles reports whether the clocks show a freeze between earlier and i: the wall
// and the monotonic length differ by more than [FreezeGap]. It detects a freeze only if
// monotonic time stood still. If it ran on, a frozen attempt has outlived its timeout,
// which shows the freeze.
func (i Instant) Straddles(earlier Instant) bool {
	d := i.Wall.Sub(earlier.Wall) - (i.Mono - earlier.Mono)
	return d > FreezeGap || d < -FreezeGap
}

// IsZero reports whether i was never read.
func (i Instant) IsZero() bool { return i.Wall.IsZero() }
