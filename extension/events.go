package extension

import (
	"context"
	"errors"
	"iter"
	"net/http"
	"time"
)

// The wait between two failing polls doubles from the first to the second of
// these. It starts small because an invocation cannot end while its extension
// does not poll, and ends at what a broken API can stand.
const (
	firstWait = 10 * time.Millisecond
	mostWait  = time.Second
)

// Events yields what Lambda tells, until Shutdown has been yielded, ctx ends or
// the loop breaks. Asking Lambda for the next event also ends the last one, and
// so does range: the body of the loop is the extension's part of an invocation,
// and Lambda may freeze the process once it has come to its end. The wait for
// an event has no limit in time.
//
// An extension must not end before Shutdown, so Events goes on polling whatever
// happens. An error (always an [*Error]) is yielded with a zero Event and tells
// that a poll failed; the next one follows after a jittered wait, from 10 ms at
// the first to 1 s. Only an error that is Final is the last: the environment is
// broken for good, and the process should end with a status other than 0. Once
// ExitError or InitError has been accepted, and once ctx has ended, Events ends
// without a word.
//
// Events of a type that this package does not know are passed over.
func (c *Client) Events(ctx context.Context) iter.Seq2[Event, error] {
	return func(yield func(Event, error) bool) {
		strange := 0 // polls in a row that brought nothing to act on
		for {
			event, err := c.next(ctx)
			if ctx.Err() != nil && event.Type != Shutdown || c.over.Load() {
				return
			}
			known := err == nil && (event.Type == Invoke || event.Type == Shutdown)
			if err != nil || known {
				if !yield(event, err) || event.Type == Shutdown {
					return
				}
			}
			if e, ok := errors.AsType[*Error](err); ok && e.Final {
				return
			}
			if known {
				strange = 0
				continue
			}
			// One unknown event is passed over at once; an API that sends nothing
			// else must not keep the processor busy.
			strange++
			if err == nil && strange == 1 {
				continue
			}
			if !c.wait(ctx, strange) {
				return
			}
		}
	}
}

// next polls once.
func (c *Client) next(ctx context.Context) (Event, error) {
	header, err := c.identified(opNext)
	if err != nil {
		return Event{}, err
	}
	_, answer, err := c.do(ctx, opNext, http.MethodGet, header, nil, http.StatusOK)
	if err != nil {
		return Event{}, err
	}
	event, err := parseEvent(answer)
	if err != nil {
		return Event{}, &Error{Op: opNext, Status: http.StatusOK, Message: clip(string(answer)), Err: err, api: c.cfg.API}
	}
	return event, nil
}

// wait lets the n-th wait in a row pass, half of it fixed and half random, so
// that it is never nothing. It reports whether ctx is still alive.
func (c *Client) wait(ctx context.Context, n int) bool {
	d := mostWait
	if n < 8 { // 10 ms << 7 is over a second
		d = min(d, firstWait<<(n-1))
	}
	d = d/2 + time.Duration(c.cfg.Rand()*float64(d/2))
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return true
	case <-ctx.Done():
		return false
	}
}
