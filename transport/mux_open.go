package transport

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"time"

	"golang.org/x/net/http2"

	"github.com/liftmesh/lift"
)

// open opens one connection, which is counted in m.opening already, and has it
// serve who waits. It waits for its slots as long as wait lasts. keep: it stays
// though nobody waits for it.
func (m *Mux) open(wait <-chan struct{}, keep bool) (f *failure) {
	var c *muxConn
	defer func() { m.arrived(c, f, keep) }()
	defer m.contain("opening a connection", func(err error) {
		c, f = nil, &failure{code: lift.Internal, err: err}
	})
	c, f = m.connect(wait)
	return f
}

// connect opens a connection and waits until the endpoint has said its settings,
// which is what shows that it speaks HTTP/2, and how many calls it takes at once.
func (m *Mux) connect(wait <-chan struct{}) (*muxConn, *failure) {
	q := muxQueuer{m, wait}
	if f := m.acquire(q); f != nil {
		return nil, f
	}
	if f := m.slots.connect(q); f != nil {
		m.slots.release()
		return nil, f
	}
	defer m.slots.connected()
	nc, _, err := m.dialer.open(context.Background())
	if err != nil {
		m.slots.release()
		return nil, unconnected(err)
	}
	c := newMuxConn(m, nc)
	limit := time.AfterFunc(m.cfg.ConnectTimeout, c.giveUp)
	defer limit.Stop()
	client, err := m.h2.NewClientConn(c) //nolint:staticcheck // see newH2
	if err != nil {
		_ = c.Close() // it is of no use, whatever it says
		return nil, &failure{code: lift.Unavailable, err: m.notHTTP2(c, err)}
	}
	c.client = client
	for {
		select {
		case <-c.settled:
			if client.State().MaxConcurrentStreams > 0 {
				return c, nil
			}
		case <-c.closed:
			return nil, &failure{code: lift.Unavailable, err: m.notHTTP2(c, nil)}
		}
	}
}

// notHTTP2 words why a connection came to no settings.
func (m *Mux) notHTTP2(c *muxConn, err error) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	first := c.first[:c.got]
	err = cmp.Or(c.readErr, err)
	switch {
	case bytes.HasPrefix(first, []byte("HTTP/")):
		return errors.New("the endpoint speaks HTTP/1.1 here: is that an HTTP/2 port? If not, set protocol: http")
	case c.secure == nil && isAlert(first):
		return errSpeaksTLS
	case c.secure != nil && err != nil && refused(err):
		return m.dialer.secure.refusal(alertOf(err), err, c.secure.demanded.Load(), c.secure.shown)
	case len(first) > 0 && !(len(first) > 3 && first[3] == byte(http2.FrameSettings)):
		return fmt.Errorf("what came is not HTTP/2 but begins with %q; is that an HTTP/2 port?", clip(string(first)))
	case c.mute:
		return fmt.Errorf("the endpoint did not say within %s that it speaks HTTP/2; is that an HTTP/2 port? If not, set protocol: http", m.cfg.ConnectTimeout)
	default:
		return fmt.Errorf("the endpoint hung up before it said that it speaks HTTP/2 (%w); is that an HTTP/2 port? If not, set protocol: http", err)
	}
}

// arrived has a connection serve who waits, or tells them why there is none.
func (m *Mux) arrived(c *muxConn, f *failure, keep bool) {
	now := m.now()
	m.mu.Lock()
	m.opening--
	switch {
	case c != nil && !c.isClosed():
		m.opened++
		c.serial = m.opened
		m.conns = append(m.conns, c)
		m.width = max(1, int(min(c.client.State().MaxConcurrentStreams, 1<<20)))
		m.serve(now)
		m.provide(now)
		if !keep || m.closed {
			m.spare(c, now)
		}
		m.keepFew()
	case f != nil && f.unwanted:
		m.provide(now) // for who came meanwhile
	case c != nil:
		f = &failure{code: lift.Unavailable, err: errors.New("the endpoint hung up at once")}
		fallthrough
	default:
		m.refuse(now, f)
	}
	m.unlock()
}

// spare lets go of an idle connection that nobody needs: another one is there, and
// can be trusted. Else each doubt would leave one more. m.mu is held.
func (m *Mux) spare(c *muxConn, now lift.Instant) {
	if c.calls > 0 {
		return
	}
	if m.closed {
		c.leaving = true
		return
	}
	for _, o := range m.conns {
		if o != c && !o.leaving && !o.probing && !o.doubtful(now) && o.client.CanTakeNewRequest() {
			c.leaving = true
		}
	}
}
