package wire

import (
	"errors"
	"time"

	"github.com/liftmesh/lift"
	liftv1 "github.com/liftmesh/lift/proto/lift/v1"
)

// maxAttempts is how many attempts of a record cross, the last ones: a record is
// for people and must not fill frames.
const maxAttempts = 32

// Attempts returns the record as it goes on the wire, its times counted from began.
func Attempts(attempts []lift.AttemptRecord, began lift.Instant) []*liftv1.Attempt {
	if len(attempts) == 0 {
		return nil
	}
	attempts = attempts[max(0, len(attempts)-maxAttempts):]
	block := make([]liftv1.Attempt, len(attempts))
	out := make([]*liftv1.Attempt, len(attempts))
	for i := range attempts {
		a, w := &attempts[i], &block[i]
		w.EndpointAddr = text(a.Endpoint.Addr)
		w.EndpointId = text(a.Endpoint.ID)
		w.Zone = text(a.Endpoint.Zone)
		w.Outcome = liftv1.Outcome(a.Outcome)
		w.Reached = liftv1.Reached(a.Reached)
		w.Status = int32(a.Status) //nolint:gosec // three digits
		w.BeganNanos = int64(a.Began.Since(began))
		w.DurationNanos = int64(a.Duration())
		w.TimeoutNanos = int64(a.Timeout)
		w.QueuedNanos, w.SendingNanos = int64(a.Queued), int64(a.Sending)
		w.Fresh, w.Probe = a.Fresh, a.Probe
		w.Candidates = int32(min(a.Candidates, 1<<30)) //nolint:gosec // bounded
		w.Why = text(a.Why)
		if a.Err != nil {
			w.Error = text(a.Err.Error())
		}
		out[i] = w
	}
	return out
}

// FromAttempts is the reverse of [Attempts]; it appends to into. Causes come as
// plain text.
func FromAttempts(into []lift.AttemptRecord, attempts []*liftv1.Attempt, began lift.Instant) []lift.AttemptRecord {
	for _, w := range attempts {
		a := lift.AttemptRecord{
			Endpoint:   lift.Endpoint{ID: w.GetEndpointId(), Addr: w.GetEndpointAddr(), Zone: w.GetZone()},
			Began:      later(began, w.GetBeganNanos()),
			Timeout:    time.Duration(w.GetTimeoutNanos()),
			Queued:     time.Duration(w.GetQueuedNanos()),
			Sending:    time.Duration(w.GetSendingNanos()),
			Candidates: int(w.GetCandidates()),
			Why:        w.GetWhy(),
			Probe:      w.GetProbe(),
			Fresh:      w.GetFresh(),
			Status:     int(w.GetStatus()),
			Outcome:    outcome(w.GetOutcome()),
			Reached:    reached(w.GetReached()),
		}
		if d := w.GetDurationNanos(); d > 0 {
			a.Ended = later(a.Began, d)
		}
		if w.GetError() != "" {
			a.Err = errors.New(w.GetError())
		}
		into = append(into, a)
	}
	return into
}

// Record makes the attempts from the wire c's record.
func Record(c *lift.Call, attempts []*liftv1.Attempt, began lift.Instant) {
	if len(attempts) == 0 {
		return
	}
	var room [1]lift.AttemptRecord
	c.SetAttempts(FromAttempts(room[:0], attempts, began))
}

func later(i lift.Instant, nanos int64) lift.Instant {
	d := time.Duration(nanos)
	return lift.Instant{Wall: i.Wall.Add(d), Mono: i.Mono + d}
}

// outcome and reached take what a newer peer knows and we do not as the zero value.

func outcome(o liftv1.Outcome) lift.Outcome {
	if o < 0 || o > liftv1.Outcome(lift.Limited) {
		return lift.Unjudged
	}
	return lift.Outcome(o)
}

func reached(r liftv1.Reached) lift.Reached {
	if r < 0 || r > liftv1.Reached(lift.Answered) {
		return lift.MayHaveActed // something newer than we know: be careful
	}
	return lift.Reached(r)
}
