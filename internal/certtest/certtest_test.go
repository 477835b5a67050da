package certtest_test

import (
	"crypto/tls"
	"crypto/x509"
	"testing"

	"github.com/liftmesh/lift/internal/certtest"
)

func TestIssued(t *testing.T) {
	a := certtest.New(t, "ca")
	i := a.Issue(nil, "orders.test", "127.0.0.1")
	pair, err := tls.LoadX509KeyPair(i.CertFile, i.KeyFile)
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"orders.test", "127.0.0.1"} {
		if _, err := pair.Leaf.Verify(x509.VerifyOptions{DNSName: name, Roots: a.Pool()}); err != nil {
			t.Error(err)
		}
	}
}
