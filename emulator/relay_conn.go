package emulator

import (
	"errors"
	"io"
	"net"
	"sync"
	"sync/atomic"
)

// relayConn is a client's connection and its counterpart to the target.
type relayConn struct {
	relay            *Relay
	client, upstream net.Conn
	fate             atomic.Int32 // a Mode; set once, while held
}

// doom makes the network forget the connection: the target's side is closed, and the
// client's side is not told.
func (c *relayConn) doom(mode Mode) {
	if c.fate.CompareAndSwap(int32(Deliver), int32(mode)) { //nolint:gosec // three small values
		_ = c.upstream.Close()
	}
}

func (c *relayConn) doomed() Mode { return Mode(c.fate.Load()) }

// run moves bytes both ways until both have ended.
func (c *relayConn) run() {
	var both sync.WaitGroup
	both.Go(c.down)
	both.Go(c.up)
	both.Wait()
	_ = c.upstream.Close() // a conn closed twice says so
	_ = c.client.Close()
}

// up carries what the client sends. On a doomed connection it goes on reading,
// to do what the fate says.
func (c *relayConn) up() {
	buf := make([]byte, 32<<10)
	for {
		n, err := c.client.Read(buf)
		if !c.relay.pass() {
			return
		}
		if n > 0 {
			switch c.doomed() {
			case Reset:
				abort(c.client)
				return
			case Silent:
			default:
				if _, werr := c.upstream.Write(buf[:n]); werr != nil && c.doomed() == Deliver {
					return // down sees the target's reset, too, and passes it on
				}
			}
		}
		if err != nil {
			if c.doomed() == Deliver {
				end(c.upstream, err)
			}
			return
		}
	}
}

// down carries what the target sends.
func (c *relayConn) down() {
	buf := make([]byte, 32<<10)
	for {
		n, err := c.upstream.Read(buf)
		if !c.relay.pass() || c.doomed() != Deliver {
			return
		}
		if n > 0 {
			if _, werr := c.client.Write(buf[:n]); werr != nil {
				_ = c.upstream.Close() // nobody is left to read
				return
			}
		}
		if err != nil {
			end(c.client, err)
			return
		}
	}
}

// end passes on how the other side ended: FIN for an end, RST for a reset.
func end(c net.Conn, err error) {
	if tcp, ok := c.(*net.TCPConn); ok && errors.Is(err, io.EOF) {
		_ = tcp.CloseWrite() // it may have gone itself
		return
	}
	abort(c)
}
