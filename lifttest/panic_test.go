package lifttest_test

import (
	"bytes"
	"io"
	"net/http"
	"strings"
	"sync"
	"testing"

	"github.com/liftmesh/lift/lifttest"
	"github.com/liftmesh/lift/mesh"
	"github.com/liftmesh/lift/transport"
)

// shown is a testing.TB that keeps its output.
type shown struct {
	testing.TB
	mu  sync.Mutex
	out bytes.Buffer
}

func (s *shown) Output() io.Writer { return s }

func (s *shown) Write(p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.out.Write(p)
}

func (s *shown) said() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.out.String()
}

// A handler's panic is shown, and is that call's alone.
func TestHandlerPanicIsShown(t *testing.T) {
	for _, protocol := range []transport.Protocol{transport.HTTP, transport.H2C} {
		t.Run(string(protocol), func(t *testing.T) {
			out := &shown{TB: t}
			m := lifttest.New(out)
			orders := m.Service("orders", http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				switch r.URL.Path {
				case "/bad":
					panic("out of paper")
				case "/abort":
					panic(http.ErrAbortHandler)
				}
				_, _ = w.Write([]byte("good"))
			}), lifttest.Config(func(c *mesh.ServiceConfig) { c.Transport.Protocol = protocol }))
			for _, path := range []string{"/good", "/bad", "/good", "/abort", "/good"} {
				req, _ := http.NewRequestWithContext(t.Context(), http.MethodPost, "http://orders"+path, nil)
				resp, err := m.Client().HTTPClient().Do(req)
				if err == nil {
					_ = resp.Body.Close()
				}
				if good := path == "/good"; good != (err == nil) {
					t.Errorf("%s: %v", path, err)
				}
			}
			said := out.said()
			for _, want := range []string{`the handler of the service "orders" panicked, asked for POST /bad at orders-0:80: out of paper`, "lifttest_test.TestHandlerPanicIsShown", "panic_test.go:"} {
				if !strings.Contains(said, want) {
					t.Errorf("the output does not say %q:\n%s", want, said)
				}
			}
			if strings.Contains(said, "/abort") {
				t.Error("what a handler does on purpose is shown as a panic")
			}
			if n := orders.Endpoint(0).Calls(); n != 5 {
				t.Errorf("the endpoint saw %d calls", n)
			}
		})
	}
}
