// Package certtest issues certificates for tests, and writes them into files. They
// hold from 1990 to 2090, so that a synctest bubble's year 2000 is among it.
package certtest

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// Begin and End are when certificates hold.
var (
	Begin = time.Date(1990, 1, 1, 0, 0, 0, 0, time.UTC)
	End   = time.Date(2090, 1, 1, 0, 0, 0, 0, time.UTC)
)

// Authority issues certificates into a folder of the test's. File holds its own.
type Authority struct {
	File string

	t    testing.TB
	dir  string
	cert *x509.Certificate
	key  *ecdsa.PrivateKey
}

// Issued is a certificate and its key, and the files that hold them.
type Issued struct {
	tls.Certificate
	CertFile, KeyFile string
}

// New makes an authority of that name.
func New(t testing.TB, name string) *Authority {
	t.Helper()
	a := &Authority{t: t, dir: t.TempDir()}
	a.key = a.newKey()
	a.cert = a.sign(&x509.Certificate{
		Subject: pkix.Name{CommonName: name}, IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign,
		NotBefore: Begin, NotAfter: End,
	}, nil, &a.key.PublicKey)
	a.File = a.write(name+".pem", "CERTIFICATE", a.cert.Raw)
	return a
}

// Issue makes a certificate for names and IP addresses, for servers and clients.
// change, if not nil, has the last word on it.
func (a *Authority) Issue(change func(*x509.Certificate), names ...string) Issued {
	a.t.Helper()
	template := &x509.Certificate{
		Subject: pkix.Name{CommonName: strings.Join(names, " ")}, NotBefore: Begin, NotAfter: End, KeyUsage: x509.KeyUsageDigitalSignature,
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth},
	}
	for _, name := range names {
		if ip := net.ParseIP(name); ip != nil {
			template.IPAddresses = append(template.IPAddresses, ip)
		} else {
			template.DNSNames = append(template.DNSNames, name)
		}
	}
	if change != nil {
		change(template)
	}
	key := a.newKey()
	c := a.sign(template, a.cert, &key.PublicKey)
	secret, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		a.t.Fatal(err)
	}
	file := strings.NewReplacer(":", "_", " ", "+").Replace(template.Subject.CommonName)
	return Issued{
		Certificate: tls.Certificate{Certificate: [][]byte{c.Raw}, PrivateKey: key},
		CertFile:    a.write(file+".crt", "CERTIFICATE", c.Raw), KeyFile: a.write(file+".key", "PRIVATE KEY", secret),
	}
}

// Pool holds the authority alone.
func (a *Authority) Pool() *x509.CertPool {
	p := x509.NewCertPool()
	p.AddCert(a.cert)
	return p
}

// Server is the TLS of a server of that name that speaks HTTP/1.1. change, if not
// nil, has the last word on it.
func (a *Authority) Server(name string, change func(*tls.Config)) *tls.Config {
	a.t.Helper()
	c := &tls.Config{Certificates: []tls.Certificate{a.Issue(nil, name).Certificate}, MinVersion: tls.VersionTLS12, NextProtos: []string{"http/1.1"}}
	if change != nil {
		change(c)
	}
	return c
}

func (a *Authority) newKey() *ecdsa.PrivateKey {
	a.t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		a.t.Fatal(err)
	}
	return key
}

func (a *Authority) sign(leaf, parent *x509.Certificate, public *ecdsa.PublicKey) *x509.Certificate {
	a.t.Helper()
	if parent == nil {
		parent = leaf
	}
	serial, err := rand.Int(rand.Reader, big.NewInt(1<<62))
	if err != nil {
		a.t.Fatal(err)
	}
	leaf.SerialNumber = serial
	der, err := x509.CreateCertificate(rand.Reader, leaf, parent, public, a.key)
	if err != nil {
		a.t.Fatal(err)
	}
	c, err := x509.ParseCertificate(der)
	if err != nil {
		a.t.Fatal(err)
	}
	return c
}

func (a *Authority) write(name, kind string, der []byte) string {
	a.t.Helper()
	path := filepath.Join(a.dir, name)
	if err := os.WriteFile(path, pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der}), 0o600); err != nil {
		a.t.Fatal(err)
	}
	return path
}
