package consul

import (
	"fmt"
	"io"
	"net/http"
)

const (
	// maxAnswer limits an answer: it is enough for about 10,000 instances with their
	// checks.
	maxAnswer = 16 << 20
	// maxComplaint limits how much of an error answer is read.
	maxComplaint = 4 << 10
)

// exchange makes one request: it adds the token, follows no redirect and limits how
// much it reads.
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
		_ = resp.Body.Close() // neither the body nor the connection is used again
		return nil, fmt.Errorf("it redirects to %.200q; Lift does not send its token there; set that address if it is the right one", resp.Header.Get("Location"))
	default:
		resp.Body = clipped{io.LimitReader(resp.Body, maxComplaint), resp.Body}
	}
	return resp, nil
}

// bounded is a body that fails once it is longer than most bytes.
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

// clipped is a body cut off after its beginning.
type clipped struct {
	io.Reader
	io.Closer
}
