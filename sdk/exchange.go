package sdk

import (
	"context"
	"errors"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/liftmesh/lift"
)

// grace is how long whoever holds the call (engine, session) has to report that
// its time is up. Both go by the same moment as the SDK, but they know what was
// tried and whose fault it was. After twice that the SDK gives up by itself,
// which only happens where they stand still.
const grace = 25 * time.Millisecond

// exchange is one call from its making to its end.
type exchange struct {
	call     lift.Call
	settings settings
	// body returns the request's body once more, for a call that goes direct; nil
	// means that only what the call itself keeps can be sent again.
	body func() (*lift.Body, error)
	// stays: the call does not go direct, whatever happens.
	stays bool
	// whole: the timeout is watched to the answer's end, not just to its head.
	whole bool

	once     sync.Once
	stop     func() bool // ends the watch over ctx
	late     *time.Timer // ends the call if its timeout ran out unnoticed
	attempts []lift.AttemptRecord
	direct   bool
}

// do makes the call. The exchange is over when the response's body has ended,
// or when do has returned an error.
func (c *Client) do(ctx context.Context, x *exchange) (*lift.Response, error) {
	call := &x.call
	if err := c.fault(ctx); err != nil {
		x.end()
		return nil, x.fail(err.Code, "%w", err.Err)
	}
	call.Began = c.now()
	lift.Observe(c.caller, call)
	if err := x.settings.apply(call); err != nil {
		return nil, x.refused(x.fail(lift.InvalidCall, "%w", err))
	}
	if cause := context.Cause(ctx); cause != nil {
		call.Cancel(cause)
		return nil, x.refused(x.givenUp(ctx.Err(), cause))
	}
	if deadline, ok := ctx.Deadline(); ok {
		// What is left is a length; the moment is the client's clock's.
		call.Deadline = call.Began.Wall.Add(time.Until(deadline))
	}
	x.stop = context.AfterFunc(ctx, func() { x.abandon(ctx) })
	if call.Timeout > 0 {
		x.late = time.AfterFunc(call.Timeout+2*grace, func() { x.cancel(context.DeadlineExceeded) })
	}

	resp, err := c.call(call)
	if err != nil {
		resp, err = c.goDirect(ctx, x, x.settle(err))
	}
	if err != nil {
		return nil, x.refused(err)
	}
	if x.late != nil && !x.whole {
		x.late.Stop()
	}
	resp.Body.OnEnd(func(error) { x.end() })
	return resp, nil
}

// call is the caller's Call with its faults contained: in process, a bug in the
// engine costs the call and not the application.
func (c *Client) call(call *lift.Call) (resp *lift.Response, err error) {
	defer func() {
		if fault := recover(); fault != nil {
			resp, err = nil, lift.Errorf(call, lift.Internal, "a fault in the caller: %v, at %s", fault, faultSite())
		}
	}()
	return c.caller.Call(call)
}

// faultSite returns file and line of what is panicking; for a deferred function.
func faultSite() string {
	pcs := make([]uintptr, 16)
	frames := runtime.CallersFrames(pcs[:runtime.Callers(3, pcs)])
	for {
		frame, more := frames.Next()
		if !strings.HasPrefix(frame.Function, "runtime.") {
			return filepath.Base(frame.File) + ":" + strconv.Itoa(frame.Line)
		}
		if !more {
			return "an unknown place"
		}
	}
}

// abandon runs when ctx is over. A deadline is the engine's to act on, since the
// call carries it; the SDK waits for its word for a moment.
func (x *exchange) abandon(ctx context.Context) {
	if !errors.Is(ctx.Err(), context.DeadlineExceeded) {
		x.cancel(context.Cause(ctx))
		return
	}
	wait := time.NewTimer(2 * grace)
	defer wait.Stop()
	ended := make(chan struct{})
	x.call.Hold(func() { close(ended) })
	select {
	case <-wait.C:
		x.cancel(context.DeadlineExceeded)
	case <-ended:
	}
}

// cancel runs in a goroutine of its own: a fault in what it sets off must not
// end the application, and the call still ends by its own error.
func (x *exchange) cancel(cause error) {
	defer func() { _ = recover() }()
	x.call.Cancel(cause)
}

// refused ends an exchange that has no answer, and returns err.
func (x *exchange) refused(err error) error {
	x.call.Fail(err)
	x.end()
	return err
}

// end gives back all that the call holds; it runs once.
func (x *exchange) end() {
	x.once.Do(func() {
		if x.stop != nil {
			x.stop()
		}
		if x.late != nil {
			x.late.Stop()
		}
		_ = x.call.Body.Close()
		x.call.End()
		if x.settings.record != nil {
			x.settings.record.fill(x.record(), x.direct)
		}
	})
}

// record is what was tried, past the sidecar too.
func (x *exchange) record() []lift.AttemptRecord {
	if x.direct {
		return x.attempts
	}
	return x.call.Attempts()
}

// settle makes the one error of the call: always a [*lift.Error], and a deadline
// where it was a deadline that had the call canceled.
func (x *exchange) settle(err error) *lift.Error {
	e, ok := errors.AsType[*lift.Error](err)
	if !ok {
		return lift.Errorf(&x.call, lift.Internal, "the caller returned an error of an unknown kind: %w", err)
	}
	if e.Code == lift.CallCanceled && errors.Is(x.call.Err(), context.DeadlineExceeded) {
		late := *e
		late.Code = lift.DeadlineExceeded
		return &late
	}
	return e
}

// settleBody is settle for what broke an answer after its head.
func (x *exchange) settleBody(err error) error {
	if _, ok := errors.AsType[*lift.Error](err); ok {
		return x.settle(err)
	}
	var e *lift.Error
	if cause := x.call.Err(); cause != nil {
		e = x.givenUp(cause, cause)
	} else {
		e = x.fail(lift.Unavailable, "the answer broke off: %w", err)
	}
	e.Reached = lift.Answered
	return e
}

// givenUp is the error of a call whose context was over; why is the context's
// error, cause what the application gave as its reason.
func (x *exchange) givenUp(why, cause error) *lift.Error {
	if errors.Is(why, context.DeadlineExceeded) {
		return x.fail(lift.DeadlineExceeded, "the context's deadline has passed: %w", cause)
	}
	return x.fail(lift.CallCanceled, "the context was canceled: %w", cause)
}

// fail makes an error of the call with the record of it.
func (x *exchange) fail(code lift.Code, format string, args ...any) *lift.Error {
	e := lift.Errorf(&x.call, code, format, args...)
	if n := len(x.attempts); x.direct && n > 0 {
		e.Attempts = x.attempts
		e.Endpoint = x.attempts[n-1].Endpoint.Addr
	}
	return e
}
