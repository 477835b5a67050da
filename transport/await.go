package transport

import (
	"math"
	"time"

	"github.com/liftmesh/lift"
)

// party is what an attempt waits for.
type party uint8

const (
	endpoint party = iota // a connection, the taking of a request, an answer
	caller                // more of a live request body
	room                  // a limit of this process or of a connection
	reader                // the head has come: nobody but the call's deadline limits the rest
)

// never is a moment that is not reached.
const never = time.Duration(math.MaxInt64)

// watch knows what the attempt waits for, and so which limit of time holds:
//
//   - The endpoint has the attempt's timeout. It starts in full each time the endpoint
//     has taken more of the request, or has to act again after the caller or a limit.
//   - The caller has the call's time.
//   - A limit may delay a call by [Config.Wait], over all its attempts.
//   - The call's deadline holds throughout.
//
// A change of party moves the due time. The timer is reset only if the due time comes
// nearer; a timer that fires early resets itself. So a piece of a request body costs no
// timer, and a call that waits for nothing but the endpoint sets one timer in all.
//
// Moments are monotonic, as timers are: the wall clock may be set while a call runs.
// Guarded by bounds.mu.
type watch struct {
	timer *time.Timer
	armed time.Duration // what the timer is set for; never if it is not

	party party
	since time.Duration // since when it is waited for
	due   time.Duration // when its time is up
	firm  time.Duration // the call's deadline
	full  func() error  // makes the error of the limit, if one is waited for

	timeout time.Duration         // of the attempt, for each thing that the endpoint has to do; 0 is none
	wait    time.Duration         // what is left of Config.Wait
	spent   [reader]time.Duration // how long each party was waited for

	upload *upload // the live body that is being sent, nil if there is none
	unsent bool    // not all of it has been sent
}

// begin waits for the endpoint, within the limits that the attempt came with. It
// fails if one is reached already.
func (b *bounds) begin(a *lift.Attempt) *failure {
	w := &b.watch
	w.since, w.due, w.firm, w.armed = b.began.Mono, never, never, never
	w.timeout, w.wait = a.Timeout, max(0, b.cfg.Wait-a.QueuedInAll())
	if until := a.Call.Deadline; !until.IsZero() {
		w.firm = b.moment(until)
	}
	switch {
	case a.Deadline.IsZero():
	case a.Cut():
		w.firm = min(w.firm, b.moment(a.Deadline))
	default:
		w.due = b.moment(a.Deadline)
	}
	if w.next() <= w.since {
		return b.failure(w.verdict(), nil)
	}
	w.arm(b, w.since)
	return nil
}

// moment is a wall time as a monotonic one.
func (b *bounds) moment(t time.Time) time.Duration {
	left := t.Sub(b.began.Wall)
	at := b.began.Mono + left
	if left > 0 && at < b.began.Mono {
		return never // too far away to be told
	}
	return at
}

// next is when the first limit is reached.
func (w *watch) next() time.Duration { return min(w.due, w.firm) }

// arm sees to it that the timer fires at the next limit, or before.
func (w *watch) arm(b *bounds, now time.Duration) {
	next := w.next()
	switch {
	case next >= w.armed:
		return
	case w.timer == nil:
		w.timer = time.AfterFunc(next-now, b.expire)
	default:
		w.timer.Reset(next - now)
	}
	w.armed = next
}

// await notes that the attempt waits for p from now on. full makes the error of the
// limit, if p is room. Safe for concurrent use; after the head it does nothing.
func (b *bounds) await(p party, full func() error) {
	now := b.now().Mono
	b.mu.Lock()
	defer b.mu.Unlock()
	b.change(now, p, full)
}

// dequeued notes that no limit is waited for any longer.
func (b *bounds) dequeued() {
	now := b.now().Mono
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.watch.party == room {
		b.change(now, endpoint, nil)
	}
}

// uploading notes that u waits for the caller (p is caller), or has passed on what the
// caller sent (p is endpoint; whole: that was the end). An upload that a later one has
// replaced changes nothing.
func (b *bounds) uploading(u *upload, p party, whole bool) {
	now := b.now().Mono
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.watch.upload == u {
		b.watch.unsent = !whole
		b.change(now, p, nil)
	}
}

func (b *bounds) change(now time.Duration, p party, full func() error) {
	w := &b.watch
	if b.over || b.cause != uncut || w.party == reader {
		return
	}
	w.turn(now, p)
	w.full = full
	switch {
	case p == room:
		w.due = now + w.wait
	case p == endpoint && w.timeout > 0:
		w.due = now + w.timeout
	default:
		w.due = never
	}
	w.arm(b, now)
}

// turn changes the party, and adds up how long the last one was waited for.
func (w *watch) turn(now time.Duration, p party) {
	took := max(0, now-w.since)
	if w.party < reader {
		w.spent[w.party] += took
	}
	if w.party == room {
		w.wait = max(0, w.wait-took)
	}
	w.party, w.since = p, now
}

// expire is run by the timer. It cuts the attempt, unless the limit has moved.
func (b *bounds) expire() {
	defer b.contain("ending a call whose time is up", nil)
	now := b.now().Mono
	b.mu.Lock()
	w := &b.watch
	if w.next() > w.armed {
		w.armed = never
		w.arm(b, now)
		b.mu.Unlock()
		return
	}
	why := w.verdict()
	b.mu.Unlock()
	b.cut(why, nil)
}

// verdict returns what it means that the limit was reached.
func (w *watch) verdict() cause {
	switch {
	case w.party == room:
		return crowded
	case w.party == caller:
		return starved
	case w.due > w.firm:
		return deadline
	case w.unsent:
		return stalled
	default:
		return timedOut
	}
}

// stream has only the call's own limits hold from now on: the answer's head has
// come, which is what the attempt's timeout is for.
func (b *bounds) stream(until time.Time) *failure {
	now := b.now()
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.cause != uncut {
		return b.failure(b.cause, b.cancelErr)
	}
	w := &b.watch
	w.turn(now.Mono, reader)
	w.due, w.firm = never, never
	if !until.IsZero() {
		w.firm = now.Mono + max(0, until.Sub(now.Wall))
	}
	w.arm(b, now.Mono)
	return nil
}

// account writes into the attempt's record which limit held in the end, and how long
// the attempt waited for the caller and for limits.
func (b *bounds) account(a *lift.Attempt) {
	now := b.now().Mono
	b.mu.Lock()
	defer b.mu.Unlock()
	w := &b.watch
	if w.armed == 0 {
		return // it did not begin
	}
	w.turn(now, w.party)
	a.Queued += w.spent[room]
	a.Sending += w.spent[caller]
	w.spent = [reader]time.Duration{}
	if w.party == reader {
		return
	}
	a.Deadline = time.Time{}
	if next := w.next(); next < never {
		a.Deadline = b.began.Wall.Add(next - b.began.Mono)
	}
}
