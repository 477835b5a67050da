package mesh_test

import (
	"crypto/x509"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/liftmesh/lift"
	"github.com/liftmesh/lift/internal/certtest"
	"github.com/liftmesh/lift/mesh"
	"github.com/liftmesh/lift/registry/registrytest"
	"github.com/liftmesh/lift/transport"
)

// A file that several services use is told of once; the one that expires first
// comes first.
func TestCertificates(t *testing.T) {
	ca := certtest.New(t, "authority")
	own := ca.Issue(func(c *x509.Certificate) { c.NotAfter = time.Now().Add(time.Hour) }, "me")
	service := func(name string, tls *transport.TLS) mesh.ServiceConfig {
		return mesh.ServiceConfig{Name: name, Registry: registrytest.NewFake(lift.Endpoint{Addr: "a:1"}), Transport: transport.Config{TLS: tls}}
	}
	m := mesh.New(mesh.Options{Services: []mesh.ServiceConfig{
		service("orders", &transport.TLS{CA: []string{ca.File}, Cert: own.CertFile, Key: own.KeyFile}),
		service("billing", &transport.TLS{CA: []string{ca.File}}),
		service("plain", nil),
	}})
	defer m.Close()
	got := m.Certificates()
	if len(got) != 2 {
		t.Fatalf("%+v", got)
	}
	if c := got[0]; c.File != own.CertFile || c.CA || !slices.Equal(c.Services, []string{"orders"}) {
		t.Errorf("%+v", c)
	}
	if c := got[1]; c.File != ca.File || !c.CA || !slices.Equal(c.Services, []string{"billing", "orders"}) {
		t.Errorf("%+v", c)
	}
}

func ExampleMesh_Certificates() {
	m := mesh.New(mesh.Options{Services: []mesh.ServiceConfig{{
		Name: "orders", Registry: registrytest.NewFake(lift.Endpoint{Addr: "a:1"}), Transport: transport.Config{TLS: &transport.TLS{}},
	}}})
	defer m.Close()
	fmt.Println(len(m.Certificates())) // the system's authorities are not ours to watch
	// Output: 0
}
