package cloudmap

import (
	"context"
	"time"

	"github.com/liftmesh/lift"
	"github.com/liftmesh/lift/registry/pace"
)

const (
	// limit is the time for one question.
	limit = 5 * time.Second
	// frozenEvery is the least time between two questions where environments freeze.
	frozenEvery = 30 * time.Second
)

// watch is one watch of a service, and its state between questions.
type watch struct {
	*Registry
	*pace.Pace
	service  string
	told     []lift.Endpoint // nil: none yet
	failures int
	revision int64
	whole    lift.Instant  // when the whole set was last received
	refetch  time.Duration // after which the whole set is asked for again
}

// ask sends one question, or two. A nil set without an error means that nothing has
// changed.
func (w *watch) ask(ctx context.Context) ([]lift.Endpoint, error) {
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	began := w.Begin(cancel)
	defer w.End()
	if w.told != nil && w.failures == 0 && !w.Freezes && w.revisions() && began.Age(w.whole) < w.refetch {
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
	w.revision, w.whole, w.refetch = a.revision, began, w.Spread(w.Refetch, w.Refetch/4)
	return a.set, nil
}

// pause returns when the next question is due, or when ctx has ended.
func (w *watch) pause(ctx context.Context) {
	switch {
	case w.failures > 0:
		w.Due(ctx, w.Backoff(w.failures, w.told != nil))
	case w.Freezes:
		w.Due(ctx, w.Spread(frozenEvery, frozenEvery/3))
	default:
		w.Due(ctx, w.Spread(w.Poll, w.Poll/4))
	}
}
