package transport

import (
	"context"
	"errors"
	"fmt"
	"io"
	"runtime/debug"
	"strings"
	"syscall"

	"github.com/liftmesh/lift"
)

// failure is why there is no answer.
type failure struct {
	code lift.Code
	err  error
	// silent: not a byte of an answer had come.
	silent bool
	// unsent: not a byte of the request had left.
	unsent bool
	// elsewhere: the endpoint cannot have begun, and over another connection it may.
	elsewhere bool
	// unwanted: a connect gave up its place in the queue, as nobody waited for it.
	unwanted bool
}

// coded is an error that is not the endpoint's fault, with the code that says whose.
type coded struct {
	code lift.Code
	error
}

// Unwrap returns the cause.
func (e *coded) Unwrap() error { return e.error }

// cause is who cut an exchange short.
type cause uint8

const (
	uncut    cause = iota
	timedOut       // the attempt's own timeout, with the request sent whole
	stalled        // the attempt's own timeout, with the endpoint not taking the request
	crowded        // the wait for a limit
	deadline       // the call's deadline
	starved        // the call's deadline, with the caller not having sent its request whole
	canceled       // the call's caller
)

// failureOn says what a failed exchange on c died of. err is net/http's word;
// the connection's own is better where it has one.
func (x *exchange) failureOn(c *conn, err error) *failure {
	c.mu.Lock()
	heard, unsent, readErr, denied := c.heard, !c.sent && !c.sending || c.denied != nil, c.readErr, c.denied
	c.mu.Unlock()
	if f := x.cutFailure(); f != nil {
		f.unsent = unsent
		return f
	}
	f := &failure{code: lift.Unavailable, silent: !heard, unsent: unsent}
	switch {
	case f.upload(err):
		f.silent = false
	case denied != nil && c.secure != nil:
		f.err = x.pool.dialer.secure.refusal(alertOf(denied), denied, c.secure.demanded.Load(), c.secure.shown)
	case denied != nil:
		f.code, f.err = lift.BadResponse, denied
	case heard && isBreak(readErr):
		f.code, f.err = lift.BadResponse, fmt.Errorf("the answer broke off within its head (%w); did the instance die?", readErr)
	case heard && tooLong(err):
		f.code, f.err = lift.BadResponse, fmt.Errorf("the answer's header exceeded %d bytes; look at that instance, or raise connections.max_header", x.pool.cfg.MaxHeader)
	case heard:
		f.code, f.err = lift.BadResponse, fmt.Errorf("what came is not an HTTP/1.1 answer: %s; is that an HTTP port?", clip(plain(err)))
	case errors.Is(readErr, errUnsolicited):
		f.err = readErr
	case readErr != nil:
		f.err = silentBreak(readErr)
	default:
		f.err = silentBreak(err)
	}
	return f
}

// upload reports whether it was the request's body that broke, and says so.
func (f *failure) upload(err error) bool {
	broken, ok := errors.AsType[*uploadError](err)
	if !ok {
		return false
	}
	f.code, f.err = lift.CallCanceled, fmt.Errorf("the request's body broke off at the caller's end: %w", broken.err)
	if errors.Is(broken.err, lift.TooLarge) {
		f.code, f.err = lift.TooLarge, fmt.Errorf("the request's body: %w", broken.err)
	}
	return true
}

// silentBreak words the end of a connection that brought no answer.
func silentBreak(err error) error {
	switch {
	case errors.Is(err, syscall.ECONNRESET), errors.Is(err, syscall.EPIPE):
		return fmt.Errorf("connection reset before an answer came: did the instance die or restart? (%w)", err)
	case errors.Is(err, io.EOF):
		return fmt.Errorf("connection closed before an answer came: did the instance die or restart? (%w)", err)
	default:
		return fmt.Errorf("connection failed before an answer came: %w", err)
	}
}

func isBreak(err error) bool { return err != nil && !errors.Is(err, errUnsolicited) }

// tooLong reports whether net/http gave an answer's head up for its length,
// which it says in words only.
func tooLong(err error) bool {
	return strings.Contains(err.Error(), "server response headers exceeded")
}

// plain is net/http's text without its own names.
func plain(err error) string {
	s := err.Error()
	for _, prefix := range []string{"net/http: ", "HTTP/1.x transport connection broken: ", "http: "} {
		s = strings.TrimPrefix(s, prefix)
	}
	return s
}

// failure is what a cut means, nil for none.
func (b *bounds) failure(why cause, cancelErr error) *failure {
	switch why {
	case timedOut:
		return &failure{code: lift.AttemptTimeout, err: errors.New("no answer within the attempt's timeout; look at that instance, or raise attempt_timeout (if it is not set, an attempt has half of the call's time)")}
	case stalled:
		return &failure{code: lift.AttemptTimeout, err: errors.New("the endpoint took no more of the request within the attempt's timeout; look at that instance, or raise attempt_timeout")}
	case crowded:
		return &failure{code: lift.Busy, err: b.watch.full()}
	case deadline:
		return &failure{code: lift.DeadlineExceeded, err: errors.New("the call's time was up; give it more, or see by the attempts what took it")}
	case starved:
		return &failure{code: lift.DeadlineExceeded, err: errors.New("the caller had not sent its request whole when the call's time was up; send it sooner, or give the call more time")}
	case canceled:
		if cancelErr == nil {
			cancelErr = context.Canceled
		}
		return &failure{code: lift.CallCanceled, err: fmt.Errorf("the caller gave up: %w", cancelErr)}
	default:
		return nil
	}
}

// timeUp is the failure of a call whose time is up, as the endpoint was first to say.
func (b *bounds) timeUp() *failure {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.watch.party == caller {
		return b.failure(starved, nil)
	}
	return b.failure(deadline, nil)
}

// fail ends an exchange without an answer: the record of the attempt and the
// error that leaves the pool.
func (x *exchange) fail(a *lift.Attempt, f *failure) *lift.Error {
	if a.Reached == lift.NotReached && x.maySee() {
		a.Reached = lift.MayHaveActed
	}
	return x.failed(a, f)
}

// failed is the error that an attempt ends with.
func (w *way) failed(a *lift.Attempt, f *failure) *lift.Error {
	e := a.Errorf(f.code, "%s: %w", w.addr, f.err)
	e.Endpoint = w.addr
	a.AttemptRecord.Err = e
	return e
}

func panicError(doing string, v any) error {
	return fmt.Errorf("panic while %s: %v\n%s", doing, v, debug.Stack())
}
