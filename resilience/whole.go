package resilience

import (
	"errors"
	"time"

	"github.com/liftmesh/lift"
)

// Whole has the request's body here, all of it, before anything is sent: for what
// is signed or wrapped as one piece. A body of more than limit bytes is refused as
// TooLarge, unsent. It waits for what is still coming in under the call's deadline
// and its cancel. A call that upgrades has no body before the answer. limit <= 0 is no step at all.
func Whole(limit int64, now func() lift.Instant) lift.Policy {
	if limit <= 0 {
		return nil
	}
	return func(next lift.Caller) lift.Caller {
		return lift.CallerFunc(func(c *lift.Call) (*lift.Response, error) {
			if c.Upgrade != "" { // the body is for after the answer
				return next.Call(c)
			}
			if c.Body.Size() > limit {
				return nil, lift.Errorf(c, lift.TooLarge, "the request's body has %d bytes, and %d are what this service takes", c.Body.Size(), limit)
			}
			if _, whole := c.Body.Complete(); !whole {
				content, err := gather(c, limit, now)
				if err != nil {
					return nil, err
				}
				c.Body = lift.BytesBody(content)
			}
			return next.Call(c)
		})
	}
}

// gather reads the body to its end. Closing it is what wakes a reader that waits.
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
		return nil, lift.Errorf(c, lift.DeadlineExceeded, "the request's body was not all here within the call's time")
	case errors.Is(err, lift.TooLarge):
		return nil, lift.Errorf(c, lift.TooLarge, "the request's body has more than the %d bytes that this service takes", limit)
	default:
		return nil, lift.Errorf(c, lift.CallCanceled, "the request's body broke off at the caller's end: %w", err)
	}
}
