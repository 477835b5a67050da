package sdk

import (
	"errors"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"

	"github.com/liftmesh/lift"
)

// fill writes req into the exchange's call. When it fails, nothing of the body
// has been taken over.
func (x *exchange) fill(req *http.Request) error {
	call := &x.call
	call.Method = req.Method
	if call.Method == "" {
		call.Method = http.MethodGet
	}
	if req.URL != nil {
		call.Service = lift.ServiceName(req.URL.Hostname())
	}
	var err error
	if call.Service, call.Path, err = target(req.URL); err != nil {
		return x.fail(lift.InvalidCall, "%w", err)
	}
	if call.Method == http.MethodConnect || !isToken(call.Method) {
		return x.fail(lift.InvalidCall, "%q is not a method that can be sent; want one such as GET or POST, and not CONNECT", call.Method)
	}
	if up := req.Header.Get("Upgrade"); up != "" {
		return x.fail(lift.InvalidCall, "the request asks for an upgrade to %q, which the SDK does not support; use the plain door for it", up)
	}
	if call.Header, err = fieldsOf(req.Header); err != nil {
		return x.fail(lift.InvalidCall, "%w", err)
	}
	if names := trailerNames(req.Trailer); names != "" {
		call.Header = append(call.Header, lift.Field{Name: "Trailer", Value: names})
	}
	if call.Body, err = requestBody(req); err != nil {
		return x.fail(lift.InvalidCall, "%w", err)
	}
	if req.GetBody != nil && call.Body != nil {
		x.body = func() (*lift.Body, error) { return againBody(req) }
	}
	return nil
}

// requestBody takes over the body of req. A short one that the caller can make
// again is in memory already and is taken whole; everything else streams.
func requestBody(req *http.Request) (*lift.Body, error) {
	if req.Body == nil || req.Body == http.NoBody {
		return nil, nil
	}
	size := req.ContentLength
	if size == 0 {
		size = -1 // net/http's way to say that it is not known
	}
	if req.GetBody != nil && 0 < size && size <= lift.ReplayLimit && len(req.Trailer) == 0 {
		content := make([]byte, size)
		if _, err := io.ReadFull(req.Body, content); err != nil {
			return nil, fmt.Errorf("the request's body is shorter than its declared length of %d bytes, or cannot be read: %w", size, err)
		}
		if n, _ := io.CopyN(io.Discard, req.Body, 1); n > 0 {
			return nil, fmt.Errorf("the request's body is longer than its declared length of %d bytes", size)
		}
		_ = req.Body.Close()
		return lift.BytesBody(content), nil
	}
	rest := &outgoing{ReadCloser: req.Body, left: size}
	body := lift.StreamBody(rest, size, lift.ReplayLimit)
	if len(req.Trailer) > 0 {
		rest.atEnd = func() { body.SetTrailer(trailerFields(req.Trailer)) }
	}
	return body, nil
}

// againBody returns the body of req from its beginning.
func againBody(req *http.Request) (*lift.Body, error) {
	rest, err := req.GetBody()
	if err != nil {
		return nil, fmt.Errorf("the request's GetBody returned an error: %w", err)
	}
	size := req.ContentLength
	if size == 0 {
		size = -1
	}
	return lift.StreamBody(&outgoing{ReadCloser: rest, left: size}, size, 0), nil
}

// outgoing is a request's streamed body: it holds it to its declared length
// (left; -1 is none), and hands over the trailers at its end.
type outgoing struct {
	io.ReadCloser
	left  int64
	atEnd func()
}

func (o *outgoing) Read(p []byte) (int, error) {
	n, err := o.ReadCloser.Read(p)
	if o.left >= 0 {
		if o.left -= int64(n); o.left < 0 {
			o.left = 0
			return 0, errors.New("the request's body is longer than its declared length")
		}
		if errors.Is(err, io.EOF) && o.left > 0 {
			return n, fmt.Errorf("the request's body ended %d bytes short of its declared length: %w", o.left, io.ErrUnexpectedEOF)
		}
	}
	if err == io.EOF && o.atEnd != nil { // never wrapped, by io.Reader's contract
		o.atEnd()
		o.atEnd = nil
	}
	return n, err
}

func trailerNames(h http.Header) string {
	if len(h) == 0 {
		return ""
	}
	names := make([]string, 0, len(h))
	for name := range h {
		names = append(names, name)
	}
	slices.Sort(names)
	return strings.Join(names, ", ")
}

// trailerFields skips fields that cannot be sent: the call is too far for an error.
func trailerFields(h http.Header) []lift.Field {
	var fields []lift.Field
	for name, values := range h {
		for _, value := range values {
			if checkField(name, value) == nil && !hopByHop(name) {
				fields = append(fields, lift.Field{Name: name, Value: value})
			}
		}
	}
	return fields
}

// drop closes the body of a request that is not sent.
func drop(req *http.Request) {
	if req.Body != nil {
		_ = req.Body.Close()
	}
}
