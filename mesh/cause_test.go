package mesh_test

import (
	"errors"
	"io"
	"log"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/liftmesh/lift"
	"github.com/liftmesh/lift/internal/certtest"
	"github.com/liftmesh/lift/mesh"
	"github.com/liftmesh/lift/registry/registrytest"
	"github.com/liftmesh/lift/transport"
)

// What is wrong with a certificate is told to the first caller, to all that are refused
// after it, in the log and in the status.
func TestTheCauseIsNeverLost(t *testing.T) {
	ca := certtest.New(t, "authority")
	server := httptest.NewUnstartedServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}))
	server.Config.ErrorLog = log.New(io.Discard, "", 0)
	server.TLS = ca.Server("b.internal", nil)
	server.StartTLS()
	defer server.Close()
	addr := server.Listener.Addr().String()
	var lines buffer
	m := mesh.New(mesh.Options{
		Log: slog.New(slog.NewTextHandler(&lines, nil)),
		Services: []mesh.ServiceConfig{{
			Name: "orders", Registry: registrytest.NewFake(lift.Endpoint{Addr: addr}), Timeout: time.Minute, Breaker: never(),
			Transport: transport.Config{TLS: &transport.TLS{CA: []string{ca.File}, ServerName: "a.internal"}},
		}},
	})
	defer m.Close()
	const cause = "valid for b.internal, not a.internal"
	for range 3 {
		if r := send(m, post()); r.err == nil || !strings.Contains(r.err.Error(), cause) {
			t.Fatalf("a caller is told: %v", r.err)
		}
	}
	r := send(m, post())
	if !errors.Is(r.err, lift.AllOpen) || !strings.Contains(r.err.Error(), addr+": 3 failures in a row, the last: ") ||
		!strings.Contains(r.err.Error(), cause) || !strings.Contains(r.err.Error(), "(next probe in 1h0m0s)") || len(r.err.Error()) > 500 {
		t.Errorf("one who is refused is told: %v", r.err)
	}
	if e := m.Service("orders").Snapshot().Endpoints[0]; !strings.Contains(e.Why, cause) || e.Until.IsZero() {
		t.Errorf("the status says: %+v", e)
	}
	if text := lines.String(); !strings.Contains(text, cause) || !strings.Contains(text, "to=open by=breaker") {
		t.Errorf("the log says: %s", text)
	}
}

// buffer is a log that goroutines share.
type buffer struct {
	mu   sync.Mutex
	text strings.Builder
}

func (b *buffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.text.Write(p)
}

func (b *buffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.text.String()
}
