package sdk

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"strconv"

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

// Put sends in to a service as JSON, to stand at path, and decodes the JSON of its
// answer. A PUT is idempotent by its definition, so it may be sent again; say
// [NotIdempotent] where the service makes an exception. See [JSON].
func Put[Out any](ctx context.Context, c *Client, service, path string, in any, opts ...CallOption) (Out, error) {
	return JSON[Out](ctx, c, http.MethodPut, service, path, in, opts...)
}

// Patch sends in to a service as JSON and decodes the JSON of its answer. Like a
// POST, a PATCH is not sent again once an endpoint may have acted on it. The content
// type is application/json; give another one, such as application/merge-patch+json,
// by [Header]. See [JSON].
func Patch[Out any](ctx context.Context, c *Client, service, path string, in any, opts ...CallOption) (Out, error) {
	return JSON[Out](ctx, c, http.MethodPatch, service, path, in, opts...)
}

// Delete asks a service to remove what is at path and decodes the JSON of its
// answer; an Out of struct{} takes an empty one, or any other. It sends no body. A
// DELETE is idempotent by its definition, so it may be sent again: the second try
// can be answered by 404 where the first one was lost on its way back. See [JSON].
func Delete[Out any](ctx context.Context, c *Client, service, path string, opts ...CallOption) (Out, error) {
	return JSON[Out](ctx, c, http.MethodDelete, service, path, nil, opts...)
}

// JSON makes one call with any method: in goes out as JSON (nil is no body), and
// the answer comes back as an Out. An empty answer is the zero Out; an Out of
// struct{} takes whatever comes; a [json.RawMessage] is the answer's own text.
//
// An answer whose status is not 2xx is a [*StatusError]. Everything else that
// fails is a [*lift.Error]: [lift.InvalidCall] if in cannot be encoded or an argument
// is nil, [lift.BadResponse] if the answer cannot be decoded, [lift.TooLarge] if it is
// over [AnswerLimit]. Status and header of the answer are told by [ResponseIn].
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
		e := x.fail(lift.BadResponse, "%s %s answered %d with a body that is not the JSON of a %T: %w", method, withoutQuery(path), status, out, err)
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
	call.Service, call.Method, call.Path = lift.ServiceName(service), method, path
	if x.settings.response != nil {
		*x.settings.response = Response{}
	}
	if err := x.checkUnary(in); err != nil {
		x.end()
		return 0, nil, err
	}
	resp, err := c.do(ctx, x)
	if err != nil {
		return 0, nil, err
	}
	if resp.Status < 200 || resp.Status > 299 {
		x.settings.tell(resp, false)
		return 0, nil, newStatusError(x, resp)
	}
	content, err = c.content(x, resp)
	x.settings.tell(resp, err == nil)
	return resp.Status, content, err
}

// content reads the answer up to the client's limit.
func (c *Client) content(x *exchange, resp *lift.Response) ([]byte, error) {
	// A HEAD tells the length of a body that does not come.
	if size := resp.Body.Size(); c.limit > 0 && size > c.limit && x.call.Method != http.MethodHead {
		_ = resp.Body.Close()
		return nil, x.tooLarge(strconv.FormatInt(size, 10), c.limit)
	}
	content, err := resp.Body.ReadAll(c.limit)
	switch {
	case err == nil:
		return content, nil
	case errors.Is(err, lift.TooLarge) && lift.CodeOf(err) == "": // ReadAll's, not an error that broke the body off
		return nil, x.tooLarge("more than "+strconv.FormatInt(c.limit, 10), c.limit)
	}
	return nil, x.settleBody(err)
}

func (x *exchange) tooLarge(size string, limit int64) error {
	e := x.fail(lift.TooLarge, "%s %s answered with %s bytes, and the limit is %d bytes; raise it by the client's option sdk.AnswerLimit, or stream the answer through client.HTTPClient()",
		x.call.Method, withoutQuery(x.call.Path), size, limit)
	e.Reached = lift.Answered
	return e
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
		return x.fail(lift.InvalidCall, "%q is not a method that can be sent; want one such as GET or POST, and not CONNECT", call.Method)
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
		return x.fail(lift.InvalidCall, "the %T cannot be encoded as JSON: %w", in, err)
	}
	call.Body = lift.BytesBody(content)
	if !lift.Has(x.settings.header, "Content-Type") {
		call.Header = append(call.Header, lift.Field{Name: "Content-Type", Value: "application/json"})
	}
	return nil
}
