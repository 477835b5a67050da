// Package bench measures calls in different ways, all in one process and one run, so
// that the ways can be compared. bench/figures measures real processes.
package bench

import (
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"sync"
	"testing"

	"github.com/liftmesh/lift"
	"github.com/liftmesh/lift/mesh"
	"github.com/liftmesh/lift/registry/static"
	"github.com/liftmesh/lift/sdk"
	"github.com/liftmesh/lift/sidecar"
	"github.com/liftmesh/lift/sidecar/plain"
)

const answer = `{"id":"o-1","state":"shipped","items":[{"sku":"a","n":1},{"sku":"b","n":2}]}`

// BenchmarkCall measures one GET with a small JSON answer.
func BenchmarkCall(b *testing.B) {
	upstream := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		_, _ = io.WriteString(w, answer)
	}))
	b.Cleanup(upstream.Close)
	m := mesh.New(mesh.Options{Services: []mesh.ServiceConfig{{
		Name: "orders", Registry: static.New([]lift.Endpoint{{Addr: upstream.Listener.Addr().String()}}),
	}}})
	b.Cleanup(m.Close)
	session := session(b, m)
	for _, way := range []struct {
		name string
		call func(context.Context) error
	}{
		{"direct", get((&http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: 64}}).Do, upstream.Listener.Addr().String())},
		{"inprocess", get(sdk.New(m).HTTPClient().Do, "orders")},
		{"session", get(session.HTTPClient().Do, "orders")},
		{"plain", get((&http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: 64, DialContext: dialPlain(b, m)}}).Do, "orders")},
		{"session-json", func(ctx context.Context) error {
			_, err := sdk.Get[struct{ ID string }](ctx, session, "orders", "/orders/1")
			return err
		}},
	} {
		for _, callers := range []int{1, 64} {
			b.Run(fmt.Sprintf("%s/%d", way.name, callers), func(b *testing.B) {
				b.ReportAllocs()
				load(b, callers, way.call)
			})
		}
	}
}

// session returns a client that calls m over a real unix socket and a sidecar.
func session(b *testing.B, m lift.Caller) *sdk.Client {
	b.Helper()
	socket := filepath.Join(b.TempDir(), "lift.sock")
	server, err := sidecar.Listen(sidecar.Config{Socket: socket, Caller: m})
	if err != nil {
		b.Fatal(err)
	}
	ctx, stop := context.WithCancel(context.Background())
	var serving sync.WaitGroup
	serving.Go(func() { _ = server.Serve(ctx) })
	b.Cleanup(func() {
		stop()
		serving.Wait()
	})
	client, err := sdk.Dial(socket)
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { _ = client.Close() })
	return client
}

// dialPlain opens connections to a plain door in front of m, on a real unix socket.
func dialPlain(b *testing.B, m lift.Caller) func(ctx context.Context, network, addr string) (net.Conn, error) {
	b.Helper()
	socket := filepath.Join(b.TempDir(), "plain.sock")
	server, err := plain.Listen(plain.Config{Addresses: []plain.Address{{Network: "unix", Addr: socket}}, Caller: m})
	if err != nil {
		b.Fatal(err)
	}
	var serving sync.WaitGroup
	serving.Go(func() { _ = server.Serve(context.Background()) })
	b.Cleanup(func() {
		server.Close()
		serving.Wait()
	})
	return func(ctx context.Context, _, _ string) (net.Conn, error) {
		var d net.Dialer
		return d.DialContext(ctx, "unix", socket)
	}
}

func get(do func(*http.Request) (*http.Response, error), host string) func(context.Context) error {
	return func(ctx context.Context) error {
		req, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+host+"/orders/1", nil)
		if err != nil {
			return err
		}
		resp, err := do(req)
		if err != nil {
			return err
		}
		body, err := io.ReadAll(resp.Body)
		_ = resp.Body.Close()
		if err != nil || string(body) != answer {
			return fmt.Errorf("answered %d %q, %w", resp.StatusCode, body, err)
		}
		return nil
	}
}

// load spreads b.N calls over a number of callers.
func load(b *testing.B, callers int, call func(context.Context) error) {
	var wg sync.WaitGroup
	for i := range callers {
		n := b.N / callers
		if i < b.N%callers {
			n++
		}
		wg.Go(func() {
			for range n {
				if err := call(b.Context()); err != nil {
					b.Error(err)
					return
				}
			}
		})
	}
	wg.Wait()
}
