package transport

import (
	"fmt"
	"io"
	"net/http"
	"net/textproto"
	"strings"

	"github.com/liftmesh/lift"
)

// answer is a response's head, and the connection that brings the rest.
type answer struct {
	conn  *conn
	resp  *http.Response
	fresh bool
}

// deliver turns an answer into the response that leaves the pool.
func (x *exchange) deliver(a *lift.Attempt, got answer) (*lift.Response, *failure) {
	resp := got.resp
	a.Fresh, a.Status, a.Reached = got.fresh, resp.StatusCode, lift.Answered
	if resp.StatusCode == http.StatusSwitchingProtocols && x.upgrade != "" {
		return x.upgraded(a, got)
	}
	if resp.StatusCode < 200 {
		got.conn.close()
		return nil, &failure{code: lift.BadResponse, err: fmt.Errorf("status %d is no answer to what was asked", resp.StatusCode)}
	}
	header, err := fieldsOf(resp.Header)
	if err != nil {
		return nil, &failure{code: lift.BadResponse, err: err}
	}
	out := &lift.Response{Status: resp.StatusCode, Header: header}
	size := resp.ContentLength
	switch {
	case resp.Body == http.NoBody || x.method == http.MethodHead || resp.StatusCode == http.StatusNoContent || resp.StatusCode == http.StatusNotModified:
		// net/http counts an exchange as over when the end has been read.
		if _, err := io.Copy(io.Discard, resp.Body); err != nil {
			return nil, x.brokenOff(got.conn, err, 0, 0)
		}
		out.Body = lift.BytesBody(nil)
	case size >= 0 && size <= int64(x.pool.cfg.Whole):
		content := make([]byte, size)
		if n, err := io.ReadFull(resp.Body, content); err != nil {
			return nil, x.brokenOff(got.conn, err, int64(n), size)
		}
		if got.conn.secure == nil && saysTLS(resp, content) {
			return nil, x.plainAtTLS(a, got.conn)
		}
		out.Body = lift.BytesBody(content) // and no trailers: only chunks have them
	default:
		if got.conn.secure == nil && unmeasured(resp) && saysTLS(resp, peek(resp)) {
			return nil, x.plainAtTLS(a, got.conn)
		}
		if f := x.stream(a.Call.Deadline); f != nil {
			return nil, f
		}
		s := &stream{exchange: x, answer: got, service: a.Call.Service}
		s.body = lift.StreamBody(s, size, 0)
		out.Body = s.body
		return out, nil
	}
	x.end(got.conn)
	return out, nil
}

// plainAtTLS is for a plain request that came to a TLS port: nobody has read it.
func (x *exchange) plainAtTLS(a *lift.Attempt, c *conn) *failure {
	a.Reached = lift.NotReached
	c.mu.Lock()
	c.denied = errSpeaksTLS
	c.mu.Unlock()
	c.close()
	return &failure{code: lift.BadResponse, err: errSpeaksTLS}
}

// brokenOff says why a body ended before its end.
func (x *exchange) brokenOff(c *conn, err error, n, size int64) *failure {
	f := x.cutFailure()
	if f == nil {
		f = bodyBroke(c, err, n, size)
	}
	c.close()
	return f
}

func bodyBroke(c *conn, err error, n, size int64) *failure {
	c.mu.Lock()
	if c.readErr != nil {
		err = c.readErr
	}
	c.mu.Unlock()
	return brokeAfter(err, n, size)
}

// brokeAfter words the end of a body within it; n and size are -1 if unknown.
func brokeAfter(err error, n, size int64) *failure {
	of := ""
	if size >= 0 {
		of = fmt.Sprintf(" of %d", size)
	}
	return &failure{code: lift.BadResponse, err: fmt.Errorf("the answer broke off after %d%s bytes of its body (%w); did the instance die?", n, of, err)}
}

// stream is the rest of an answer that is read as it comes. One reader at a
// time; Close may come from any goroutine.
type stream struct {
	*exchange
	answer
	service string
	body    *lift.Body
	n       int64
}

// Read implements io.Reader.
func (s *stream) Read(p []byte) (int, error) {
	n, err := s.resp.Body.Read(p)
	s.n += int64(n)
	if err == nil {
		return n, nil
	}
	if err == io.EOF { //nolint:errorlint // by io.Reader's contract
		var trailer []lift.Field
		if trailer, err = fieldsOf(s.resp.Trailer); err == nil {
			s.body.SetTrailer(trailer)
			s.end(s.conn)
			return n, io.EOF
		}
	}
	s.conn.close()
	first, f := s.end(nil)
	switch {
	case !first:
		return n, lift.ErrBodyClosed
	case f == nil:
		f = bodyBroke(s.conn, err, s.n, s.resp.ContentLength)
	}
	return n, &lift.Error{
		Code: f.code, Service: s.service, Endpoint: s.pool.addr, Reached: lift.Answered,
		Err: fmt.Errorf("%s: %w", s.pool.addr, f.err),
	}
}

// Close implements io.Closer: what has not been read by now is not waited for.
func (s *stream) Close() error {
	if first, _ := s.end(nil); first {
		s.conn.close()
	}
	return nil
}

// fieldsOf takes a head or a trailer over, without what is between two hops
// only. net/http lets names with spaces pass (it does refuse values with control
// bytes); handed on, they would be somebody else's smuggled header.
func fieldsOf(h http.Header) ([]lift.Field, error) {
	n := 0
	for _, values := range h {
		n += len(values)
	}
	if n == 0 {
		return nil, nil
	}
	fields := make([]lift.Field, 0, n)
	named := h["Connection"]
	for name, values := range h {
		if hop, _ := hopByHop(name); hop || named != nil && isNamed(named, name) {
			continue
		}
		if !isToken(name) {
			return nil, fmt.Errorf("the answer has a header named %q, which is not a name", clip(name))
		}
		for _, v := range values {
			fields = append(fields, lift.Field{Name: name, Value: v})
		}
	}
	return fields, nil
}

// isNamed reports whether a Connection field names the field.
func isNamed(connection []string, name string) bool {
	for _, list := range connection {
		for one := range strings.SplitSeq(list, ",") {
			if textproto.CanonicalMIMEHeaderKey(strings.TrimSpace(one)) == name {
				return true
			}
		}
	}
	return false
}
