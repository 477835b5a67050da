package invoke

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"net/http"

	"github.com/liftmesh/lift"
)

// MaxPayload is the largest event and the largest result, in bytes. Source: AWS's
// quota for synchronous invocations, 6 MB.
const MaxPayload = 6 << 20

// Payload is what a function is given.
type Payload string

const (
	// HTTP gives it the request as an event of the payload format 2.0 of API Gateway
	// and function URLs, and reads its answer in that form.
	HTTP Payload = "http"
	// Raw gives it the request's body, which has to be JSON, and takes what it
	// returns for the answer's body.
	Raw Payload = "raw"
)

// Config is what a step is made from. A zero field means its default.
type Config struct {
	// Function is what is invoked. Required.
	Function Function
	// Payload is what it is given. Default HTTP.
	Payload Payload
	// Now reads the clocks: events tell the time. Default [lift.Now].
	Now func() lift.Instant
	// Rand gives random bits for the ids of events. Default [rand.Uint64].
	Rand func() uint64
}

// Step is the step around each attempt that makes a call an Invoke. Below it is the
// way to Lambda's API, which signs. The request's body has to be here, all of it.
//
//   - The function's result is the answer.
//   - A function that ends in an error is a 502 with that error as its content and
//     X-Amz-Function-Error. A malformed result is one, too, which says what is wrong.
//     The attempt itself went well: it is not repeated and counts against nobody.
//   - Throttled is a 429 that reached nobody: nothing ran.
//   - Other 5xx of the API are passed on.
//   - An error that waiting does not cure (no such function, no permission, an event
//     that is too large) says how to fix it.
func Step(cfg Config) lift.Policy {
	if cfg.Now == nil {
		cfg.Now = lift.Now
	}
	if cfg.Rand == nil {
		cfg.Rand = rand.Uint64
	}
	return func(next lift.Caller) lift.Caller {
		return lift.CallerFunc(func(c *lift.Call) (*lift.Response, error) {
			payload, e := cfg.payload(c)
			if e != nil {
				return nil, e
			}
			method := c.Method
			resp, err := cfg.invoke(c, payload, next)
			if err != nil {
				return nil, err
			}
			return cfg.answer(c, method, resp)
		})
	}
}

// payload is what the function is given for c.
func (cfg *Config) payload(c *lift.Call) ([]byte, *lift.Error) {
	if c.Upgrade != "" {
		return nil, lift.Errorf(c, lift.InvalidCall, "a function that is invoked has no connection to upgrade to %s; give it a WebSocket API in front", c.Upgrade)
	}
	content, whole := c.Body.Complete()
	if !whole {
		return nil, lift.Errorf(c, lift.Internal, "the request's body is still coming in, and is to be wrapped as a whole")
	}
	payload := content
	if cfg.Payload == Raw {
		if len(content) > 0 && !isJSON(content) {
			return nil, lift.Errorf(c, lift.InvalidCall, "the request's body is not JSON, which with payload: raw is what a function is given; send JSON, or take payload: http")
		}
	} else {
		payload = cfg.event(c, content)
	}
	if len(payload) > MaxPayload {
		return nil, lift.Errorf(c, lift.TooLarge, "the event for function %s has %d bytes, and Lambda takes %d; hand large content on by other ways, such as S3", cfg.Function, len(payload), MaxPayload)
	}
	return payload, nil
}

// invoke sends c as an Invoke, and leaves it as it was. The body of the response is
// as it comes.
func (cfg *Config) invoke(c *lift.Call, payload []byte, next lift.Caller) (*lift.Response, error) {
	method, path, header, body, idempotent := c.Method, c.Path, c.Header, c.Body, c.Idempotent
	defer func() { c.Method, c.Path, c.Header, c.Body, c.Idempotent = method, path, header, body, idempotent }()
	if c.IsIdempotent() { // by a method that is not sent
		c.Idempotent = lift.Idempotent
	} else {
		c.Idempotent = lift.NotIdempotent
	}
	c.Method, c.Path, c.Body = http.MethodPost, cfg.Function.path(), lift.BytesBody(payload)
	c.Header = []lift.Field{{Name: "Content-Type", Value: "application/json"}}
	if trace := lift.Get(header, traceField); trace != "" {
		c.Header = append(c.Header, lift.Field{Name: traceField, Value: trace})
	}
	return next.Call(c)
}

// answer makes the caller's answer of the API's.
func (cfg *Config) answer(c *lift.Call, method string, resp *lift.Response) (*lift.Response, error) {
	content, err := resp.Body.ReadAll(MaxPayload + 1<<10)
	a := c.Current()
	if err != nil {
		if e, ok := errors.AsType[*lift.Error](err); ok {
			return nil, e
		}
		return nil, failed(c, a, lift.BadResponse, fmt.Errorf("the result of function %s cannot be read: %w", cfg.Function, err))
	}
	kind := lift.Get(resp.Header, functionErrorField)
	switch {
	case resp.Status != http.StatusOK:
		return cfg.refused(c, a, resp, content)
	case kind != "":
		return &lift.Response{Status: http.StatusBadGateway, Header: about(resp, lift.Field{Name: functionErrorField, Value: kind}), Body: body(http.StatusBadGateway, method, content)}, nil
	case cfg.Payload == Raw:
		return &lift.Response{Status: http.StatusOK, Header: about(resp), Body: body(http.StatusOK, method, content)}, nil
	}
	got, err := result(content, method)
	if err != nil {
		return cfg.malformed(resp, method, err), nil
	}
	got.Header = append(got.Header, fieldsOf(resp, versionField, requestField)...)
	if a != nil {
		a.Status = got.Status
	}
	return got, nil
}

// failed is the error of an attempt that ran.
func failed(c *lift.Call, a *lift.Attempt, code lift.Code, cause error) *lift.Error {
	e := lift.Errorf(c, code, "%w", cause)
	if a != nil {
		a.Err = e
	}
	return e
}
