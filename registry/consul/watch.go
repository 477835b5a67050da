package consul

import (
	"context"
	"errors"
	"time"

	"github.com/liftmesh/lift"
	"github.com/liftmesh/lift/registry/pace"
)

// watch is one watch of a service, and its state between questions.
type watch struct {
	*Registry
	*pace.Pace
	service string
	index   uint64 // of the last answer; 0 makes the next question a plain read
	bucket  bucket
	rested  bool // the last question was a plain read, after a wait for the bucket
}

const (
	// readTimeout limits a plain read.
	readTimeout = 5 * time.Second
	// readEvery is the least time between two reads where environments freeze. Up to
	// readSpread is added at random, so that clients do not read in step.
	readEvery, readSpread = 30 * time.Second, 10 * time.Second
	// pollEvery and pollSpread are the same, for a prepared query where nothing
	// freezes.
	pollEvery, pollSpread = 8 * time.Second, 4 * time.Second
)

// ask sends one question and returns the set in its answer.
func (w *watch) ask(ctx context.Context) ([]lift.Endpoint, error) {
	limit := readTimeout
	if w.index > 0 {
		// Consul adds up to a sixteenth, so that clients do not return in step.
		limit += w.client.Wait + w.client.Wait/16
	}
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	w.Begin(cancel)
	defer w.End()
	a, err := w.client.read(ctx, w.source, w.service, w.index)
	if errors.Is(err, errDoubtful) && w.index > 0 {
		// Agents that stream never name a leader in such an answer: use a plain read.
		a, err = w.client.read(ctx, w.source, w.service, 0)
		w.index = 0
	}
	if err != nil {
		w.index = 0 // the next answer comes at once, and shows whether Consul is healthy
		return nil, err
	}
	w.index = next(w.index, a.index)
	if w.client.Freezes || w.source.Query {
		w.index = 0 // never blocks
	}
	return a.set, nil
}

// next returns the index for the question after an answer with the index got. An index
// that went back means that Consul has started anew; 0 would not block.
//
// Source: Consul's documentation, api-docs/features/blocking.
func next(last, got uint64) uint64 {
	if got < last {
		return 0
	}
	return max(got, 1)
}

// pause returns when the next question is due, or when ctx has ended.
func (w *watch) pause(ctx context.Context, failures int, told bool) {
	switch {
	case failures > 0:
		w.Due(ctx, w.backoff(failures, told))
	case w.client.Freezes:
		w.Due(ctx, w.Spread(readEvery, readSpread))
	case w.source.Query:
		w.Due(ctx, w.Spread(pollEvery, pollSpread))
	case w.rested:
		w.rested = false
	default:
		if d := w.bucket.take(w.Mark().Mono); d > 0 {
			// The next question is a plain read: Consul may have started anew
			// meanwhile, and an index from before would then block for long.
			w.Due(ctx, d)
			w.index, w.rested = 0, true
		}
	}
}

// backoff returns the wait after the nth failure in a row.
func (w *watch) backoff(n int, told bool) time.Duration {
	if told && w.client.Freezes {
		return w.Spread(readEvery, readSpread)
	}
	return w.Backoff(n, told)
}
