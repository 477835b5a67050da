package resilience

import (
	"errors"
	"time"

	"github.com/liftmesh/lift"
)

// Whole reads the request's body to its end before anything is sent, for requests that
// are signed or wrapped as one piece. A body of more than limit bytes fails as
// TooLarge, unsent. The wait for the body ends with the call's deadline, and when the
// call is canceled. A call that upgrades is passed on: its body follows the answer. If
// limit <= 0, Whole returns nil, for no step.
func Whole(limit int64, now func() lift.Instant) lift.Policy {
	if limit <= 0 {
		return nil
	}
	return func(next lift.Caller) lift.Caller {
		return lift.CallerFunc(func(c *lift.Call) (*lift.Response, error) {
			if c.Upgrade != "" { // the body follows the answer
				return next.Call(c)
			}
			if c.Body.Size() > limit {
				return nil, lift.Errorf(c, lift.TooLarge, "the request's body has %d bytes; this service takes at most %d", c.Body.Size(), limit)
			}
			if _, whole := c.Body.Complete(); !whole {
				content, err := gather(c, limit, now)
				if err != nil {
					return nil, err
				}
				c.Note(lift.WaitedForBody, int64(len(content)))
				c.Body = lift.BytesBody(content)
			}
			return next.Call(c)
		})
	}
}

// gather reads the body to its end. A deadline or a cancel closes the body, which wakes
// the reader.
func gather(c *lift.Call, limit int64, now func() lift.Instant) ([]byte, *lift.Error) {
	body := c.Body
	if left, limited := c.Remaining(now()); limited {
		t := time.AfterFunc(left, func() { _ = body.Close() })
		defer t.Stop()
	}
	stop := c.OnCancel(func() { _ = body.Close() })
	defer stop()
	content, err := body.ReadAll(limit)
	if err == nil {
		return content, nil
	}
	left, limited := c.Remaining(now())
	switch {
	case c.Err() != nil:
		return nil, lift.Errorf(c, lift.CallCanceled, "the caller gave up: %w", c.Err())
	case limited && left <= 0:
		return nil, lift.Errorf(c, lift.DeadlineExceeded, "the request's body did not arrive within the call's time; send it sooner, or raise timeout")
	case errors.Is(err, lift.TooLarge):
		return nil, lift.Errorf(c, lift.TooLarge, "the request's body has more than the %d bytes that this service takes at most", limit)
	default:
		return nil, lift.Errorf(c, lift.CallCanceled, "the request's body broke off at the caller's end: %w", err)
	}
}
