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
	switch code, _ := errors.AsType[lift.Code](err); {
	case err == nil:
		return nil
	case code == lift.Misconfigured, code == lift.InvalidCall:
		return &failure{code: code, err: fmt.Errorf("the request cannot be signed: %w", err)}
	default:
		return &failure{code: lift.Unavailable, err: fmt.Errorf("the request could not be signed: %w", err)}
	}
}

// signed has a request signed, within the attempt's bounds.
func (b *bounds) signed(r *request) *failure {
	u, body := r.url, r.body // the signer's own
	if r.upgrade != "" {
		body = nil // it follows the answer
	}
	head := &http.Request{
		Method: r.method, URL: &u, Header: r.header, Host: b.cfg.Host, ContentLength: body.Size(),
		Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1,
	}
	f := b.sign.head(b, head, body)
	if f == nil {
		return nil
	}
	if cut := b.cutFailure(); cut != nil {
		return cut
	}
	return f
}
