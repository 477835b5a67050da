package transport_test

import (
	"crypto/x509"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/liftmesh/lift/internal/certtest"
	"github.com/liftmesh/lift/transport"
)

// A file of authorities is good as long as one in it is, our own chain only as long
// as each link is.
func TestCertificates(t *testing.T) {
	ca, other := certtest.New(t, "authority"), certtest.New(t, "other")
	at := time.Date(2031, 5, 6, 7, 8, 9, 0, time.UTC)
	long := ca.Issue(func(c *x509.Certificate) { c.NotAfter = at.AddDate(1, 0, 0) }, "a-service.internal")
	short := ca.Issue(func(c *x509.Certificate) { c.NotAfter = at }, "intermediate")
	dir := t.TempDir()
	join := func(name string, files ...string) string {
		t.Helper()
		var text []byte
		for _, f := range files {
			part, err := os.ReadFile(f)
			if err != nil {
				t.Fatal(err)
			}
			text = append(text, part...)
		}
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, text, 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	chain := join("chain.pem", long.CertFile, short.CertFile)
	both := join("authorities.pem", short.CertFile, long.CertFile)
	secure := &transport.TLS{CA: []string{both, other.File}, Cert: chain, Key: long.KeyFile}
	got := secure.Certificates()
	if len(got) != 3 {
		t.Fatalf("%+v", got)
	}
	if c := got[0]; c.File != both || !c.CA || !c.NotAfter.Equal(at.AddDate(1, 0, 0)) {
		t.Errorf("authorities: %+v", c)
	}
	if c := got[1]; c.File != other.File || !c.CA || c.Subject == "" {
		t.Errorf("authorities: %+v", c)
	}
	if c := got[2]; c.File != chain || c.CA || !c.NotAfter.Equal(at) {
		t.Errorf("our own: %+v", c)
	}
	if got := (&transport.TLS{CA: []string{filepath.Join(dir, "none.pem")}}).Certificates(); len(got) != 0 {
		t.Errorf("of a file that is not there: %+v", got)
	}
	if got := new(transport.TLS).Certificates(); len(got) != 0 {
		t.Errorf("of the system's authorities: %+v", got)
	}
}
