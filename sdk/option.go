package sdk

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"time"

	"github.com/liftmesh/lift"
)

// settings are what the options of one call add up to.
type settings struct {
	timeout     time.Duration
	idempotence lift.Idempotence
	tenant      string
	hashKey     string
	header      []lift.Field
	trace       string // of the invocation the call is made in
	record      *Record
	response    *Response
	wrong       error // what With or the call was given that cannot be used
}

// CallOption says something about one call. Give it to a JSON call, or put it
// into the context of any call by [With].
type CallOption func(*settings)

// Timeout takes the place of the service's configured timeout for the whole
// call, retries included. Each attempt has half of it, unless the service's
// attempt_timeout is set. The context's deadline still holds if it is earlier.
// 0 or less leaves the service's.
func Timeout(d time.Duration) CallOption {
	return func(s *settings) { s.timeout = d }
}

// Idempotent vouches that sending the call twice does what sending it once does,
// so that it may be sent again though an endpoint may have acted on it. Without
// it, the method decides (RFC 9110, section 9.2.2), or an Idempotency-Key header.
func Idempotent() CallOption {
	return func(s *settings) { s.idempotence = lift.Idempotent }
}

// NotIdempotent warns that the call must not be sent again once an endpoint may
// have acted on it, whatever its method says.
func NotIdempotent() CallOption {
	return func(s *settings) { s.idempotence = lift.NotIdempotent }
}

// Tenant names the tenant that the call is made for. The default is the tenant of the
// invocation, if the call is made inside one.
func Tenant(id string) CallOption {
	return func(s *settings) { s.tenant = id }
}

// HashKey is what a consistent-hash balancer chooses the endpoint by.
func HashKey(key string) CallOption {
	return func(s *settings) { s.hashKey = key }
}

// Header sets a header field of the request. It replaces one that Lift or an earlier
// option would set, and not one that an [net/http.Request] has itself.
func Header(name, value string) CallOption {
	return func(s *settings) {
		s.header = append(without(s.header, name), lift.Field{Name: name, Value: value})
	}
}

// RecordIn fills rec with what was tried, once the call has ended.
func RecordIn(rec *Record) CallOption {
	return func(s *settings) { s.record = rec }
}

type settingsKey struct{}

// With returns a context whose calls have the options, on top of those that ctx
// brings. It is the way to give options to calls of the HTTP client and of gRPC
// stubs. If ctx or an option is nil, the calls made with the context fail with
// [lift.InvalidCall] and say so.
func With(ctx context.Context, opts ...CallOption) context.Context {
	s := settingsFrom(ctx, opts)
	return s.into(ctx)
}

func settingsFrom(ctx context.Context, opts []CallOption) settings {
	var s settings
	if ctx == nil {
		s.wrong = errNilContext
	} else if outer, ok := ctx.Value(settingsKey{}).(*settings); ok {
		s = *outer
	}
	for i, opt := range opts {
		if opt == nil {
			s.wrong = errors.Join(s.wrong, fmt.Errorf("option %d of %d of the call is nil; leave it out", i+1, len(opts)))
			continue
		}
		opt(&s)
	}
	return s
}

// into returns ctx with the settings, a new one where ctx is nil.
func (s *settings) into(ctx context.Context) context.Context {
	if ctx == nil {
		ctx = context.Background()
	}
	return context.WithValue(ctx, settingsKey{}, s)
}

// without returns fields less those called name, in memory of their own.
func without(fields []lift.Field, name string) []lift.Field {
	return slices.DeleteFunc(slices.Clone(fields), func(f lift.Field) bool { return sameName(f.Name, name) })
}

// apply writes the settings into a call whose own header is made.
func (s *settings) apply(call *lift.Call) error {
	if s.wrong != nil {
		return s.wrong
	}
	call.Timeout = max(0, s.timeout)
	call.Idempotent = s.idempotence
	call.Tenant = s.tenant
	call.HashKey = s.hashKey
	own := len(call.Header)
	for _, f := range s.header {
		if err := checkField(f.Name, f.Value); err != nil {
			return err
		}
		if hopByHop(http.CanonicalHeaderKey(f.Name)) {
			return fmt.Errorf("header field %s is not an application's to set", f.Name)
		}
		if !lift.Has(call.Header[:own], f.Name) {
			call.Header = append(call.Header, f)
		}
	}
	// The platform's word is not worth failing a call for.
	if s.trace != "" && !lift.Has(call.Header, traceHeader) && checkField(traceHeader, s.trace) == nil {
		call.Header = append(call.Header, lift.Field{Name: traceHeader, Value: s.trace})
	}
	return nil
}
