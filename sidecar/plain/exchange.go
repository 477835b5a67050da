package plain

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"runtime/debug"
	"strings"

	"google.golang.org/grpc/codes"

	"github.com/liftmesh/lift"
)

// ErrCallerVanished is the cause with which a call is canceled when the program
// that made it went away: its connection closed, or its side of it.
var ErrCallerVanished = errors.New("the caller went away: its connection closed")

// exchange is one request and its answer.
type exchange struct {
	s    *Server
	w    http.ResponseWriter
	conn *http.ResponseController
	call lift.Call
	body *upload // nil where the body is all here
	last bool    // the connection ends with the answer
	// stream: the request is one of many on its connection (HTTP/2).
	stream bool
	// grpc: the caller speaks gRPC, and is told in its words.
	grpc bool
}

// ServeHTTP implements http.Handler.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if isPreface(r) {
		s.handOver(w, r)
		return
	}
	x := &exchange{s: s, w: w, conn: http.NewResponseController(w)}
	x.call.Method, x.call.Path = r.Method, r.RequestURI
	c := connOf(r.Context())
	own := ""
	if c != nil {
		own, x.stream = c.service, c.streams
		// Two ends that may not agree where this request ended must not go on.
		x.last = !x.stream && (r.ProtoMinor == 0 || len(r.TransferEncoding) > 0 && c.sized.Load())
	}
	x.last = x.last || r.ProtoMajor != 1 && !x.stream
	x.grpc = x.stream && isGRPC(r)
	defer func() {
		x.body.leave()
		if p := recover(); p != nil {
			if p != http.ErrAbortHandler { //nolint:errorlint // any value, compared with one of ours
				s.cfg.Log.Error("a request panicked; it alone fails", "service", x.call.Service, "panic", fmt.Sprint(p), "stack", string(debug.Stack()))
			}
			panic(http.ErrAbortHandler) // net/http's way to break an answer off
		}
	}()
	if r.Body != nil && r.Body != http.NoBody && r.ContentLength != 0 {
		x.body = &upload{body: r.Body, conn: x.conn, stream: x.stream}
		x.body.waiting.Store(r.Header["Expect"] != nil)
		_ = x.conn.EnableFullDuplex() // an answer may begin before the request has ended
	}
	if c != nil && c.refused {
		x.last = true
		x.refuse(&fault{err: &lift.Error{Code: lift.Busy, Err: fmt.Errorf(
			"the plain door serves its limit of %d connections; close some, or raise limits.peers", s.cfg.Limits.MaxPeers)}})
		return
	}
	if s.cfg.Proxy && !x.stream && r.Method == http.MethodConnect {
		s.tunnel(x, r, own)
		return
	}
	if f := s.form(r, x.stream); f != nil {
		x.last = x.last || !x.stream // what follows may not be a request
		x.refuse(f)
		return
	}
	name, f := service(r, own)
	switch {
	case f != nil:
		x.refuse(f)
	case name == "":
		s.self(x, r)
	default:
		x.serve(r, name)
	}
}

// serve makes the call and sends its answer.
func (x *exchange) serve(r *http.Request, name string) {
	c := &x.call
	c.Service, c.Path = name, r.RequestURI
	if err := x.s.begin(name); err != nil {
		x.last = x.last || err.Code == lift.Draining
		x.refuse(&fault{err: err})
		return
	}
	defer x.s.finish()
	lift.Observe(x.s.cfg.Caller, c)
	defer c.End()
	f := wishes(r, c)
	if f == nil && x.grpc {
		f = grpcWishes(r, c)
	}
	if f != nil {
		x.fault(f)
		return
	}
	c.Header = onward(r.Header)
	if n := lift.FieldsSize(c.Header) + len(c.Path); n > x.s.cfg.Limits.MaxHeader {
		x.fault(&fault{err: &lift.Error{Code: lift.TooLarge, Service: name, Err: fmt.Errorf(
			"path and header have %d bytes, 32 for each field included; the limit is %d: send less, or raise limits.header", n, x.s.cfg.Limits.MaxHeader)},
			status: http.StatusRequestHeaderFieldsTooLarge})
		return
	}
	var t *tunnel
	if c.Upgrade = upgrade(r); c.Upgrade != "" && !x.stream {
		t = newTunnel()
		c.Body = lift.StreamBody(t, -1, 0)
	} else if f := x.take(r); f != nil {
		x.fault(f)
		return
	}
	defer c.Body.Close()
	gone := r.Context()
	watching := context.AfterFunc(gone, func() { c.Cancel(given(gone)) })
	defer watching()
	resp, err := x.contained()
	if err != nil {
		x.failed(err)
		return
	}
	defer resp.Body.Close()
	if resp.Status == http.StatusSwitchingProtocols {
		x.change(gone, resp, t)
		return
	}
	x.answer(resp, r.Method == http.MethodHead)
}

// given is why a request's context ended.
func given(ctx context.Context) error {
	if own, ok := errors.AsType[*lift.Error](context.Cause(ctx)); ok {
		return own
	}
	return ErrCallerVanished
}

