package plain

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"strings"
	"sync"
	"time"

	"github.com/liftmesh/lift"
)

// closingFor is how long an upgraded connection of which one side has ended stays
// without a byte from the other. As long as neither has, there is no limit.
const closingFor = 10 * time.Second

var errHalfEnded = errors.New("one side of the upgraded connection ended, and the other said nothing more")

// upgrade is the protocol that a request wants its connection to go on with, ""
// if none. HTTP/2 is only offered (Java's client does so with every request), and
// the offer is not taken up; what Connection does not name does not count (RFC
// 9110, section 7.8).
func upgrade(r *http.Request) string {
	if !r.ProtoAtLeast(1, 1) || !named(r.Header["Connection"], "Upgrade") {
		return ""
	}
	var wanted []string
	for _, list := range r.Header["Upgrade"] {
		for one := range strings.SplitSeq(list, ",") {
			if one = strings.TrimSpace(one); one != "" && !strings.EqualFold(one, "h2c") {
				wanted = append(wanted, one)
			}
		}
	}
	return strings.Join(wanted, ", ")
}

// tunnel is what a peer sends once its connection is upgraded: the live body of
// its call. Before that a Read waits. Close may come from any goroutine.
type tunnel struct {
	switched chan struct{} // closed once conn and r are there
	conn     net.Conn
	r        io.Reader
	halves   *halves

	once   sync.Once
	closed chan struct{}
	ended  chan struct{} // closed at the peer's clean end
}

func newTunnel() *tunnel {
	return &tunnel{switched: make(chan struct{}), closed: make(chan struct{}), ended: make(chan struct{})}
}

// Read implements io.Reader.
func (t *tunnel) Read(p []byte) (int, error) {
	select {
	case <-t.switched:
	case <-t.closed:
		return 0, lift.ErrBodyClosed
	}
	select {
	case <-t.closed: // before there was a connection to wake
		return 0, lift.ErrBodyClosed
	default:
	}
	n, err := t.r.Read(p)
	switch {
	case err == nil:
		t.halves.moved()
		return n, nil
	case errors.Is(err, io.EOF):
		t.halves.begin()
		close(t.ended)
		return n, io.EOF
	}
	select {
	case <-t.closed:
		return n, lift.ErrBodyClosed
	default:
		return n, err
	}
}

// Close implements io.Closer.
func (t *tunnel) Close() error {
	t.once.Do(func() { close(t.closed) })
	select {
	case <-t.switched:
		return t.conn.SetReadDeadline(time.Unix(1, 0))
	default:
		return nil
	}
}

// halves cuts what is left of a connection, one side of which has ended, once
// nothing has come from the other for closingFor.
type halves struct {
	cut   func()
	mu    sync.Mutex
	timer *time.Timer
}

func (h *halves) begin() {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.timer == nil {
		h.timer = time.AfterFunc(closingFor, h.cut)
	}
}

func (h *halves) moved() {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.timer != nil {
		h.timer.Reset(closingFor)
	}
}

func (h *halves) end() {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.timer != nil {
		h.timer.Stop()
	}
}

// change sends the 101 and carries bytes both ways until both sides have ended, or
// one broke off, or the door is closed. gone ends with the door.
func (x *exchange) change(gone context.Context, resp *lift.Response, t *tunnel) {
	from, err := resp.Body.Reader()
	if err != nil {
		x.failed(err)
		return
	}
	conn, buf, err := x.conn.Hijack()
	if err != nil {
		x.failed(lift.Errorf(&x.call, lift.Internal, "the connection cannot be taken over: %w", err))
		return
	}
	defer conn.Close()
	cut := func() { _ = conn.Close() }
	stop := context.AfterFunc(gone, cut)
	defer stop()
	// What net/http has read already comes first; read on through its reader, the
	// peer's end would be taken for its going away.
	early, _ := buf.Reader.Peek(buf.Reader.Buffered()) // no more than there is
	t.conn, t.r = conn, io.MultiReader(bytes.NewReader(early), conn)
	t.halves = &halves{cut: func() {
		x.call.Cancel(errHalfEnded)
		cut()
	}}
	defer t.halves.end()
	if err := x.sayChanged(conn, resp); err != nil {
		x.call.Cancel(ErrCallerVanished)
		return
	}
	close(t.switched)
	if !x.carry(conn, from, t.halves) {
		x.call.Cancel(ErrCallerVanished)
		return
	}
	// The instance has ended, and the peer hears it before it is hung up on: bytes
	// of its own that are on their way would have it lose what it has not read.
	t.halves.begin()
	if half, ok := conn.(interface{ CloseWrite() error }); ok {
		_ = half.CloseWrite()
	}
	select {
	case <-t.ended:
	case <-t.closed:
	case <-x.call.Done():
	}
}

// sayChanged writes the head of the 101.
func (x *exchange) sayChanged(conn net.Conn, resp *lift.Response) error {
	h := http.Header{}
	giveBack(h, resp.Header)
	h.Set("Connection", "Upgrade")
	h.Set("Upgrade", lift.Get(resp.Header, "Upgrade"))
	if h.Get("Upgrade") == "" {
		h.Set("Upgrade", x.call.Upgrade)
	}
	var head strings.Builder
	head.WriteString("HTTP/1.1 101 Switching Protocols\r\n")
	_ = h.Write(&head)
	head.WriteString("\r\n")
	_, err := io.WriteString(conn, head.String())
	return err
}

// carry sends to a peer what its instance says, as it comes, and reports whether
// that came to a clean end.
func (x *exchange) carry(to io.Writer, from io.Reader, h *halves) bool {
	buf := x.s.buffers.get()
	defer x.s.buffers.put(buf)
	for {
		n, err := from.Read(*buf)
		if n > 0 {
			h.moved()
			if _, werr := to.Write((*buf)[:n]); werr != nil {
				return false
			}
		}
		if err != nil {
			return errors.Is(err, io.EOF)
		}
	}
}
