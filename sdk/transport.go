package sdk

import (
	"errors"
	"io"
	"net/http"
	"strconv"
	"strings"
	"sync/atomic"

	"github.com/liftmesh/lift"
)

// Transport returns an [http.RoundTripper] that sends http://SERVICE/path to the
// service of that name. It is safe for concurrent use.
//
// The URL's host is the service; a port other than 80, credentials and https are
// refused, and the request's Host field is not looked at. Bodies stream both
// ways, trailers included; a response can begin before the request's body has
// ended. The request's context brings deadline, cancellation and the options of
// [With]. Answers are handed on as they come: nothing is decompressed, no status
// is an error.
//
// Its errors are [*lift.Error].
func (c *Client) Transport() http.RoundTripper { return &transport{client: c} }

// HTTPClient returns a new [http.Client] over [Client.Transport], without a
// timeout of its own: the service's holds. Its errors are [*net/url.Error]
// around [*lift.Error]. Redirects are followed as http.Client does, and a
// redirect that names a host is a call to the service of that name.
func (c *Client) HTTPClient() *http.Client { return &http.Client{Transport: c.Transport()} }

type transport struct{ client *Client }

// RoundTrip implements http.RoundTripper.
func (t *transport) RoundTrip(req *http.Request) (*http.Response, error) {
	if req == nil {
		return nil, &lift.Error{Code: lift.InvalidCall, Err: errors.New("the request is nil; make one with http.NewRequestWithContext")}
	}
	x := &exchange{settings: settingsFrom(req.Context(), nil)}
	if err := x.fill(req); err != nil {
		drop(req)
		x.end()
		return nil, err
	}
	resp, err := t.client.do(req.Context(), x)
	if err != nil {
		return nil, err
	}
	return x.response(req, resp)
}

// response makes the answer one of net/http.
func (x *exchange) response(req *http.Request, resp *lift.Response) (*http.Response, error) {
	r, err := resp.Body.Reader()
	if err != nil {
		_ = resp.Body.Close()
		return nil, x.fail(lift.Internal, "the answer's body has been read already: %w", err)
	}
	out := &http.Response{
		StatusCode: resp.Status,
		Status:     strconv.Itoa(resp.Status) + " " + http.StatusText(resp.Status),
		Proto:      "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1,
		Header:        headerOf(resp.Header),
		ContentLength: resp.Body.Size(),
		Request:       req,
	}
	if req.Method == http.MethodHead {
		out.ContentLength = -1
		if n, err := strconv.ParseInt(out.Header.Get("Content-Length"), 10, 64); err == nil && n >= 0 {
			out.ContentLength = n
		}
	}
	for _, list := range out.Header["Trailer"] {
		for name := range strings.SplitSeq(list, ",") {
			if name = http.CanonicalHeaderKey(strings.TrimSpace(name)); isToken(name) {
				if out.Trailer == nil {
					out.Trailer = make(http.Header)
				}
				out.Trailer[name] = nil
			}
		}
	}
	delete(out.Header, "Trailer")
	delete(out.Header, "Transfer-Encoding")
	out.Body = &incoming{exchange: x, body: resp.Body, reader: r, response: out}
	return out, nil
}

// incoming is the body of an answer. Read is for one goroutine; Close may come
// from any.
type incoming struct {
	exchange *exchange
	body     *lift.Body
	reader   io.Reader
	response *http.Response
	ended    bool // seen by Read
	closed   atomic.Bool
}

// Read implements io.Reader. At the end it sets the response's trailer.
func (b *incoming) Read(p []byte) (int, error) {
	if b.closed.Load() {
		return 0, http.ErrBodyReadAfterClose
	}
	n, err := b.reader.Read(p)
	switch {
	case err == nil:
		return n, nil
	case err == io.EOF: // never wrapped, by io.Reader's contract
		b.setTrailer()
		return n, io.EOF
	case b.closed.Load():
		return n, http.ErrBodyReadAfterClose
	}
	return n, b.exchange.settleBody(err)
}

func (b *incoming) setTrailer() {
	if b.ended {
		return
	}
	b.ended = true
	for _, f := range b.body.Trailer() {
		if b.response.Trailer == nil {
			b.response.Trailer = make(http.Header)
		}
		key := http.CanonicalHeaderKey(f.Name)
		b.response.Trailer[key] = append(b.response.Trailer[key], f.Value)
	}
}

// Close implements io.Closer. An answer that has not ended is broken off.
func (b *incoming) Close() error {
	b.closed.Store(true)
	return b.body.Close()
}
