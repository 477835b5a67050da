package sdk

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/liftmesh/lift"
)

// Limits of a call past the sidecar. Connecting gets what Linkerd gives it (1 s);
// the answer's head what a service is given by a usual client.
const (
	directConnect = time.Second
	directTLS     = 3 * time.Second
	directHead    = 10 * time.Second
)

// direct is the way past a sidecar that is gone.
type direct struct {
	urls      map[string]string
	transport *http.Transport
}

// Direct gives services a URL of their own (scheme, host and maybe a path that
// goes before the call's), by which a call goes when no sidecar answers
// ([lift.NoSidecar]), or when the session broke under a call that was not sent
// or is idempotent ([lift.SessionLost]), and its body can be sent again. Such a
// call has one try, on a fresh connection, past any proxy: no balancing, no
// retries. [Record.Direct] reports it. The names of services can be in any case.
//
// Without it the call fails with the error named.
func Direct(urls map[string]string) Option {
	return func(c *Client) {
		c.direct.urls = make(map[string]string, len(urls))
		for name, to := range urls {
			if _, twice := c.direct.urls[lift.ServiceName(name)]; twice {
				c.wrong = errors.Join(c.wrong, fmt.Errorf("sdk.Direct was given the service %s twice, in different case; leave one out", lift.ServiceName(name)))
			}
			c.direct.urls[lift.ServiceName(name)] = to
		}
		c.direct.transport = &http.Transport{
			DialContext:           (&net.Dialer{Timeout: directConnect}).DialContext,
			TLSHandshakeTimeout:   directTLS,
			ResponseHeaderTimeout: directHead,
			DisableCompression:    true,
			// A connection that was kept may have died in a freeze, and the program
			// cannot know. This is the emergency exit: it is slow, but it works.
			DisableKeepAlives: true,
		}
	}
}

// goDirect makes the call by the service's own URL where that can help against
// cause, and returns cause where it cannot.
func (c *Client) goDirect(ctx context.Context, x *exchange, cause *lift.Error) (*lift.Response, error) {
	base, ok := c.direct.urls[x.call.Service]
	if !ok || x.stays || ctx.Err() != nil || !mayGoDirect(&x.call, cause) {
		return nil, cause
	}
	body, ok := x.bodyAgain()
	if !ok {
		return nil, cause
	}
	x.direct = true
	x.attempts = append(x.attempts, cause.Attempts...)
	req, cancel, err := x.directRequest(ctx, base, body)
	if err != nil {
		_ = body.Close()
		return nil, x.directError(lift.Misconfigured, lift.NotReached, cause, fmt.Errorf("the direct URL of %s: %w", x.call.Service, err))
	}
	x.attempts = append(x.attempts, lift.AttemptRecord{
		Endpoint: lift.Endpoint{Addr: req.URL.Host},
		Began:    c.now(), Deadline: x.call.Deadline, Candidates: 1, Fresh: true,
		Why: "direct: " + string(cause.Code),
	})
	attempt := &x.attempts[len(x.attempts)-1]
	resp, err := c.direct.transport.RoundTrip(req) //nolint:bodyclose // it is the body of what is returned, which closes it
	if err != nil {
		cancel()
		attempt.Ended, attempt.Outcome, attempt.Err = c.now(), lift.Failed, err
		attempt.Reached = lift.MayHaveActed
		if op, ok := errors.AsType[*net.OpError](err); ok && op.Op == "dial" {
			attempt.Reached = lift.NotReached
		}
		code := lift.Unavailable
		switch {
		case errors.Is(ctx.Err(), context.DeadlineExceeded), errors.Is(err, context.DeadlineExceeded):
			code, attempt.Outcome = lift.DeadlineExceeded, lift.CutShort
		case ctx.Err() != nil:
			code, attempt.Outcome = lift.CallCanceled, lift.Canceled
		}
		return nil, x.directError(code, attempt.Reached, cause, err)
	}
	attempt.Status, attempt.Reached, attempt.Outcome = resp.StatusCode, lift.Answered, outcomeOf(resp.StatusCode)
	out := directResponse(resp)
	out.Body.OnEnd(func(err error) {
		cancel()
		attempt.Ended, attempt.Err = c.now(), err
	})
	return out, nil
}

// mayGoDirect: nothing was sent, or nothing happens if it is sent again.
func mayGoDirect(call *lift.Call, cause *lift.Error) bool {
	switch cause.Code {
	case lift.NoSidecar:
		return true
	case lift.SessionLost:
		return cause.Reached == lift.NotReached || call.IsIdempotent()
	}
	return false
}

// bodyAgain returns the request's body from its beginning, if it can be had.
func (x *exchange) bodyAgain() (*lift.Body, bool) {
	if lift.Has(x.call.Header, "Trailer") {
		return nil, false // trailers are only there once
	}
	if x.call.Replayable() {
		return x.call.Body, true
	}
	if x.body == nil {
		return nil, false
	}
	body, err := x.body()
	return body, err == nil
}

func (x *exchange) directRequest(ctx context.Context, base string, body *lift.Body) (*http.Request, context.CancelFunc, error) {
	u, err := url.Parse(base)
	if err != nil {
		return nil, nil, err
	}
	if (u.Scheme != "http" && u.Scheme != "https") || u.Host == "" || u.RawQuery != "" || u.User != nil {
		return nil, nil, fmt.Errorf("%q is not a scheme (http or https), a host and maybe a path", u.Redacted())
	}
	cancel := context.CancelFunc(func() {})
	if x.call.Timeout > 0 {
		ctx, cancel = context.WithTimeout(ctx, x.call.Timeout)
	}
	req, err := http.NewRequestWithContext(ctx, x.call.Method, strings.TrimSuffix(base, "/")+x.call.Path, nil)
	if err != nil {
		cancel()
		return nil, nil, err
	}
	req.Header = headerOf(x.call.Header)
	if body.Size() != 0 {
		r, err := body.Reader()
		if err != nil {
			cancel()
			return nil, nil, err
		}
		req.Body = struct {
			io.Reader
			io.Closer
		}{r, body}
		req.ContentLength = body.Size()
	}
	return req, cancel, nil
}

// directError names both what sent the call past the sidecar and what failed there.
func (x *exchange) directError(code lift.Code, reached lift.Reached, cause *lift.Error, err error) *lift.Error {
	e := &lift.Error{
		Code: code, Service: x.call.Service, Attempts: x.attempts,
		Reached: max(reached, cause.Reached),
		Err:     fmt.Errorf("direct call, since %s: %w", string(cause.Code), err),
	}
	if n := len(x.attempts); n > 0 {
		e.Endpoint = x.attempts[n-1].Endpoint.Addr
	}
	return e
}

func directResponse(resp *http.Response) *lift.Response {
	header := make([]lift.Field, 0, len(resp.Header))
	for name, values := range resp.Header {
		for _, value := range values {
			header = append(header, lift.Field{Name: name, Value: value})
		}
	}
	rest := &outgoing{ReadCloser: resp.Body, left: -1}
	body := lift.StreamBody(rest, resp.ContentLength, 0)
	rest.atEnd = func() { body.SetTrailer(trailerFields(resp.Trailer)) }
	return &lift.Response{Status: resp.StatusCode, Header: header, Body: body}
}

func outcomeOf(status int) lift.Outcome {
	switch {
	case status == http.StatusTooManyRequests, status == http.StatusServiceUnavailable:
		return lift.Overloaded
	case status >= 500:
		return lift.Failed
	case status >= 400:
		return lift.CallerFault
	}
	return lift.OK
}
