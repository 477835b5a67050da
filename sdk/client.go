package sdk

import (
	"context"
	"errors"
	"fmt"
	"io"

	"github.com/liftmesh/lift"
)

// Client makes calls to services by name. It is safe for concurrent use; a
// program needs one, made at its start and kept.
type Client struct {
	caller lift.Caller
	closer io.Closer // nil if the caller is not ours to close
	now    func() lift.Instant
	limit  int64
	direct direct
	wrong  error // what its maker got wrong; all its calls fail with it
}

// DefaultAnswerLimit is the most that a JSON call reads of an answer, in bytes,
// unless [AnswerLimit] says otherwise: 16 MiB, more than twice what Lambda passes
// in one payload.
const DefaultAnswerLimit = 16 << 20

// Option sets something of a [Client].
type Option func(*Client)

// Clock gives the function that tells the time; the default is [lift.Now]. It is
// for programs whose clock is set apart from the machine's, as in tests of a freeze.
func Clock(now func() lift.Instant) Option {
	return func(c *Client) {
		if now == nil {
			c.wrong = errors.Join(c.wrong, errors.New("sdk.Clock was given a nil function; pass lift.Now or leave the option out"))
			return
		}
		c.now = now
	}
}

// AnswerLimit is the most that a JSON call reads of an answer, in bytes; a longer
// one fails with [lift.TooLarge]. 0 or less is no limit. The default is
// [DefaultAnswerLimit]. Answers to [Client.HTTPClient] have no limit: they stream.
func AnswerLimit(bytes int64) Option {
	return func(c *Client) { c.limit = bytes }
}

// New returns a client that makes its calls through caller: the mesh itself, in
// process, with no sidecar, or a fake in a test. Closing the client leaves the
// caller as it is. A nil caller or option does not fail here: every call of the
// client fails with [lift.Misconfigured] and says so.
func New(caller lift.Caller, opts ...Option) *Client {
	c := newClient(opts)
	if c.caller = caller; caller == nil {
		c.wrong = errors.Join(errors.New("sdk.New was given a nil caller; pass a mesh, or use sdk.Dial to call through a sidecar"), c.wrong)
	}
	return c
}

func newClient(opts []Option) *Client {
	c := &Client{now: lift.Now, limit: DefaultAnswerLimit}
	for i, opt := range opts {
		if opt == nil {
			c.wrong = errors.Join(c.wrong, fmt.Errorf("option %d of %d of the client is nil; leave it out", i+1, len(opts)))
			continue
		}
		opt(c)
	}
	return c
}

// fault says why the client cannot make a call under ctx, nil if it can.
func (c *Client) fault(ctx context.Context) *lift.Error {
	switch {
	case c == nil:
		return &lift.Error{Code: lift.Misconfigured, Err: errors.New("the client is nil; make one with sdk.Dial or sdk.New, and check Dial's error")}
	case c.wrong != nil:
		return &lift.Error{Code: lift.Misconfigured, Err: c.wrong}
	case c.caller == nil:
		return &lift.Error{Code: lift.Misconfigured, Err: errors.New("the client is the zero sdk.Client; make one with sdk.Dial or sdk.New")}
	case ctx == nil:
		return &lift.Error{Code: lift.InvalidCall, Err: errNilContext}
	}
	return nil
}

var errNilContext = errors.New("the context is nil; pass the handler's own, or context.Background()")

// Close ends the session of a client made by [Dial]; its running calls fail.
// Closing twice, or a client made by [New], does nothing. Closing a nil client is an
// error.
func (c *Client) Close() error {
	switch {
	case c == nil:
		return c.fault(context.Background())
	case c.closer == nil:
		return nil
	}
	return c.closer.Close()
}
