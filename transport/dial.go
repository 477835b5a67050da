package transport

import (
	"context"
	"errors"
	"fmt"
	"net"
	"strings"
	"syscall"
	"time"

	"github.com/liftmesh/lift"
)

// dialer opens the connections to one endpoint, whatever is spoken over them.
type dialer struct {
	addr    string
	timeout time.Duration // for one connect, and again for the TLS handshake
	dial    func(ctx context.Context, network, addr string) (net.Conn, error)
	secure  *securer      // nil: without TLS
	ready   chan net.Conn // holds one: open already, and the next to be taken
	slot    chan struct{} // holds one: the slot of ready, for whoever connects next
}

func newDialer(addr string, o Options) dialer {
	d := dialer{ready: make(chan net.Conn, 1), slot: make(chan struct{}, 1), addr: addr, timeout: o.Config.WithDefaults().ConnectTimeout, dial: o.Dial}
	if d.dial == nil {
		d.dial = new(net.Dialer).DialContext
	}
	if o.Config.TLS != nil {
		d.secure = newSecurer(addr, o)
	}
	return d
}

// open opens one connection, a [*secured] one if TLS is wanted. protocol is what
// was agreed to by ALPN, "" if nothing was. Its errors say what would put them right.
func (d *dialer) open(ctx context.Context) (nc net.Conn, protocol string, err error) {
	select {
	case nc = <-d.ready:
		return nc, "", nil
	default:
	}
	if nc, err = d.connect(ctx); err != nil || d.secure == nil {
		return nc, "", err
	}
	ctx, cancel := context.WithTimeout(ctx, d.timeout)
	defer cancel()
	s, err := d.secure.secure(ctx, nc)
	if err != nil {
		return nil, "", err
	}
	return s, s.ConnectionState().NegotiatedProtocol, nil
}

func (d *dialer) connect(ctx context.Context) (net.Conn, error) {
	ctx, cancel := context.WithTimeout(ctx, d.timeout)
	defer cancel()
	nc, err := d.dial(ctx, "tcp", d.addr)
	if err == nil {
		return nc, nil
	}
	var why *net.OpError
	var dns *net.DNSError
	switch {
	case outOfDescriptors(err):
		return nil, &coded{lift.Busy, fmt.Errorf("no file descriptor is left for a connection; raise the limit of open files (ulimit -n), or lower limits.connections so that Lift closes idle connections sooner (%w)", err)}
	case errors.Is(err, syscall.ENOBUFS), errors.Is(err, syscall.ENOMEM):
		return nil, &coded{lift.Busy, fmt.Errorf("the kernel has no memory left for a connection; see what takes it on this machine (%w)", err)}
	case errors.Is(err, syscall.ECONNREFUSED):
		return nil, fmt.Errorf("connection refused: nothing listens there; is the instance running? (%w)", err)
	case errors.Is(err, context.DeadlineExceeded), errors.As(err, &why) && why.Timeout():
		return nil, fmt.Errorf("no connection within %s: is the host up, and may it be reached from here? (%w)", d.timeout, err)
	case errors.Is(err, syscall.EHOSTUNREACH), errors.Is(err, syscall.ENETUNREACH):
		return nil, fmt.Errorf("no way there: is the address right, and the network of this function? (%w)", err)
	case errors.As(err, &dns):
		return nil, fmt.Errorf("the name cannot be resolved: is the address right? (%w)", err)
	default:
		return nil, fmt.Errorf("cannot connect: %w", err)
	}
}

// outOfDescriptors reports whether this process (EMFILE) or the machine (ENFILE) has
// as many files open as it may. A failed look-up of a name says so in words alone.
func outOfDescriptors(err error) bool {
	for _, limit := range []syscall.Errno{syscall.EMFILE, syscall.ENFILE} {
		if errors.Is(err, limit) {
			return true
		}
		if dns, ok := errors.AsType[*net.DNSError](err); ok && strings.Contains(dns.Err, limit.Error()) {
			return true
		}
	}
	return false
}
