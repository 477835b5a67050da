package transport

import (
	"context"
	"crypto/tls"
	"fmt"
	"log/slog"
	"net"
	"sync/atomic"
	"time"

	"github.com/liftmesh/lift"
)

// securer puts TLS on the connections to one endpoint.
type securer struct {
	tls   *TLS
	addr  string
	host  string
	offer []string // ALPN, the most wanted first
	now   func() lift.Instant
	log   *slog.Logger
}

func newSecurer(addr string, o Options) *securer {
	s := &securer{tls: o.Config.TLS, addr: addr, host: o.Config.Host, offer: o.Config.Protocol.offer(), now: o.Now, log: o.Log}
	if s.now == nil {
		s.now = lift.Now
	}
	if s.log == nil {
		s.log = slog.New(slog.DiscardHandler)
	}
	return s
}

// secured is a connection under TLS. What lies on its socket is not yet what its
// reader gets: session tickets and alerts are TLS's own.
type secured struct {
	*tls.Conn
	wire *wire
	// demanded: the endpoint asked who we are, and we had nothing to show.
	demanded *atomic.Bool
	shown    bool // we have something to show
}

// abort closes the connection without the word that it ends, for which there may
// be no room where a peer does not read.
func (s *secured) abort() error { return s.wire.Close() }

// wire is the socket under TLS, and where its reader is.
type wire struct {
	net.Conn
	gate gate
}

// Read implements net.Conn for crypto/tls.
func (w *wire) Read(p []byte) (int, error) {
	w.gate.enter()
	defer w.gate.leave()
	return w.Conn.Read(p)
}

// secure shakes hands over nc, which it closes if that fails.
func (s *securer) secure(ctx context.Context, nc net.Conn) (*secured, error) {
	m, err := s.tls.current(s.log)
	if err != nil {
		_ = nc.Close()
		return nil, &coded{lift.Misconfigured, fmt.Errorf("TLS: %w", err)}
	}
	s.tls.warn(s.log)
	out := &secured{wire: &wire{Conn: nc}, demanded: new(atomic.Bool), shown: m.pair != nil}
	cfg := s.tls.config(m, s.addr, s.host)
	cfg.NextProtos = s.offer
	cfg.Time = func() time.Time { return s.now().Wall }
	cfg.GetClientCertificate = func(*tls.CertificateRequestInfo) (*tls.Certificate, error) {
		if m.pair == nil {
			out.demanded.Store(true)
			return &tls.Certificate{}, nil
		}
		return m.pair, nil
	}
	out.Conn = tls.Client(out.wire, cfg)
	if err := out.HandshakeContext(ctx); err != nil {
		_ = nc.Close()
		return nil, s.words(err, cfg.ServerName, out.demanded.Load(), out.shown)
	}
	return out, nil
}
