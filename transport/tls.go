package transport

import (
	"crypto/tls"
	"crypto/x509"
	"log/slog"
	"net"
	"slices"
	"sync"
)

// TLS says how the endpoints of one service prove who they are, and how we do. A
// zero field means its default. Its files are read by [TLS.Load], or when the
// first connection needs them, and again whenever they have changed. Not to be
// copied or changed once in use; safe for concurrent use.
type TLS struct {
	// CA are files of PEM certificates, one of which has to vouch for the endpoints.
	// Default the system's.
	CA []string
	// Cert and Key are PEM files of our own certificate, with those that vouch for it
	// behind it, and its private key. Default none: we prove nothing.
	Cert, Key string
	// ServerName is what an endpoint's certificate has to be for, and what is asked for
	// (SNI). Default [Config.Host] without its port, else the host of the endpoint's
	// address.
	ServerName string
	// MinVersion is the lowest version spoken. Default [tls.VersionTLS12]: below it
	// nothing is safe any longer (RFC 8996).
	MinVersion uint16
	// InsecureSkipVerify takes any certificate of anybody for the endpoint's. Whoever
	// is on the way can then read and answer; it is logged once.
	InsecureSkipVerify bool

	mu       sync.Mutex
	held     *material
	broken   stamps // the files that could not be taken over, told of once
	insecure bool   // has been logged
}

// Load reads the files. A second time it does nothing unless they have changed.
// Its error is a [*FileError] and names the file and what is wrong with it.
func (t *TLS) Load() error {
	_, err := t.current(slog.New(slog.DiscardHandler))
	return err
}

// Prepare does ahead what the first handshake would have to wait for: it reads the
// files and, without CA, the system's authorities, which takes 5 to 12 ms on a whole
// core and more on a small function's share of one. Its error is that of Load.
func (t *TLS) Prepare() error {
	if len(t.CA) == 0 && !t.InsecureSkipVerify {
		_, _ = x509.SystemCertPool() // what is wrong with it the handshake says
	}
	return t.Load()
}

// current is what the files hold now. Where they have changed for the worse it
// is what they held before, which is logged once.
func (t *TLS) current(log *slog.Logger) (*material, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	seen := stampsOf(append(slices.Clip(t.CA), t.Cert, t.Key))
	if t.held != nil && (seen.equal(t.held.stamps) || seen.equal(t.broken)) {
		return t.held, nil
	}
	m, err := load(t.CA, t.Cert, t.Key)
	switch {
	case err == nil:
		m.stamps = seen
		if t.held != nil {
			log.Info("TLS files have changed and are in use", "cert", t.Cert, "ca", t.CA)
		}
		t.held, t.broken = m, nil
		return m, nil
	case t.held != nil:
		log.Error("TLS files have changed and cannot be used; the old ones stay", "error", err)
		t.broken = seen
		return t.held, nil
	default:
		return nil, err
	}
}

// warn tells once of what is not safe.
func (t *TLS) warn(log *slog.Logger) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.InsecureSkipVerify && !t.insecure {
		t.insecure = true
		log.Warn("certificates are not verified: anybody on the way can read and answer; remove tls.verify: false")
	}
}

// config is how to speak to the endpoint at addr.
func (t *TLS) config(m *material, addr, host string) *tls.Config {
	c := &tls.Config{
		MinVersion: t.MinVersion, RootCAs: m.roots, ServerName: t.name(addr, host),
		InsecureSkipVerify: t.InsecureSkipVerify, //nolint:gosec // spelled out by whoever configured it, and logged
		ClientSessionCache: sessions{m.sessions, addr},
	}
	if c.MinVersion == 0 {
		c.MinVersion = tls.VersionTLS12
	}
	return c
}

// name is what the endpoint's certificate has to be for.
func (t *TLS) name(addr, host string) string {
	if t.ServerName != "" {
		return t.ServerName
	}
	if host == "" {
		host = addr
	}
	if name, _, err := net.SplitHostPort(host); err == nil {
		return name
	}
	if isBracketed(host) {
		return host[1 : len(host)-1]
	}
	return host
}

// sessions keeps one session for each endpoint in a cache of the service's: what
// one instance has given out, another may not know.
type sessions struct {
	tls.ClientSessionCache
	addr string
}

func (s sessions) Get(key string) (*tls.ClientSessionState, bool) {
	return s.ClientSessionCache.Get(s.addr + " " + key)
}

func (s sessions) Put(key string, cs *tls.ClientSessionState) {
	s.ClientSessionCache.Put(s.addr+" "+key, cs)
}
