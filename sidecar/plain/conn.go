package plain

import (
	"context"
	"net"
	"sync/atomic"

	"github.com/liftmesh/lift/sidecar/socket"
)

// inbound is a listener whose connections know which service they call.
type inbound struct {
	net.Listener
	service string
}

// Accept implements net.Listener.
func (l *inbound) Accept() (net.Conn, error) {
	nc, err := l.Listener.Accept()
	if err != nil {
		return nil, err
	}
	c := &conn{Conn: nc, service: l.service}
	if p, ok := nc.(*socket.Peer); ok {
		c.refused = p.Refused()
	}
	return c, nil
}

// conn is one peer's connection. It notes whether a Content-Length was ever seen
// on it: net/http takes the field away where a body is chunked too, and a
// connection on which both were said must not be used again (RFC 9112, section
// 6.1), for the two ends may not agree where the request ended.
type conn struct {
	net.Conn
	service string
	refused bool
	streams bool   // it speaks HTTP/2
	ahead   []byte // was read of Conn before, and is read again first
	matched int    // of lengthField, at the end of what was read
	sized   atomic.Bool
}

const lengthField = "\ncontent-length"

// Read implements net.Conn. It sees bodies as well as heads: what looks like the
// field there costs a connection and nothing else.
func (c *conn) Read(p []byte) (int, error) {
	if len(c.ahead) > 0 {
		n := copy(p, c.ahead)
		c.ahead = c.ahead[n:]
		return n, nil
	}
	n, err := c.Conn.Read(p)
	if !c.sized.Load() {
		c.look(p[:n])
	}
	return n, err
}

// CloseWrite ends what we send and leaves the rest open, so that a peer that is
// still sending can read why it is hung up on.
func (c *conn) CloseWrite() error {
	nc := c.Conn
	if p, ok := nc.(*socket.Peer); ok {
		nc = p.Conn
	}
	if half, ok := nc.(interface{ CloseWrite() error }); ok {
		return half.CloseWrite()
	}
	return c.Close()
}

func (c *conn) look(p []byte) {
	at := c.matched
	for _, b := range p {
		if 'A' <= b && b <= 'Z' {
			b += 'a' - 'A'
		}
		switch b {
		case lengthField[at]:
			if at++; at == len(lengthField) {
				c.sized.Store(true)
				return
			}
		case '\n':
			at = 1
		default:
			at = 0
		}
	}
	c.matched = at
}

type connKey struct{}

func withConn(ctx context.Context, nc net.Conn) context.Context {
	return context.WithValue(ctx, connKey{}, nc) //nolint:forbidigo // how http.Server tells a handler its connection
}

// connOf returns the connection that a request came by.
func connOf(ctx context.Context) *conn {
	c, _ := ctx.Value(connKey{}).(*conn)
	return c
}
