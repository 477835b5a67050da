package sdk

import (
	"net/http"

	"github.com/liftmesh/lift"
)

// Response is the head of the answer to a JSON call: what the decoded value does not
// tell. Give it to a call by [ResponseIn].
type Response struct {
	// Status is the HTTP status, also of an answer that is a [*StatusError]; 0 if no
	// answer came.
	Status int
	// Header is the answer's header, nil if no answer came.
	Header http.Header
	// Trailer are the fields that followed the body, nil if there are none or the
	// body was not read to its end.
	Trailer http.Header
}

// ResponseIn has resp tell the status and the header of the answer to a JSON call:
// an ETag, a Location, the difference between 200 and 201. It is set when the call
// returns, also with an error, and is not safe for concurrent use: give each call a
// Response of its own. It has no effect on calls of the HTTP client and of gRPC
// stubs, which have their own ways to the same.
func ResponseIn(resp *Response) CallOption {
	return func(s *settings) { s.response = resp }
}

// tell sets the Response that the call was given, if it was given one. ended: the body
// was read to its end, and its trailer can be read.
func (s *settings) tell(resp *lift.Response, ended bool) {
	if s.response == nil {
		return
	}
	*s.response = Response{Status: resp.Status, Header: headerOf(resp.Header)}
	if trailer := resp.Body.Trailer; ended && len(trailer()) > 0 {
		s.response.Trailer = headerOf(trailer())
	}
}
