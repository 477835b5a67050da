package consul

import (
	"context"
	"errors"
	"time"

	"github.com/liftmesh/lift"
)

// watch is one watch of a service and what it remembers from question to
// question. Its own goroutine has all of it but what the lock of the Registry
// guards.
type watch struct {
	*Registry
	service string
	index   uint64       // of the last answer; 0 asks plainly
	asked   lift.Instant // when the last question was put
	bucket  bucket
	rested  bool // the last question was put plainly, after a wait for the bucket
	wake    chan struct{}

	// guarded by Registry.mu
	needed  lift.Instant // when it was needed last
	waiting lift.Instant // since when a question is out, zero if none is
	cancel  context.CancelFunc
}

const (
	// readTimeout is for a plain read.
	readTimeout = 5 * time.Second
	// tooLong is how long none can last without a freeze inside.
	tooLong = readTimeout + lift.FreezeGap
	// lately is for how long a hint that the service is needed holds.
	lately = 10 * time.Second
	// readEvery is the least time between two reads where environments freeze,
	// and readSpread what is added at random, so that many do not read together.
	readEvery, readSpread = 30 * time.Second, 10 * time.Second
	// pollEvery and pollSpread are the same for a prepared query where nothing
	// freezes.
	pollEvery, pollSpread = 8 * time.Second, 4 * time.Second
	// backoffFirst and backoffMax bound the waits while Consul fails; firstMax
	// while no set has been told yet, so that calls wait for it.
	backoffFirst = time.Second
	backoffMax   = 30 * time.Second
	firstMax     = 5 * time.Second
)

// ask puts one question and returns the set that is the answer.
func (w *watch) ask(ctx context.Context) ([]lift.Endpoint, error) {
	limit := readTimeout
	if w.index > 0 {
		// Consul adds up to a sixteenth, so that many do not come back together.
		limit += w.client.Wait + w.client.Wait/16
	}
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	w.asked = w.client.Now()
	w.out(w.asked, cancel)
	defer w.out(lift.Instant{}, nil)
	a, err := w.client.read(ctx, w.source, w.service, w.index)
	if errors.Is(err, errDoubtful) && w.index > 0 {
		// Agents that stream never name a leader in such an answer: ask plainly.
		a, err = w.client.read(ctx, w.source, w.service, 0)
		w.index = 0
	}
	if err != nil {
		w.index = 0 // the next answer comes at once, and says whether all is well
		return nil, err
	}
	w.index = next(w.index, a.index)
	if w.client.Freezes || w.source.Query {
		w.index = 0 // never blocks
	}
	return a.set, nil
}

// next is the index to ask with after an answer that brought got. One that went
// back is of a Consul that begins anew; 0 would not block.
//
// Source: Consul's documentation, api-docs/features/blocking.
func next(last, got uint64) uint64 {
	if got < last {
		return 0
	}
	return max(got, 1)
}

func (w *watch) out(since lift.Instant, cancel context.CancelFunc) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.waiting, w.cancel = since, cancel
}

// straddled reports whether a freeze lay inside the last question.
func (w *watch) straddled() bool {
	if !w.client.Freezes {
		return false
	}
	now := w.client.Now()
	return now.Straddles(w.asked) || age(now, w.asked) > tooLong
}

// pause returns when the next question is due, or ctx has ended.
func (w *watch) pause(ctx context.Context, failures int, told bool) {
	switch {
	case failures > 0:
		w.due(ctx, w.backoff(failures, told))
	case w.client.Freezes:
		w.due(ctx, w.spread(readEvery, readSpread))
	case w.source.Query:
		w.due(ctx, w.spread(pollEvery, pollSpread))
	case w.rested:
		w.rested = false
	default:
		now := w.client.Now()
		w.asked = now
		if d := w.bucket.take(now.Mono); d > 0 {
			// What came meanwhile is asked for plainly: by then it may be a Consul that
			// has begun anew, where an index from before would block for long.
			w.due(ctx, d)
			w.index, w.rested = 0, true
		}
	}
}

// due returns when life has passed since the last question, or ctx has ended.
// Where environments freeze it waits, too, until the service is needed: without
// need there is no timer.
func (w *watch) due(ctx context.Context, life time.Duration) {
	for ctx.Err() == nil {
		now := w.client.Now()
		left, wanted := life-age(now, w.asked), true
		if w.client.Freezes {
			w.mu.Lock()
			wanted = age(now, w.needed) < lately
			w.mu.Unlock()
		}
		if wanted && left <= 0 {
			return
		}
		if !wanted {
			left = -1
		}
		w.sleep(ctx, left)
	}
}

// sleep returns after d (never by time, if that is negative), when it is woken, or
// when ctx has ended.
func (w *watch) sleep(ctx context.Context, d time.Duration) {
	var rings <-chan time.Time
	if d >= 0 {
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

// need notes that the service is in use; the lock is held. A read that a freeze
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

// age is how long ago from was, by the clock that says more: the monotonic one
// stands still in a freeze, the wall clock may be set back.
func age(now, from lift.Instant) time.Duration {
	return max(now.Since(from), now.Mono-from.Mono)
}

// backoff is the wait after the nth failure in a row: doubled, half of it random,
// so that many do not come back at the same moment.
func (w *watch) backoff(n int, told bool) time.Duration {
	most := backoffMax
	switch {
	case told && w.client.Freezes:
		return w.spread(readEvery, readSpread)
	case !told:
		most = firstMax
	}
	d := min(backoffFirst<<min(n-1, 10), most)
	return w.spread(d/2, d/2)
}

// spread is least and up to more, at random.
func (w *watch) spread(least, more time.Duration) time.Duration {
	return least + time.Duration(float64(w.client.Rand()>>11)/(1<<53)*float64(more))
}
