package consul

import (
	"cmp"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"os"
)

// TLS sets which certificates Lift trusts at an https address, and which one it shows
// there. Its files are read for each connection.
type TLS struct {
	// CA is a file of PEM certificates of the authorities to trust. Default: the
	// system's.
	CA string
	// Cert and Key are files of the client certificate, for a Consul that asks for one.
	Cert, Key string
	// ServerName is the name that Consul's certificate must be valid for. Default: the
	// address's host.
	ServerName string
}

func (t TLS) load(host string) (*tls.Config, error) {
	c := &tls.Config{ServerName: cmp.Or(t.ServerName, host), MinVersion: tls.VersionTLS12, NextProtos: []string{"http/1.1"}}
	if t.CA != "" {
		text, err := os.ReadFile(t.CA)
		if err != nil {
			return nil, fmt.Errorf("the certificates to trust: %w", err)
		}
		c.RootCAs = x509.NewCertPool()
		if !c.RootCAs.AppendCertsFromPEM(text) {
			return nil, fmt.Errorf("the certificates to trust: %s contains no PEM certificate", t.CA)
		}
	}
	if t.Cert != "" || t.Key != "" {
		pair, err := tls.LoadX509KeyPair(t.Cert, t.Key)
		if err != nil {
			return nil, fmt.Errorf("the certificate to show: %w", err)
		}
		c.Certificates = []tls.Certificate{pair}
	}
	return c, nil
}

// Check returns what is wrong with the files as they are now, or nil.
func (t TLS) Check() error {
	_, err := t.load("")
	return err
}
