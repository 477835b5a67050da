package transport

import (
	"context"
	"errors"
	"fmt"
	"net/http"

	"github.com/liftmesh/lift"
)

// signer is [Options.Sign].
type signer func(ctx context.Context, r *http.Request, body *lift.Body) error

// head signs the final head of a request. Its fields go into r.Header.
func (s signer) head(ctx context.Context, r *http.Request, body *lift.Body) (f *failure) {
	defer func() {
		if v := recover(); v != nil {
			f = &failure{code: lift.Internal, err: panicError("signing a request", v)}
		}
	}()
	err := s(ctx, r, body)
	switch {
	case err == nil:
		return nil
	case errors.Is(err, lift.Misconfigured):
		return &failure{code: lift.Misconfigured, err: fmt.Errorf("the request cannot be signed: %w", err)}
	default:
		return &failure{code: lift.Unavailable, err: fmt.Errorf("the request could not be signed: %w", err)}
	}
}

// signed has the exchange's request signed, within its limits.
func (x *exchange) signed() *failure {
	u := x.url // the signer's own
	r := &http.Request{
		Method: x.method, URL: &u, Header: x.header, Host: x.pool.cfg.Host, ContentLength: x.body.Size(),
		Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1,
	}
	f := x.pool.sign.head(x, r, x.body)
	if f == nil {
		return nil
	}
	if cut := x.cutFailure(); cut != nil {
		return cut
	}
	return f
}
