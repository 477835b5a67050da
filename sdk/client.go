package sdk

import (
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
	return func(c *Client) { c.now = now }
}

// AnswerLimit is the most that a JSON call reads of an answer, in bytes; a longer
// one fails with [lift.TooLarge]. 0 or less is no limit. The default is
// [DefaultAnswerLimit]. Answers to the HTTP client have no limit: they stream.
func AnswerLimit(bytes int64) Option {
	return func(c *Client) { c.limit = bytes }
}

// New returns a client that makes its calls through caller: the mesh itself, in
// process, with no sidecar, or a fake in a test. Closing the client leaves the
// caller as it is.
func New(caller lift.Caller, opts ...Option) *Client {
	c := &Client{caller: caller, now: lift.Now, limit: DefaultAnswerLimit}
	for _, opt := range opts {
		opt(c)
	}
	return c
}

// Close ends the session of a client made by [Dial]; its running calls fail.
// Closing twice, or a client made by [New], does nothing.
func (c *Client) Close() error {
	if c.closer == nil {
		return nil
	}
	return c.closer.Close()
}
