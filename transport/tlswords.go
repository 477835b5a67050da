package transport

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net"
	"slices"
	"syscall"
)

// words says why a handshake failed, and what would put it right. name is what
// the certificate had to be for.
func (s *securer) words(err error, name string, demanded, shown bool) error {
	var (
		header    tls.RecordHeaderError
		authority x509.UnknownAuthorityError
		hostname  x509.HostnameError
		invalid   x509.CertificateInvalidError
		roots     x509.SystemRootsError
		why       *net.OpError
	)
	switch {
	case errors.As(err, &header):
		return plainPort(header)
	case errors.As(err, &hostname):
		return fmt.Errorf("TLS: the endpoint's certificate is not for %s (%w); is it the right endpoint? Else name in tls.server_name what the certificate is for", name, err)
	case errors.As(err, &authority):
		return fmt.Errorf("TLS: nobody who is trusted vouches for the endpoint's certificate (%w); name the file of its authority in tls.ca", err)
	case errors.As(err, &invalid) && invalid.Reason == x509.Expired:
		return fmt.Errorf("TLS: the endpoint's certificate, or one that vouches for it, has expired or is not valid yet (%w); renew it, and look at both clocks", err)
	case errors.As(err, &invalid):
		return fmt.Errorf("TLS: the endpoint's certificate is not valid for a server (%w); issue another", err)
	case errors.As(err, &roots):
		return fmt.Errorf("TLS: this system has no list of authorities (%w); name one in tls.ca", err)
	case errors.Is(err, context.DeadlineExceeded), errors.As(err, &why) && why.Timeout():
		return fmt.Errorf("no TLS handshake in time: does that port speak TLS? Else raise connections.connect_timeout (%w)", err)
	}
	if alert := alertOf(err); alert != "" {
		return s.refusal(alert, err, demanded, shown)
	}
	switch {
	case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF), errors.Is(err, syscall.ECONNRESET), errors.Is(err, syscall.EPIPE):
		return fmt.Errorf("the endpoint hung up within the TLS handshake: does that port speak TLS? If not, remove tls (%w)", err)
	default:
		return fmt.Errorf("TLS: the handshake failed: %w", err)
	}
}

// plainPort is for what answers a handshake with something else.
func plainPort(header tls.RecordHeaderError) error {
	if string(header.RecordHeader[:]) == "HTTP/" {
		return errors.New("the endpoint speaks plain HTTP where TLS was expected: is that the right port? If it is, remove tls")
	}
	return fmt.Errorf("the endpoint does not speak TLS, its first bytes are %q: is that the right port? If it is, remove tls", header.RecordHeader[:])
}

// The alerts that say something (RFC 8446, section 6.2).
const (
	handshakeFailure     = tls.AlertError(40)
	badCertificate       = tls.AlertError(42)
	unsupported          = tls.AlertError(43)
	revoked              = tls.AlertError(44)
	expired              = tls.AlertError(45)
	unknownCertificate   = tls.AlertError(46)
	unknownAuthority     = tls.AlertError(48)
	accessDenied         = tls.AlertError(49)
	protocolVersion      = tls.AlertError(70)
	insufficientSecurity = tls.AlertError(71)
	unrecognizedName     = tls.AlertError(112)
	certificateRequired  = tls.AlertError(116)
	noProtocol           = tls.AlertError(120)
)

// aboutUs are the alerts by which a peer refuses whom it speaks to. With TLS 1.3
// they come after the handshake is over for us, in the place of an answer.
func aboutUs() []tls.AlertError {
	return []tls.AlertError{badCertificate, unsupported, revoked, expired, unknownCertificate, unknownAuthority, accessDenied, certificateRequired}
}

// alertOf is the text of the alert that the peer sent, "" if err is none.
func alertOf(err error) string {
	var op *net.OpError
	if errors.As(err, &op) && op.Op == "remote error" {
		return op.Err.Error()
	}
	return ""
}

// refused reports whether the peer's alert says that it does not take us for
// whom it wants to speak to: then it has read nothing of a request.
func refused(err error) bool {
	alert := alertOf(err)
	return alert != "" && slices.ContainsFunc(aboutUs(), func(a tls.AlertError) bool { return a.Error() == alert })
}

// refusal says what an endpoint's alert is about.
func (s *securer) refusal(alert string, err error, demanded, shown bool) error {
	is := func(list ...tls.AlertError) bool {
		return slices.ContainsFunc(list, func(a tls.AlertError) bool { return a.Error() == alert })
	}
	switch {
	case demanded && (is(aboutUs()...) || is(handshakeFailure)):
		return fmt.Errorf("TLS: the endpoint demands a client certificate; name one in tls.cert and tls.key (%w)", err)
	case shown && is(aboutUs()...):
		return fmt.Errorf("TLS: the endpoint does not accept our certificate (%w); has it expired, and did an authority that the endpoint trusts issue it? See tls.cert", err)
	case is(protocolVersion, insufficientSecurity):
		return fmt.Errorf("TLS: the endpoint speaks no version that is allowed here (%w); update it, or look at tls.min_version", err)
	case is(noProtocol):
		return fmt.Errorf("TLS: the endpoint speaks none of %q (%w); set protocol to what it speaks", s.offer, err)
	case is(unrecognizedName):
		return fmt.Errorf("TLS: the endpoint does not know the name that was asked for (%w); set tls.server_name", err)
	case is(handshakeFailure):
		return fmt.Errorf("TLS: the endpoint refused the handshake (%w): no cipher or version in common, or it demands a client certificate (tls.cert)", err)
	default:
		return fmt.Errorf("TLS: the endpoint refused the handshake: %w", err)
	}
}
