package transport

import (
	"errors"
	"fmt"
	"io"
	"net/http"

	"github.com/liftmesh/lift"
)

// deliver turns an answer into the response that leaves the pool.
func (x *muxExchange) deliver(a *lift.Attempt) (*lift.Response, *failure) {
	resp := x.answer
	a.Status, a.Reached = resp.StatusCode, lift.Answered
	header, err := fieldsOf(resp.Header)
	if err != nil {
		return nil, &failure{code: lift.BadResponse, err: err}
	}
	out := &lift.Response{Status: resp.StatusCode, Header: header}
	size := resp.ContentLength
	if x.method == http.MethodHead {
		size = 0
	}
	if size >= 0 && size <= int64(x.cfg.Whole) {
		var n int
		if out.Body, n, err = whole(resp, size); err != nil {
			return nil, x.brokenOff(err, int64(n), size)
		}
		x.give(resp)
		return out, nil
	}
	src := io.Reader(resp.Body)
	if x.hasAll() && lift.IsGRPC(header) {
		h := x.hold(resp)
		if ended, f := h.outcome(); f != nil || ended != nil {
			if f != nil {
				return nil, f
			}
			out.Body = ended
			x.give(resp)
			return out, nil
		}
		src = h
	}
	if f := x.stream(a.Call.Deadline); f != nil {
		return nil, f
	}
	s := &muxStream{muxExchange: x, src: src, service: a.Call.Service}
	s.body = lift.StreamBody(s, size, 0)
	out.Body = s.body
	return out, nil
}

// hasAll reports whether all of the request is on its way.
func (x *muxExchange) hasAll() bool { return !x.live || x.upload.ended.Load() }

// whole reads an answer of declared length, and its trailers. n is how much came.
func whole(resp *http.Response, size int64) (body *lift.Body, n int, err error) {
	content := make([]byte, size)
	if n, err = io.ReadFull(resp.Body, content); err != nil {
		return nil, n, err
	}
	var more [1]byte                                      // none; that it ends is what is looked for
	if k, err := resp.Body.Read(more[:]); err != io.EOF { //nolint:errorlint // by io.Reader's contract
		if err == nil || k > 0 {
			err = errors.New("it is longer than it was declared to be")
		}
		return nil, n, err
	}
	trailer, err := fieldsOf(resp.Trailer)
	if err != nil {
		return nil, n, err
	}
	body = lift.BytesBody(content)
	body.SetTrailer(trailer)
	return body, n, nil
}

// give ends the exchange: no limit holds any longer, and its place goes back. ended
// is the answer if it has been read to its end; else what is on its way is given up.
// It reports whether this was the first time, and what cut the exchange before.
func (x *muxExchange) give(ended *http.Response) (first bool, cutBefore *failure) {
	x.mu.Lock()
	u, resp := x.upload, x.answer
	x.mu.Unlock()
	u.abort()
	if ended != nil {
		x.closeAnswer() // waits until the stream is gone, so that its place is free
	}
	if first, cutBefore = x.lift(); !first {
		return false, nil
	}
	switch c := x.conn; {
	case c == nil:
	case ended != nil:
		// An answer that ended with its head has no body to wait for; only where the
		// request had none either has http2 waited by itself.
		x.pool.release(c, ended.ContentLength != 0 && x.method != http.MethodHead || !x.live && len(x.bytes) == 0)
	case resp == nil:
		x.pool.release(c, false)
	default:
		go x.letGo(c)
	}
	return first, cutBefore
}

// letGo gives up an answer, and then its place.
func (x *muxExchange) letGo(c *muxConn) {
	defer x.pool.release(c, false)
	x.hangUp()
}

// muxStream is the rest of an answer that is read as it comes. One reader at a
// time; Close may come from any goroutine.
type muxStream struct {
	*muxExchange
	src     io.Reader
	service string
	body    *lift.Body
	n       int64
}

// Read implements io.Reader.
func (s *muxStream) Read(p []byte) (int, error) {
	n, err := s.src.Read(p)
	s.n += int64(n)
	if err == nil {
		return n, nil
	}
	if err == io.EOF { //nolint:errorlint // by io.Reader's contract
		var trailer []lift.Field
		if trailer, err = fieldsOf(s.answer.Trailer); err == nil {
			s.body.SetTrailer(trailer)
			s.give(s.answer)
			return n, io.EOF
		}
	}
	f := s.brokenOff(err, s.n, s.answer.ContentLength)
	if first, cut := s.give(nil); !first {
		return n, lift.ErrBodyClosed
	} else if cut != nil {
		f = cut
	}
	return n, &lift.Error{
		Code: f.code, Service: s.service, Endpoint: s.addr, Reached: lift.Answered,
		Err: fmt.Errorf("%s: %w", s.addr, f.err),
	}
}

// Close implements io.Closer: what has not been read by now is not waited for.
func (s *muxStream) Close() error {
	s.give(nil)
	return nil
}