// take takes the request's body over. A short one of known length is read whole:
// such a call can be sent again over any connection.
func (x *exchange) take(r *http.Request) *fault {
	if x.body == nil {
		return nil
	}
	size := r.ContentLength
	if size >= 0 && size <= lift.ReplayLimit && !x.body.waiting.Load() {
		content := make([]byte, size)
		if _, err := io.ReadFull(x.body, content); err != nil {
			return refuse(x.call.Service, 0, "the request's body broke off: %w", err)
		}
		x.body.ended.Store(true)
		x.call.Body = lift.BytesBody(content)
		return nil
	}
	body := lift.StreamBody(x.body, size, lift.ReplayLimit)
	if names := announced(r.Trailer); names != "" {
		x.call.Header = append(x.call.Header, lift.Field{Name: "Trailer", Value: names})
		x.body.atEnd = func() { body.SetTrailer(trailing(r.Trailer)) }
	}
	x.call.Body = body
	return nil
}

// contained calls the Caller and turns a panic, and answers that break its
// contract, into an error of this one call.
func (x *exchange) contained() (resp *lift.Response, err error) {
	c := &x.call
	defer func() {
		if p := recover(); p != nil {
			x.s.cfg.Log.Error("a call panicked; it alone fails", "service", c.Service, "panic", fmt.Sprint(p), "stack", string(debug.Stack()))
			resp, err = nil, &lift.Error{Code: lift.Internal, Service: c.Service, Reached: lift.MayHaveActed,
				Err: fmt.Errorf("the call panicked inside the sidecar, which lives on; this is a bug in Lift: %v", p)}
		}
	}()
	resp, err = x.s.cfg.Caller.Call(c)
	if err == nil && (resp == nil || resp.Status > 999 ||
		resp.Status < 200 && (c.Upgrade == "" || resp.Status != http.StatusSwitchingProtocols)) {
		err = lift.Errorf(c, lift.Internal, "neither an answer nor an error came back; this is a bug in Lift")
	}
	return resp, err
}

// failed answers with a call's error.
func (x *exchange) failed(err error) {
	e := x.told(err)
	x.last = x.last || e.Code == lift.Draining
	x.fault(&fault{err: e})
}

// told is what the peer is told of a call's error. What ended the call from our
// side says more than what the Caller made of it.
func (x *exchange) told(err error) *lift.Error {
	name := x.call.Service
	e, ok := errors.AsType[*lift.Error](err)
	if !ok {
		e = &lift.Error{Code: lift.Internal, Service: name, Reached: lift.MayHaveActed, Err: err}
	}
	if own, ok := errors.AsType[*lift.Error](x.call.Err()); ok {
		whole := *own
		whole.Service, whole.Endpoint, whole.Attempts, whole.Reached = name, e.Endpoint, e.Attempts, e.Reached
		e = &whole
	}
	if broke := x.body.failure(); broke != nil && e.Code == lift.CallCanceled {
		whole := *e
		whole.Code, whole.Err = lift.InvalidCall, fmt.Errorf("the request's body broke off: %w", broke)
		e = &whole
	}
	return e
}

// ends reports whether the connection ends with the answer. A stream of many ends
// alone.
func (x *exchange) ends() bool { return x.last || !x.stream && x.body.open() }

// refuse ends a call that is not made, with an error.
func (x *exchange) refuse(f *fault) {
	c := &x.call
	if c.Service == "" {
		c.Service = f.err.Service
	}
	lift.Observe(x.s.cfg.Caller, c)
	defer c.End()
	x.fault(f)
}

// fault answers with an error.
func (x *exchange) fault(f *fault) {
	x.call.Fail(f.err)
	if x.grpc {
		x.grpcFault(f)
		return
	}
	writeFault(x.w, f, x.ends())
}

// self is Lift's own page: who it is, what can be called, and whether it lives.
func (s *Server) self(x *exchange, r *http.Request) {
	path, _, _ := strings.Cut(r.RequestURI, "?")
	page := path == "/" || path == "/healthz"
	switch {
	case x.grpc:
		x.refuse(&fault{grpc: codes.Unimplemented, err: &lift.Error{Code: lift.UnknownService, Err: fmt.Errorf(
			"the call names no service, so it is for Lift itself, which has no methods here; name one by :authority (in gRPC's clients an option of the channel) or by the metadata %s", strings.ToLower(fieldService))}})
	case !page:
		x.refuse(&fault{err: &lift.Error{Code: lift.UnknownService, Err: fmt.Errorf(
			"the request names no service, so it is for Lift itself, which has / and /healthz; name one by Host or %s", fieldService)}})
	case r.Method != http.MethodGet && r.Method != http.MethodHead:
		f := refuse("", http.StatusMethodNotAllowed, "Lift's own pages are for GET and HEAD; to call a service, name it by Host or %s", fieldService)
		f.allow = "GET, HEAD"
		x.refuse(f)
	case path == "/healthz" && s.isLeaving():
		writeJSON(x.w, http.StatusServiceUnavailable, map[string]string{"status": "draining"}, true)
	case path == "/healthz":
		writeJSON(x.w, http.StatusOK, struct {
			Status  string `json:"status"`
			Warning string `json:"warning,omitempty"`
		}{"ok", s.cfg.Warning()}, x.ends())
	default:
		names := s.services()
		if names == nil {
			names = []string{}
		}
		writeJSON(x.w, http.StatusOK, struct {
			Software string   `json:"software"`
			Version  string   `json:"version"`
			Services []string `json:"services"`
		}{"lift", s.cfg.Version, names}, x.ends())
	}
}
