package transport_test

import (
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"time"

	"github.com/liftmesh/lift"
	"github.com/liftmesh/lift/transport"
)

func ExampleTLS() {
	orders := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.WriteString(w, "hello by TLS, "+r.Host)
	}))
	defer orders.Close()

	ca, remove := authorityOf(orders)
	defer remove()

	pool := transport.NewPool(orders.Listener.Addr().String(), transport.Options{Config: transport.Config{
		Host: "example.com",
		TLS:  &transport.TLS{CA: []string{ca}},
	}})
	defer pool.Close()
	call := &lift.Call{Service: "orders", Deadline: time.Now().Add(10 * time.Second)}
	defer call.End()
	response, err := pool.RoundTrip(call.NewAttempt(lift.AttemptRecord{}))
	if err != nil {
		fmt.Println(err)
		return
	}
	content, err := response.Body.ReadAll(1 << 20)
	fmt.Println(string(content), err)
	// Output: hello by TLS, example.com <nil>
}

func ExampleTLS_Load() {
	secure := &transport.TLS{Cert: "client.pem", Key: "client.key"}
	err := secure.Load() // at start, so that a missing file shows before the first call
	if bad, ok := errors.AsType[*transport.FileError](err); ok {
		fmt.Println(bad.Path)
		fmt.Println(err)
	}
	// Output:
	// client.pem
	// client.pem: there is no such file; is it in the package, and is its path right?
}

func ExampleCheckHost() {
	fmt.Println(transport.CheckHost("orders.example.com:8443"))
	fmt.Println(transport.CheckHost("orders:0"))
	// Output:
	// <nil>
	// "0" is not a port; want 1 to 65535
}

func ExampleCheckServerName() {
	fmt.Println(transport.CheckServerName("orders.example.com"))
	fmt.Println(transport.CheckServerName("orders.example.com:8443"))
	// Output:
	// <nil>
	// want a name such as orders.example.com, or an IP address, without port
}

func ExampleCheckPathPrefix() {
	fmt.Println(transport.CheckPathPrefix("/prod"))
	fmt.Println(transport.CheckPathPrefix("/prod/"))
	// Output:
	// <nil>
	// want a path that begins with a slash and does not end in one, such as /prod
}

// authorityOf writes the certificate that vouches for a test server into a file,
// which remove takes away.
func authorityOf(srv *httptest.Server) (path string, remove func()) {
	dir, err := os.MkdirTemp("", "lift")
	if err == nil {
		path = filepath.Join(dir, "ca.pem")
		err = os.WriteFile(path, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: srv.Certificate().Raw}), 0o600)
	}
	if err != nil {
		panic(err)
	}
	return path, func() { _ = os.RemoveAll(dir) }
}

func ExampleTLS_Certificates() {
	orders := httptest.NewTLSServer(nil)
	defer orders.Close()
	ca, remove := authorityOf(orders)
	defer remove()
	secure := &transport.TLS{CA: []string{ca}}
	for _, c := range secure.Certificates() {
		fmt.Println(c.CA, c.NotAfter.After(time.Now()))
	}
	// Output: true true
}
