package transport

import (
	"context"
	"errors"
	"fmt"
	"net"

	"github.com/liftmesh/lift"
)

// connect opens a connection. The caller holds a permit, which goes back if it
// fails. It waits for its slots as long as wait lasts, and dials as long as
// dialing lasts and ConnectTimeout allows. slotted: the caller holds the
// descriptor's slot too.
func (p *Pool) connect(dialing context.Context, wait queuer, slotted bool) (c *conn, f *failure) {
	permit := true
	defer func() {
		if permit {
			if slotted {
				p.slots.release()
			}
			p.permitBack()
		}
	}()
	if !slotted {
		if f := p.acquire(wait); f != nil {
			return nil, f
		}
		slotted = true
	}
	if f := p.slots.connect(wait); f != nil {
		return nil, f
	}
	nc, err := p.dial(dialing)
	if err != nil {
		return nil, unconnected(err)
	}
	permit = false // from here on it is given back by the connection's end
	c = newConn(p, nc)
	c.client, err = p.http.NewClientConn(handedOver{dialing, c}, "http", p.addr)
	if err != nil {
		c.close()
		return nil, &failure{code: lift.Unavailable, err: fmt.Errorf("not an address to connect to: %w; what is wanted is host:port", err)}
	}
	return c, nil
}

func (p *Pool) dial(ctx context.Context) (net.Conn, error) {
	defer p.slots.connected()
	nc, _, err := p.dialer.open(ctx)
	return nc, err
}

// unconnected is why no connection could be opened.
func unconnected(err error) *failure {
	if own, ok := errors.AsType[*coded](err); ok {
		return &failure{code: own.code, err: err}
	}
	return &failure{code: lift.Unavailable, err: err}
}

// handedOver carries a connection that is open already through net/http, which
// insists on dialing, into [handOver].
type handedOver struct {
	context.Context
	conn *conn
}

func handOver(ctx context.Context, _, _ string) (net.Conn, error) {
	h, ok := ctx.(handedOver)
	if !ok {
		return nil, errors.New("bug: net/http dialed by itself")
	}
	return h.conn, nil
}
