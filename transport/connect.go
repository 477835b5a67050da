package transport

import (
	"context"
	"errors"
	"fmt"
	"net"
	"syscall"

	"github.com/liftmesh/lift"
)

// connect opens a connection. The caller holds a permit, which goes back if it
// fails. It waits for its slots as long as wait lasts, and dials as long as
// dialing lasts and ConnectTimeout allows. slotted: the caller holds the
// descriptor's slot too.
func (p *Pool) connect(wait, dialing context.Context, slotted bool) (c *conn, f *failure) {
	permit := true
	defer func() {
		if permit {
			if slotted {
				p.slots.release()
			}
			p.permitBack()
		}
	}()
	if !slotted && !p.slots.acquire(wait.Done()) {
		return nil, &failure{code: lift.Unavailable, err: errors.New("no connection was free in this process; is something holding many calls open?")}
	}
	slotted = true
	if !p.slots.connect(wait.Done()) {
		return nil, &failure{code: lift.Unavailable, err: errors.New("too many connects are under way in this process")}
	}
	nc, err := p.dialOnce(dialing)
	if err != nil {
		return nil, &failure{code: lift.Unavailable, err: err}
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

func (p *Pool) dialOnce(ctx context.Context) (net.Conn, error) {
	defer p.slots.connected()
	ctx, cancel := context.WithTimeout(ctx, p.cfg.ConnectTimeout)
	defer cancel()
	nc, err := p.dial(ctx, "tcp", p.addr)
	if err == nil {
		return nc, nil
	}
	var why *net.OpError
	var dns *net.DNSError
	switch {
	case errors.Is(err, syscall.ECONNREFUSED):
		return nil, fmt.Errorf("connection refused: nothing listens there; is the instance running? (%w)", err)
	case errors.Is(err, context.DeadlineExceeded), errors.As(err, &why) && why.Timeout():
		return nil, fmt.Errorf("no connection within %s: is the host up, and may it be reached from here? (%w)", p.cfg.ConnectTimeout, err)
	case errors.Is(err, syscall.EHOSTUNREACH), errors.Is(err, syscall.ENETUNREACH):
		return nil, fmt.Errorf("no way there: is the address right, and the network of this function? (%w)", err)
	case errors.As(err, &dns):
		return nil, fmt.Errorf("the name cannot be resolved: is the address right? (%w)", err)
	case errors.Is(err, syscall.EMFILE), errors.Is(err, syscall.ENFILE):
		return nil, fmt.Errorf("this process has no file descriptor left; lower the limits of connections (%w)", err)
	default:
		return nil, fmt.Errorf("cannot connect: %w", err)
	}
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
