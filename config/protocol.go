package config

import "github.com/liftmesh/lift/transport"

// protocol reports a protocol that does not fit the service's TLS.
func (r *reader) protocol(s *service) {
	d, ok := s.values["protocol"]
	if !ok || d.bad || s.values["tls"].bad {
		return
	}
	at, secure := "services."+s.name+".protocol", s.values["tls"].text == "true"
	switch transport.Protocol(d.text) {
	case transport.H2:
		if !secure {
			r.tell(d.origin, at, "h2 is HTTP/2 over TLS, and this service has no TLS", "add tls: true, or set protocol: h2c for HTTP/2 without it")
		}
	case transport.Auto:
		if !secure {
			r.tell(d.origin, at, "auto is agreed upon in the TLS handshake, and this service has no TLS", "add tls: true, or set protocol: http or h2c")
		}
	case transport.H2C:
		if secure {
			r.tell(d.origin, at, "h2c is HTTP/2 without TLS, and this service has TLS", "set protocol: h2, or tls: false")
		}
	}
}
