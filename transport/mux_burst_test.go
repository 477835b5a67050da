package transport_test

import (
	"io"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/liftmesh/lift"
	"github.com/liftmesh/lift/internal/certtest"
	"github.com/liftmesh/lift/transport"
)

// Calls that come at once upon a connection that has died while it was idle all
// see that, not only the first of them: no POST is lost.
func TestMuxDeadBeforeManyCalls(t *testing.T) {
	a := certtest.New(t, "ca")
	srv := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, "hello") }))
	srv.TLS, srv.EnableHTTP2 = a.Server("orders.test", nil), true
	srv.TLS.NextProtos = nil
	srv.StartTLS()
	defer srv.Close()
	m := transport.NewMux(srv.Listener.Addr().String(), transport.Options{Config: transport.Config{
		Protocol: transport.H2, TLS: &transport.TLS{CA: []string{a.File}, ServerName: "orders.test"},
	}})
	defer m.Close()
	for range 50 {
		failed := make(chan error, 8)
		for range cap(failed) {
			go func() {
				c := &lift.Call{Method: "POST", Deadline: time.Now().Add(10 * time.Second)}
				resp, err := m.RoundTrip(tryOf(c))
				if err == nil {
					_, err = resp.Body.ReadAll(0)
				}
				c.End()
				failed <- err
			}()
		}
		for range cap(failed) {
			if err := <-failed; err != nil {
				t.Fatal(err)
			}
		}
		srv.CloseClientConnections()
	}
}
