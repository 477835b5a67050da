package transport

import (
	"math"
	"time"

	"github.com/liftmesh/lift"
)

// party is whom an attempt waits for at a moment.
type party uint8

const (
	endpoint party = iota // a connection, the taking of a request, an answer
	caller                // more of a live request body
	room                  // a limit of this process or of a connection
	reader                // the head has come: nobody but the call's deadline limits the rest
)

// never is a moment that does not come.
const never = time.Duration(math.MaxInt64)

// watch says which limit of time holds, by whom the attempt waits for:
//
//   - The endpoint has the attempt's timeout, in full each time it has done its part:
//     taken more of the request, or come to its turn again after the caller or a limit.
//   - The caller has the call's time.
//   - A limit may hold a call up for [Config.Wait], all attempts of it together.
//   - The call's deadline ends them all.
//
// A change of party moves the due time. The timer is set again only if that came
// nearer; one that fires early sets itself again. So a request body costs no timer for
// each piece, and a call with nothing to wait for but the endpoint sets one timer.
//
// Moments are monotonic, as timers are: the wall clock may be set while a call runs.
// Guarded by bounds.mu.
type watch struct {
	timer *time.Timer
	armed time.Duration // what the timer is set for; never if it is not

	party    party
	since    time.Duration         // since when it is waited for
	due      time.Duration         // when its time is up
	firm     time.Duration         // the call's deadline
	full     func() error          // which limit is waited for, if one is
	upload   *upload               // the body that is being sent, if it is live
	unsent   bool                  // not all of it has been sent
	spent    [reader]time.Duration // for how long each was waited for
	timeout, // of the attempt, for each part that the endpoint does; 0 is none
	wait time.Duration // what is left of Config.Wait
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

// await says that from now on the attempt waits for p. full names the limit, if p is
// room. Safe for concurrent use; it does nothing once the head has come.
func (b *bounds) await(p party, full func() error) {
	now := b.now().Mono
	b.mu.Lock()
	defer b.mu.Unlock()
	b.change(now, p, full)
}

// dequeued says that a limit is waited for no longer.
func (b *bounds) dequeued() {
	now := b.now().Mono
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.watch.party == room {
		b.change(now, endpoint, nil)
	}
}

// uploading says that u waits for the caller, or that the endpoint has what the caller
// sent. whole: that was the end. What is said of an earlier sending is ignored.
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

// turn has another party be waited for, and takes down how long the last one was.
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

// expire is what the timer does: it cuts, unless the limit has moved meanwhile.
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

// verdict is what a limit that was reached means.
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
// it waited for others than the endpoint.
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
