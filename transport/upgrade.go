package transport

import (
	"errors"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/liftmesh/lift"
)

// asksToUpgrade makes the request one for another protocol.
func (r *request) asksToUpgrade(protocol string) error {
	for one := range strings.SplitSeq(protocol, ",") {
		name, version, has := strings.Cut(strings.TrimSpace(one), "/")
		if !isToken(name) || has && !isToken(version) {
			return fmt.Errorf("%q is no protocol to upgrade to; want a name such as websocket", clip(protocol))
		}
	}
	r.upgrade = protocol
	r.header["Connection"] = []string{"Upgrade"}
	r.header["Upgrade"] = []string{protocol}
	return nil
}

// agreed reports whether an answer's protocol is among those that were asked for.
func (r *request) agreed(protocol string) bool {
	for one := range strings.SplitSeq(r.upgrade, ",") {
		if strings.EqualFold(strings.TrimSpace(one), strings.TrimSpace(protocol)) {
			return true
		}
	}
	return false
}

// upgraded makes the response of a connection that goes on with another protocol.
// It belongs to the call until it ends, and never goes back to the pool.
func (x *exchange) upgraded(a *lift.Attempt, got answer) (*lift.Response, *failure) {
	protocol := got.resp.Header.Get("Upgrade")
	line, ok := got.resp.Body.(io.ReadWriteCloser)
	if !ok || !x.agreed(protocol) {
		got.conn.close()
		return nil, &failure{code: lift.BadResponse, err: fmt.Errorf("the endpoint switches to %q, and what was asked for is %q; look at that instance", clip(protocol), x.upgrade)}
	}
	header, err := fieldsOf(got.resp.Header)
	if err != nil {
		got.conn.close()
		return nil, &failure{code: lift.BadResponse, err: err}
	}
	if f := x.unlimited(); f != nil {
		got.conn.close()
		return nil, f
	}
	d := &duplex{exchange: x, conn: got.conn, line: line, service: a.Call.Service}
	if a.Body != nil {
		go d.send(a.Body)
	}
	return &lift.Response{
		Status: got.resp.StatusCode,
		Header: append(header, lift.Field{Name: "Upgrade", Value: protocol}),
		Body:   lift.StreamBody(d, -1, 0),
	}, nil
}

// unlimited has no limit of time hold from now on; cancel still does.
func (x *exchange) unlimited() *failure { return x.stream(time.Time{}) }

// duplex is a connection that speaks something else by now. One reader at a time;
// Close may come from any goroutine.
type duplex struct {
	*exchange
	conn    *conn
	line    io.ReadWriteCloser
	service string
	n       int64
}

// Read implements io.Reader.
func (d *duplex) Read(p []byte) (int, error) {
	n, err := d.line.Read(p)
	d.n += int64(n)
	if err == nil {
		return n, nil
	}
	first, f := d.end(nil)
	d.conn.close()
	switch {
	case !first:
		return n, lift.ErrBodyClosed
	case f != nil:
	case err == io.EOF: //nolint:errorlint // by io.Reader's contract
		return n, io.EOF
	default:
		f = &failure{code: lift.BadResponse, err: fmt.Errorf("the upgraded connection broke off after %d bytes (%w); did the instance die?", d.n, err)}
	}
	return n, &lift.Error{
		Code: f.code, Service: d.service, Endpoint: d.pool.addr, Reached: lift.Answered,
		Err: fmt.Errorf("%s: %w", d.pool.addr, f.err),
	}
}

// Close implements io.Closer.
func (d *duplex) Close() error {
	if first, _ := d.end(nil); first {
		d.conn.close()
	}
	return nil
}

// send sends what the caller has to say. It ends with that, or with the read that
// it is in once the connection is over: whoever made the call closes the body then.
func (d *duplex) send(body *lift.Body) {
	defer d.contain("sending on an upgraded connection", func(err error) { d.cut(canceled, err) })
	r, err := body.Reader()
	if err == nil {
		_, err = io.CopyBuffer(toConn{d.line}, r, make([]byte, uploadChunk))
	}
	switch {
	case err == nil:
		d.conn.closeWrite()
	case errors.Is(err, errGone):
	default:
		d.cut(canceled, fmt.Errorf("its stream broke off: %w", err))
	}
}

// errGone is a connection that takes nothing any more, whose reader tells why.
var errGone = errors.New("the connection is over")

// toConn tells a connection's errors from those of what is sent on it.
type toConn struct{ io.Writer }

// Write implements io.Writer.
func (w toConn) Write(p []byte) (int, error) {
	n, err := w.Writer.Write(p)
	if err != nil {
		err = errGone
	}
	return n, err
}

// closeWrite says that no more is sent, if the connection can say so; else the
// peer's end is what ends it.
func (c *conn) closeWrite() {
	half, ok := c.Conn.(interface{ CloseWrite() error })
	if ok {
		_ = half.CloseWrite() // what it says of the peer its reader hears too
	}
}
