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

// Step is the step around each attempt that sends an Invoke in place of the call's own
// request. The step below it talks to Lambda's API, and signs. The
// request's body has to be here, all of it.
//
//   - The function's result is the answer.
//   - A function that ends in an error is a 502 with that error as its content and
//     X-Amz-Function-Error. A malformed result is one, too, which says what is wrong.
//     The attempt itself went well: it is not repeated and counts against nobody.
//   - Throttled is a 429 that reached nobody: nothing ran.
//   - Other 5xx of the API are passed on.
//   - An error that waiting does not cure (no such function, no permission, an event
//     that is too large) says how to fix it.
func Step(cfg Config) lift.AttemptPolicy {
	if cfg.Now == nil {
		cfg.Now = lift.Now
	}
	if cfg.Rand == nil {
		cfg.Rand = rand.Uint64
	}
	return func(next lift.RoundTripper) lift.RoundTripper {
		return lift.RoundTripperFunc(func(a *lift.Attempt) (*lift.Response, error) {
			payload, e := cfg.payload(a)
			if e != nil {
				return nil, e
			}
			method := a.Method
			cfg.wrap(a, payload)
			resp, err := next.RoundTrip(a)
			if err != nil {
				return nil, err
			}
			return cfg.answer(a, method, resp)
		})
	}
}

// payload returns what the function is given for a.
func (cfg *Config) payload(a *lift.Attempt) ([]byte, *lift.Error) {
	if a.Upgrade != "" {
		return nil, a.Errorf(lift.InvalidCall, "a function that is invoked has no connection to upgrade to %s; give it a WebSocket API in front", a.Upgrade)
	}
	content, whole := a.Body.Complete()
	if !whole {
		return nil, a.Errorf(lift.Internal, "the request's body is still coming in, and is to be wrapped as a whole")
	}
	payload := content
	if cfg.Payload == Raw {
		if len(content) > 0 && !isJSON(content) {
			return nil, a.Errorf(lift.InvalidCall, "the request's body is not JSON, which with payload: raw is what a function is given; send JSON, or take payload: http")
		}
	} else {
		payload = cfg.event(a, content)
	}
	if len(payload) > MaxPayload {
		return nil, a.Errorf(lift.TooLarge, "the event for function %s has %d bytes, and Lambda takes %d; hand large content on by other ways, such as S3", cfg.Function, len(payload), MaxPayload)
	}
	return payload, nil
}

// wrap makes what a sends the Invoke of the function.
func (cfg *Config) wrap(a *lift.Attempt, payload []byte) {
	header := []lift.Field{{Name: "Content-Type", Value: "application/json"}}
	if trace := lift.Get(a.Header, traceField); trace != "" {
		header = append(header, lift.Field{Name: traceField, Value: trace})
	}
	if a.IsIdempotent() { // which the method says that is not sent
		a.Idempotent = lift.Idempotent
	} else {
		a.Idempotent = lift.NotIdempotent
	}
	a.Method, a.Path, a.Header, a.Body = http.MethodPost, cfg.Function.path(), header, lift.BytesBody(payload)
}

// answer makes the caller's answer of the API's.
func (cfg *Config) answer(a *lift.Attempt, method string, resp *lift.Response) (*lift.Response, error) {
	content, err := resp.Body.ReadAll(MaxPayload + 1<<10)
	if err != nil {
		if e, ok := errors.AsType[*lift.Error](err); ok {
			return nil, e
		}
		return nil, failed(a, lift.BadResponse, fmt.Errorf("the result of function %s cannot be read: %w", cfg.Function, err))
	}
	kind := lift.Get(resp.Header, functionErrorField)
	switch {
	case resp.Status != http.StatusOK:
		return cfg.refused(a, resp, content)
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
	a.Status = got.Status
	return got, nil
}

// failed returns the error of an attempt that ran.
func failed(a *lift.Attempt, code lift.Code, cause error) *lift.Error {
	e := a.Errorf(code, "%w", cause)
	a.AttemptRecord.Err = e
	return e
}
