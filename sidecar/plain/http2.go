package plain

import (
	"context"
	"encoding/binary"
	"errors"
	"log/slog"
	"net"
	"net/http"
	"sync"
)

const (
	// maxStreams is how many requests one HTTP/2 connection may have open at a
	// time; who has more opens another, or waits.
	maxStreams = 250
	// streamWindow is how many bytes of a request's body nobody has read yet. A
	// connection has room for that of all its streams, so that a body that is not
	// read stalls no other.
	streamWindow = 64 << 10
	// connWindow is the whole connection's.
	connWindow = maxStreams * streamWindow
)

// prefaceHead is what of HTTP/2's connection preface (RFC 9113, section 3.4) reads
// like a request of HTTP/1.1, and prefaceTail what follows.
const (
	prefaceHead = "PRI * HTTP/2.0\r\n\r\n"
	prefaceTail = "SM\r\n\r\n"
)

// frameHead is the length of a frame's head, and maxFirst the longest first frame
// that is waited for: a SETTINGS frame is far shorter.
const (
	frameHead = 9
	maxFirst  = 1 << 10
)

// newHTTP2 is the server of connections that speak HTTP/2. It is one of its own,
// so that a drain can say GOAWAY at its start and leave those that speak HTTP/1.1
// for later.
func (s *Server) newHTTP2(all context.Context) *http.Server {
	two := &http.Server{
		Handler:                      s,
		MaxHeaderBytes:               2 * s.cfg.Limits.MaxHeader, // past this the connection ends; what is over our limit is told so
		DisableGeneralOptionsHandler: true,                       // as of HTTP/1.1
		BaseContext:                  func(net.Listener) context.Context { return all },
		ConnContext:                  withConn,
		ErrorLog:                     slog.NewLogLogger(s.cfg.Log.Handler(), slog.LevelDebug),
		Protocols:                    new(http.Protocols),
		HTTP2: &http.HTTP2Config{
			MaxConcurrentStreams:          maxStreams,
			MaxReceiveBufferPerStream:     streamWindow,
			MaxReceiveBufferPerConnection: connWindow,
		},
	}
	two.Protocols.SetUnencryptedHTTP2(true)
	return two
}

// isPreface reports whether a request is the beginning of HTTP/2.
func isPreface(r *http.Request) bool {
	return r.ProtoMajor == 2 && r.Method == "PRI" && r.RequestURI == "*" && len(r.Header) == 0 && r.Host == ""
}

// handOver gives a connection that turned out to speak HTTP/2 to its server. It is
// kept until its first frame is here: net/http gives that two seconds, and peers
// may be frozen within them.
func (s *Server) handOver(w http.ResponseWriter, r *http.Request) {
	old := connOf(r.Context())
	all := s.all
	nc, buf, err := http.NewResponseController(w).Hijack()
	if err != nil || old == nil {
		panic(http.ErrAbortHandler)
	}
	stop := context.AfterFunc(all, func() { _ = nc.Close() })
	n := len(prefaceTail) + frameHead
	head, err := buf.Peek(n)
	if err == nil && string(head[:len(prefaceTail)]) == prefaceTail {
		length := int(binary.BigEndian.Uint32(head[len(prefaceTail)-1:]) & 0xffffff)
		_, err = buf.Peek(n + min(length, maxFirst))
	}
	if !stop() || err != nil {
		_ = nc.Close() // it went away, or the door did
		return
	}
	ahead, _ := buf.Peek(buf.Reader.Buffered())
	c := &conn{Conn: old.Conn, service: old.service, refused: old.refused, streams: true, ahead: append([]byte(prefaceHead), ahead...)}
	c.sized.Store(true) // for HTTP/1.1 alone
	s.toHTTP2.give(c)
}

// handover is a listener whose connections come from elsewhere in the process.
type handover struct {
	conns  chan net.Conn
	once   sync.Once
	closed chan struct{}
}

func newHandover() *handover {
	return &handover{conns: make(chan net.Conn), closed: make(chan struct{})}
}

// give hands c to whoever accepts, and closes it if nobody does any more.
func (h *handover) give(c net.Conn) {
	select {
	case h.conns <- c:
	case <-h.closed:
		_ = c.Close()
	}
}

// Accept implements net.Listener.
func (h *handover) Accept() (net.Conn, error) {
	select {
	case c := <-h.conns:
		return c, nil
	case <-h.closed:
		return nil, net.ErrClosed
	}
}

// Close implements net.Listener.
func (h *handover) Close() error {
	h.once.Do(func() { close(h.closed) })
	return nil
}

// Addr implements net.Listener.
func (h *handover) Addr() net.Addr { return &net.UnixAddr{Net: "unix", Name: "@inside"} }

// serveHTTP2 answers connections that are handed over, in the background.
func (s *Server) serveHTTP2() {
	s.listeners.Go(func() {
		if err := s.http2.Serve(s.toHTTP2); !errors.Is(err, http.ErrServerClosed) {
			s.cfg.Log.Error("the plain door no longer takes HTTP/2; this is a bug in Lift", "err", err)
		}
	})
}

// serveTunnels answers connections that CONNECT has handed over, in the background.
func (s *Server) serveTunnels() {
	s.listeners.Go(func() {
		if err := s.http.Serve(s.tunnels); !errors.Is(err, http.ErrServerClosed) {
			s.cfg.Log.Error("the plain door no longer takes tunnels; this is a bug in Lift", "err", err)
		}
	})
}
