package extension

import (
	"context"
	"errors"
	"iter"
	"net/http"
	"time"
)

// The wait between failing polls doubles from firstWait to mostWait. It starts small
// because an invocation cannot end while its extension does not poll, and stops at a
// rate that a broken API can take.
const (
	firstWait = 10 * time.Millisecond
	mostWait  = time.Second
)

// Events yields Lambda's events until it has yielded Shutdown, ctx ends or the loop
// breaks. To ask for the next event tells Lambda that the extension is done with the
// last one. So an invocation lasts until the body of the loop has ended, and Lambda may
// freeze the process after that. The wait for an event has no time limit.
//
// An extension must not exit before Shutdown, so Events keeps polling whatever happens.
// If a poll fails, it yields the error (always an [*Error]) with a zero Event, and polls
// again after a jittered wait, which grows from 10 ms to 1 s. Only an error that is
// Final is the last one: the environment cannot be used any more, and the process should
// exit with a status other than 0. Events ends without an error when Lambda has accepted
// an InitError or ExitError, and when ctx has ended.
//
// Events ignores events of unknown types.
func (c *Client) Events(ctx context.Context) iter.Seq2[Event, error] {
	return func(yield func(Event, error) bool) {
		strange := 0 // polls in a row without an event to yield
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
			// After one unknown event it polls again at once; an API that sends nothing
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

// wait waits for the n-th time in a row. Half of the time is fixed and half is random,
// so that it is never 0. It reports whether ctx is still alive.
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
