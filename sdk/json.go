package sdk

import (
	"context"
	"encoding/json"
	"net/http"

	"github.com/liftmesh/lift"
)

// Get asks a service for path (path and query, escaped, starting with a slash)
// and decodes the JSON of its answer. See [JSON].
func Get[Out any](ctx context.Context, c *Client, service, path string, opts ...CallOption) (Out, error) {
	return JSON[Out](ctx, c, http.MethodGet, service, path, nil, opts...)
}

// Post sends in to a service as JSON and decodes the JSON of its answer. A POST
// is not sent again once an endpoint may have acted on it, unless [Idempotent]
// or an Idempotency-Key header says that it may be. See [JSON].
func Post[Out any](ctx context.Context, c *Client, service, path string, in any, opts ...CallOption) (Out, error) {
	return JSON[Out](ctx, c, http.MethodPost, service, path, in, opts...)
}

// JSON makes one call with any method: in goes out as JSON (nil is no body), and
// the answer comes back as an Out. An empty answer is the zero Out; an Out of
// struct{} takes whatever comes; a [json.RawMessage] is the answer's own text.
//
// An answer whose status is not 2xx is a [*StatusError]. Everything else that
// fails is a [*lift.Error]: [lift.InvalidCall] if in cannot be encoded,
// [lift.BadResponse] if the answer cannot be decoded, [lift.TooLarge] if it is
// over [AnswerLimit].
func JSON[Out any](ctx context.Context, c *Client, method, service, path string, in any, opts ...CallOption) (Out, error) {
	var out Out
	x := &exchange{settings: settingsFrom(ctx, opts), whole: true}
	status, content, err := c.unary(ctx, x, method, service, path, in)
	if err != nil {
		return out, err
	}
	if _, none := any(out).(struct{}); none || len(content) == 0 {
		return out, nil
	}
	if err := json.Unmarshal(content, &out); err != nil {
		e := x.fail(lift.BadResponse, "%s %s answered %d with what is no JSON of a %T: %w", method, path, status, out, err)
		e.Reached = lift.Answered
		var zero Out
		return zero, e
	}
	return out, nil
}

// unary is all of [JSON] that does not depend on the type of the answer. The
// call has ended when it returns.
func (c *Client) unary(ctx context.Context, x *exchange, method, service, path string, in any) (status int, content []byte, err error) {
	if path == "" {
		path = "/"
	}
	call := &x.call
	call.Service, call.Method, call.Path = service, method, path
	if err := x.checkUnary(in); err != nil {
		x.end()
		return 0, nil, err
	}
	resp, err := c.do(ctx, x)
	if err != nil {
		return 0, nil, err
	}
	if resp.Status < 200 || resp.Status > 299 {
		return 0, nil, newStatusError(call, resp)
	}
	content, err = resp.Body.ReadAll(c.limit)
	if err != nil {
		return 0, nil, x.settleBody(err)
	}
	return resp.Status, content, nil
}

func (x *exchange) checkUnary(in any) error {
	call := &x.call
	if err := checkService(call.Service); err != nil {
		return x.fail(lift.InvalidCall, "%w", err)
	}
	if err := checkPath(call.Path); err != nil {
		return x.fail(lift.InvalidCall, "%w", err)
	}
	if call.Method == http.MethodConnect || !isToken(call.Method) {
		return x.fail(lift.InvalidCall, "method %q is not carried", call.Method)
	}
	call.Header = make([]lift.Field, 0, 4)
	if !lift.Has(x.settings.header, "Accept") {
		call.Header = append(call.Header, lift.Field{Name: "Accept", Value: "application/json"})
	}
	if in == nil {
		return nil
	}
	content, err := json.Marshal(in)
	if err != nil {
		return x.fail(lift.InvalidCall, "the %T cannot be written as JSON: %w", in, err)
	}
	call.Body = lift.BytesBody(content)
	if !lift.Has(x.settings.header, "Content-Type") {
		call.Header = append(call.Header, lift.Field{Name: "Content-Type", Value: "application/json"})
	}
	return nil
}
