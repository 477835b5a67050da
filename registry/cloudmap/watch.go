package cloudmap

import (
	"context"
	"time"

	"github.com/liftmesh/lift"
)

const (
	// limit is for one question; tooLong is how long none can last without a freeze
	// inside.
	limit   = 5 * time.Second
	tooLong = limit + lift.FreezeGap
	// lately is for how long a hint that the service is needed holds.
	lately = 10 * time.Second
	// frozenEvery is the least time between two questions where environments freeze.
	frozenEvery = 30 * time.Second
	// backoffFirst and backoffMax bound the waits while Cloud Map fails or throttles;
	// firstMax while no set has been told yet, so that calls wait for it.
	backoffFirst = time.Second
	backoffMax   = 30 * time.Second
	firstMax     = 5 * time.Second
)

// watch is one watch of a service. Its own goroutine has all of it but what the
// lock of the Registry guards.
type watch struct {
	*Registry
	service  string
	told     []lift.Endpoint // nil: none yet
	failures int
	revision int64
	asked    lift.Instant  // when the last question was put
	whole    lift.Instant  // when the set was last asked for as a whole, with success
	refetch  time.Duration // after which it is again
	wake     chan struct{}

	// guarded by Registry.mu
	needed  lift.Instant // when it was needed last
	waiting lift.Instant // since when a question is out, zero if none is
	cancel  context.CancelFunc
}

// ask puts one question, or two. A nil set without an error says that nothing has
// changed.
func (w *watch) ask(ctx context.Context) ([]lift.Endpoint, error) {
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	w.asked = w.Now()
	w.out(w.asked, cancel)
	defer w.out(lift.Instant{}, nil)
	if w.told != nil && w.failures == 0 && !w.Freezes && w.revisions() && age(w.asked, w.whole) < w.refetch {
		revision, err := w.latest(ctx, w.service)
		switch {
		case err == nil && revision == w.revision:
			return nil, nil
		case err != nil && !w.gaveUp(err):
			return nil, err
		}
	}
	a, err := w.discover(ctx, w.service)
	if err != nil {
		return nil, err
	}
	w.revision, w.whole, w.refetch = a.revision, w.asked, w.spread(w.Refetch, w.Refetch/4)
	return a.set, nil
}

func (w *watch) out(since lift.Instant, cancel context.CancelFunc) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.waiting, w.cancel = since, cancel
}

// straddled reports whether a freeze lay inside the last question.
func (w *watch) straddled() bool {
	if !w.Freezes {
		return false
	}
	now := w.Now()
	return now.Straddles(w.asked) || age(now, w.asked) > tooLong
}

// pause returns when the next question is due, or ctx has ended.
func (w *watch) pause(ctx context.Context) {
	switch {
	case w.failures > 0:
		w.due(ctx, w.backoff())
	case w.Freezes:
		w.due(ctx, w.spread(frozenEvery, frozenEvery/3))
	default:
		w.due(ctx, w.spread(w.Poll, w.Poll/4))
	}
}

// due returns when life has passed since the last question, or ctx has ended.
// Where environments freeze it waits, too, until the service is needed: without
// need there is no timer.
func (w *watch) due(ctx context.Context, life time.Duration) {
	for ctx.Err() == nil {
		now := w.Now()
		left := life - age(now, w.asked)
		w.mu.Lock()
		wanted := !w.Freezes || age(now, w.needed) < lately
		w.mu.Unlock()
		if wanted && left <= 0 {
			return
		}
		w.sleep(ctx, left, wanted)
	}
}

// sleep returns after d, if there is a timer, when it is woken, or when ctx has ended.
func (w *watch) sleep(ctx context.Context, d time.Duration, timed bool) {
	var rings <-chan time.Time
	if timed {
		t := time.NewTimer(d)
		defer t.Stop()
		rings = t.C
	}
	select {
	case <-rings:
	case <-w.wake:
	case <-ctx.Done():
	}
}

// need notes that the service is in use; the lock is held. A question that a freeze
// has cut in two is given up, as its answer may never come.
func (w *watch) need(now lift.Instant) {
	w.needed = now
	if w.cancel != nil && age(now, w.waiting) > tooLong {
		w.cancel()
	}
	select {
	case w.wake <- struct{}{}:
	default: // it is awake already
	}
}

// backoff is the wait after a failure: doubled with each in a row, half of it
// random, so that many do not come back at the same moment.
func (w *watch) backoff() time.Duration {
	most := backoffMax
	if w.told == nil {
		most = firstMax
	}
	d := min(backoffFirst<<min(w.failures-1, 10), most)
	return w.spread(d/2, d/2)
}

// spread is least and up to more, at random.
func (w *watch) spread(least, more time.Duration) time.Duration {
	return least + time.Duration(float64(w.Rand()>>11)/(1<<53)*float64(more))
}

// age is how long ago from was, by the clock that says more: the monotonic one
// stands still in a freeze, the wall clock may be set back.
func age(now, from lift.Instant) time.Duration {
	return max(now.Since(from), now.Mono-from.Mono)
}
