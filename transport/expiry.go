package transport

import (
	"crypto/x509"
	"log/slog"
	"slices"
	"time"
)

// Certificate is one file of certificates that a [TLS] uses, and when it expires.
type Certificate struct {
	File string
	// CA: the authorities that endpoints are checked against. Otherwise our own
	// certificate, with the chain behind it.
	CA bool
	// Subject names the certificate that NotAfter is of.
	Subject string
	// NotAfter is when the file is of no use any more: the earliest expiry in our own
	// chain, of which every link is needed, and the latest among authorities, of
	// which one is enough.
	NotAfter time.Time
}

// Certificates returns the files in use, authorities first. They are read if that
// has not happened yet; files that cannot be read are left out.
func (t *TLS) Certificates() []Certificate {
	t.mu.Lock()
	held := t.held
	t.mu.Unlock()
	if held == nil {
		var err error
		if held, err = t.current(slog.New(slog.DiscardHandler)); err != nil {
			return nil
		}
	}
	return slices.Clone(held.expiry)
}

func byExpiry(a, b *x509.Certificate) int { return a.NotAfter.Compare(b.NotAfter) }

// lastOf returns a file of authorities, by the one that expires last.
func lastOf(file string, all []*x509.Certificate) Certificate {
	c := slices.MaxFunc(all, byExpiry)
	return Certificate{File: file, CA: true, Subject: subject(c), NotAfter: c.NotAfter}
}

// firstOf returns a file of our own chain, by the link that expires first.
func firstOf(file string, all []*x509.Certificate) Certificate {
	c := slices.MinFunc(all, byExpiry)
	return Certificate{File: file, Subject: subject(c), NotAfter: c.NotAfter}
}

// subject is a certificate's name as people know it.
func subject(c *x509.Certificate) string {
	switch {
	case c.Subject.CommonName != "":
		return c.Subject.CommonName
	case len(c.DNSNames) > 0:
		return c.DNSNames[0]
	case len(c.URIs) > 0: // SPIFFE
		return c.URIs[0].String()
	}
	return c.Subject.String()
}
