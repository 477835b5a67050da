package consul

import (
	"fmt"
	"io"
	"net/http"
)

const (
	// maxAnswer bounds an answer, about 10,000 instances with their checks.
	maxAnswer = 16 << 20
	// maxComplaint bounds what is read of an answer that is an error.
	maxComplaint = 4 << 10
)

// exchange is one request and its answer: it adds the token, follows nothing and
// bounds what is read.
type exchange struct{ *Client }

// RoundTrip implements [http.RoundTripper].
func (e *exchange) RoundTrip(req *http.Request) (*http.Response, error) {
	token, err := e.Token.read()
	if err != nil {
		if req.Body != nil {
			_ = req.Body.Close()
		}
		return nil, err
	}
	req = req.Clone(req.Context())
	req.Header.Del("X-Consul-Token")
	if token != "" {
		req.Header.Set("X-Consul-Token", token)
	}
	resp, err := e.transport.RoundTrip(req)
	if err != nil {
		return nil, err
	}
	switch {
	case resp.StatusCode == http.StatusOK:
		resp.Body = &bounded{resp.Body, e.most, e.most}
	case resp.StatusCode >= 300 && resp.StatusCode < 400:
		_ = resp.Body.Close() // of no use, and the connection neither
		return nil, fmt.Errorf("it redirects to %.200q, which is not followed with a token; name that address", resp.Header.Get("Location"))
	default:
		resp.Body = clipped{io.LimitReader(resp.Body, maxComplaint), resp.Body}
	}
	return resp, nil
}

// bounded is a body that fails where it is longer than it may be.
type bounded struct {
	io.ReadCloser
	left, most int
}

// Read implements [io.Reader].
func (b *bounded) Read(p []byte) (int, error) {
	if b.left < 0 {
		return 0, fmt.Errorf("the answer is over %d MiB; narrow it by tags", b.most>>20)
	}
	n, err := b.ReadCloser.Read(p[:min(len(p), b.left+1)])
	if b.left -= n; b.left < 0 {
		return n - 1, nil
	}
	return n, err
}

// clipped is the beginning of a body.
type clipped struct {
	io.Reader
	io.Closer
}
