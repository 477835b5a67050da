package emulator

import (
	"context"
	"fmt"
	"net"
	"sync"
	"time"
)

// Mode says what a [Relay] that is released does to connections from before it was
// held.
type Mode int

// The modes.
const (
	// Deliver: everything that was held arrives, including the end (FIN).
	Deliver Mode = iota
	// Reset: the network has forgotten the connections. The first byte that the
	// client sends is answered with RST; what was held is lost.
	Reset
	// Silent: what the client sends is dropped, and no answer ever comes.
	Silent
)

// String is the mode's name.
func (m Mode) String() string {
	switch m {
	case Deliver:
		return "deliver"
	case Reset:
		return "reset"
	case Silent:
		return "silent"
	default:
		return fmt.Sprintf("Mode(%d)", int(m))
	}
}

// dialLimit bounds the connect to the target.
const dialLimit = 5 * time.Second

// Relay passes TCP connections on to a target. While it is held, a client does not
// see what happens at the other end. Safe for concurrent use.
//
// If the target refuses a connection, the client sees one that is accepted and then
// reset. Each client takes two open connections.
type Relay struct {
	target   string
	listener net.Listener
	ctx      context.Context // ends with Close
	stop     context.CancelFunc
	work     sync.WaitGroup

	mu    sync.Mutex
	open  chan struct{} // closed while packets pass
	conns map[*relayConn]bool
}

// NewRelay listens on a free port of 127.0.0.1 for connections to target
// (host:port). The target need not be there yet. Close it after use.
func NewRelay(target string) (*Relay, error) {
	if _, _, err := net.SplitHostPort(target); err != nil {
		return nil, fmt.Errorf("emulator: relay: %w: target: %w", ErrConfig, err)
	}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, fmt.Errorf("emulator: relay: %w", err)
	}
	r := &Relay{target: target, listener: listener, open: make(chan struct{}), conns: map[*relayConn]bool{}}
	r.ctx, r.stop = context.WithCancel(context.Background())
	close(r.open)
	r.work.Go(r.accept)
	return r, nil
}

// Addr is what clients connect to, as host:port.
func (r *Relay) Addr() string { return r.listener.Addr().String() }

// Hold stops packets in both directions. New connections are accepted, but carry
// nothing until the release. Holding twice does nothing.
func (r *Relay) Hold() {
	r.mu.Lock()
	defer r.mu.Unlock()
	select {
	case <-r.open:
		r.open = make(chan struct{})
	default:
	}
}

// Release lets packets pass again. mode says what happens to connections from before
// the Hold; newer ones pass. It does nothing if the relay is not held.
func (r *Relay) Release(mode Mode) {
	r.mu.Lock()
	defer r.mu.Unlock()
	select {
	case <-r.open:
		return
	default:
	}
	if mode != Deliver {
		for c := range r.conns {
			c.doom(mode)
		}
	}
	close(r.open)
}

// Conns is how many connections to the target are open.
func (r *Relay) Conns() int {
	r.mu.Lock()
	defer r.mu.Unlock()
	return len(r.conns)
}

// Close ends all connections and waits until nothing of the relay is left.
func (r *Relay) Close() error {
	r.stop()
	err := r.listener.Close()
	r.work.Wait()
	return err
}

func (r *Relay) accept() {
	for {
		client, err := r.listener.Accept()
		if err != nil {
			if r.ctx.Err() != nil {
				return
			}
			select { // perhaps out of descriptors: give other connections time to end
			case <-time.After(10 * time.Millisecond):
			case <-r.ctx.Done():
				return
			}
			continue
		}
		r.work.Go(func() { r.serve(client) })
	}
}

// pass waits until packets may pass. It returns false if the relay is closed.
func (r *Relay) pass() bool {
	r.mu.Lock()
	open := r.open
	r.mu.Unlock()
	select {
	case <-open:
		return r.ctx.Err() == nil
	case <-r.ctx.Done():
		return false
	}
}

func (r *Relay) serve(client net.Conn) {
	cut := context.AfterFunc(r.ctx, func() { _ = client.Close() })
	defer cut()
	defer client.Close()
	if !r.pass() {
		return
	}
	dialer := net.Dialer{Timeout: dialLimit}
	upstream, err := dialer.DialContext(r.ctx, "tcp", r.target)
	if err != nil {
		abort(client)
		return
	}
	cutUpstream := context.AfterFunc(r.ctx, func() { _ = upstream.Close() })
	defer cutUpstream()
	c := &relayConn{relay: r, client: client, upstream: upstream}
	r.mu.Lock()
	r.conns[c] = true
	r.mu.Unlock()
	c.run()
	r.mu.Lock()
	delete(r.conns, c)
	r.mu.Unlock()
}

// abort closes with RST instead of FIN.
func abort(c net.Conn) {
	if tcp, ok := c.(*net.TCPConn); ok {
		_ = tcp.SetLinger(0) // without it, it is a FIN
	}
	_ = c.Close()
}
