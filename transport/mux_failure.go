package transport

import (
	"errors"
	"fmt"
	"strings"
	"time"

	"golang.org/x/net/http2"

	"github.com/liftmesh/lift"
)

// What http2 says in words only. A test holds each to what http2 does.
const (
	saysGoAway   = "Transport received Server's graceful shutdown GOAWAY"
	saysGoAway1  = "Transport received GOAWAY from server" // of a connection's first stream
	saysUnusable = "client conn not usable"
	saysNotBegun = "client conn could not be established"
	saysTooMuch  = "request header list larger than peer's advertised limit"
	saysTooLong  = "response header list larger than advertised limit"
	saysFromPeer = "received from peer"
)

// failureOn says what a request on x.conn died of. err is http2's word.
func (x *muxExchange) failureOn(err error) *failure {
	if f := x.cutFailure(); f != nil {
		return f
	}
	c := x.conn
	c.mu.Lock()
	readErr := c.readErr
	c.mu.Unlock()
	text := err.Error()
	says := func(words string) bool { return strings.Contains(text, words) }
	f := &failure{code: lift.Unavailable}
	var stream http2.StreamError
	var whole http2.ConnectionError
	var away http2.GoAwayError //nolint:staticcheck // what this client returns
	switch {
	case f.upload(err):
	case errors.As(err, &stream):
		x.streamFailure(stream, f)
	case errors.As(err, &whole) && http2.ErrCode(whole) == http2.ErrCodeCompression:
		f.code, f.err = lift.BadResponse, fmt.Errorf("an answer's header could not be read (COMPRESSION_ERROR); is a field of it longer than %d bytes? Look at that instance, or raise connections.max_header", x.cfg.MaxHeader)
	case errors.As(err, &whole):
		f.code, f.err = lift.BadResponse, fmt.Errorf("the endpoint broke the rules of HTTP/2 (%v); is that an HTTP/2 port?", http2.ErrCode(whole))
	case says(saysGoAway), says(saysGoAway1):
		f.unsent, f.elsewhere = true, true
		f.err = errors.New("the endpoint is going away and has not begun with this call (GOAWAY)")
	case says(saysUnusable), says(saysNotBegun):
		f.unsent, f.elsewhere = true, true
		f.err = errors.New("the connection ended before the call was sent")
	case says(saysTooMuch):
		f.code, f.unsent = lift.TooLarge, true
		f.err = errors.New("the request's header is longer than the endpoint takes (SETTINGS_MAX_HEADER_LIST_SIZE)")
	case errors.As(err, &away):
		f.silent = true
		f.err = fmt.Errorf("the endpoint went away without answering a call that it had taken (GOAWAY %v)", away.ErrCode)
	case readErr != nil:
		f.silent, f.err = true, silentBreak(readErr)
	default:
		f.silent, f.err = true, silentBreak(err)
	}
	return f
}

// streamFailure is the end of one stream of a connection that goes on: the
// endpoint has reset it, or what it sent there made no sense.
func (x *muxExchange) streamFailure(e http2.StreamError, f *failure) {
	cause := ""
	if e.Cause != nil {
		cause = e.Cause.Error()
	}
	switch {
	case strings.Contains(cause, saysTooLong):
		f.code, f.err = lift.BadResponse, fmt.Errorf("the answer's header exceeded %d bytes; look at that instance, or raise connections.max_header", x.cfg.MaxHeader)
	case cause != saysFromPeer:
		f.code, f.err = lift.BadResponse, fmt.Errorf("what came is not a proper HTTP/2 answer (%v: %s)", e.Code, clip(cause))
	case e.Code == http2.ErrCodeRefusedStream:
		// RFC 9113, section 8.7: no processing has occurred.
		f.unsent = true
		f.err = errors.New("the endpoint refused the call unseen (REFUSED_STREAM): it has too much to do, or is going away")
	case e.Code == http2.ErrCodeHTTP11Required:
		f.err = errors.New("the endpoint wants HTTP/1.1 for this (HTTP_1_1_REQUIRED); set protocol: http")
	case x.timeIsUp(e):
		*f = *x.timeUp()
	default:
		f.err = fmt.Errorf("the endpoint reset the call before it answered (%v)", e.Code)
	}
}

// nearDeadline is how far before the call's deadline a server's own giving up is
// taken for that deadline, which it was told of.
const nearDeadline = 50 * time.Millisecond

// timeIsUp reports whether the endpoint reset the stream because the call's time,
// which gRPC has told it, was up: its clock may be a moment ahead of our timer.
func (x *muxExchange) timeIsUp(e http2.StreamError) bool {
	return e.Code == http2.ErrCodeCancel && x.header["Grpc-Timeout"] != nil && !x.until.IsZero() &&
		x.until.Sub(x.now().Wall) < nearDeadline
}

// brokenOff says why an answer's body ended before its end.
func (x *muxExchange) brokenOff(err error, n, size int64) *failure {
	if f := x.cutFailure(); f != nil {
		return f
	}
	if stream, ok := errors.AsType[http2.StreamError](err); ok {
		if x.timeIsUp(stream) {
			return x.timeUp()
		}
		err = fmt.Errorf("the endpoint reset it: %v", stream.Code)
	} else if c := x.conn; c != nil {
		c.mu.Lock()
		if c.readErr != nil {
			err = c.readErr
		}
		c.mu.Unlock()
	}
	return brokeAfter(err, n, size)
}
