package plain

import (
	"context"
	"errors"
	"net/http"
	"slices"
	"strings"

	"github.com/liftmesh/lift"
)

// tlsHandshake is the first byte of a TLS connection.
const tlsHandshake = 0x16

// absolute makes a request that names a whole URL, as clients send it to a proxy,
// one for a path of the service that is the URL's host. The Host field does not
// count beside it (RFC 9112, section 3.2.2).
func absolute(r *http.Request) *fault {
	rest, ok := strings.CutPrefix(r.RequestURI, "http://")
	switch {
	case r.URL.Scheme == "https":
		return refuse("", http.StatusBadRequest, "the request names an https URL; call http://SERVICE/path, Lift speaks TLS to the instances itself")
	case !ok || r.URL.Host == "":
		return refuse("", http.StatusBadRequest, "the URL %q is none of a service; call http://SERVICE/path", clip(r.RequestURI))
	case r.URL.User != nil:
		return refuse("", http.StatusBadRequest, "the URL has a user in it, and services are called without one")
	}
	path := ""
	if at := strings.IndexAny(rest, "/?"); at >= 0 {
		path = rest[at:]
	}
	if !strings.HasPrefix(path, "/") {
		path = "/" + path
	}
	r.RequestURI, r.Host = path, r.URL.Host
	r.URL.Scheme, r.URL.Host = "", ""
	return nil
}

// tunnel answers CONNECT: the connection becomes one that calls this service
// alone, as an address of its own would, and what is said on it goes through the
// same stack as everything else. It leads nowhere but to a configured service.
func (s *Server) tunnel(x *exchange, r *http.Request, own string) {
	x.last = true
	name := lift.ServiceName(hostname(r.Host))
	switch {
	case own != "" && name != lift.ServiceName(own):
		x.refuse(refuse(own, 0, "CONNECT asks for %q, and this address is that of %q alone", clip(name), own))
		return
	case !slices.Contains(s.services(), name):
		x.refuse(&fault{err: &lift.Error{Code: lift.UnknownService, Service: name, Err: errors.New("no service of that name is configured, and nothing else can be reached")}})
		return
	case r.ContentLength != 0:
		x.refuse(refuse(name, 0, "CONNECT with a body is not carried"))
		return
	}
	old := connOf(r.Context())
	nc, buf, err := x.conn.Hijack()
	if err != nil || old == nil {
		panic(http.ErrAbortHandler)
	}
	stop := context.AfterFunc(s.all, func() { _ = nc.Close() })
	if _, err = nc.Write([]byte("HTTP/1.1 200 Connection established\r\n\r\n")); err == nil {
		_, err = buf.Peek(1)
	}
	if !stop() || err != nil {
		_ = nc.Close() // it went away, or the door did
		return
	}
	ahead, _ := buf.Peek(buf.Reader.Buffered())
	if ahead[0] == tlsHandshake {
		s.cfg.Log.Warn("TLS in a tunnel to a service; Lift speaks TLS to the instances itself", "call", "http://"+name)
		_ = nc.Close()
		return
	}
	s.tunnels.give(&conn{Conn: old.Conn, service: name, refused: old.refused, ahead: slices.Clone(ahead)})
}
