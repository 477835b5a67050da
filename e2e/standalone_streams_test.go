//go:build e2e && linux

package e2e_test

import (
	"bufio"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"testing"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/health"
	"google.golang.org/grpc/health/grpc_health_v1"
)

// Streams that run when the configuration changes go on to their end: over a pool
// that was replaced, of a service that was removed, by an address that was closed.
func TestStreamsOutliveReloads(t *testing.T) {
	t.Parallel()
	next := make(chan int)
	events := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "text/event-stream")
		for {
			select {
			case i, more := <-next:
				if !more {
					return
				}
				fmt.Fprintf(w, "data: %d\n\n", i)
				_ = http.NewResponseController(w).Flush()
			case <-r.Context().Done():
				return
			}
		}
	}))
	t.Cleanup(events.Close)
	l, err := net.Listen("tcp", ownAddr(t))
	if err != nil {
		t.Fatal(err)
	}
	status := health.NewServer()
	server := grpc.NewServer()
	grpc_health_v1.RegisterHealthServer(server, status)
	go func() { _ = server.Serve(l) }()
	t.Cleanup(server.Stop)

	at, own := ownAddr(t), ownAddr(t)
	text := func(eventsMore, checksMore string) string {
		return fmt.Sprintf("plain: [%q]\nservices:\n  events: {from: static, endpoints: %s, timeout: 1h%s}\n  checks: {from: static, protocol: grpc, endpoints: %s%s}\n",
			at, endpoints(events.Listener.Addr().String()), eventsMore, endpoints(l.Addr().String()), checksMore)
	}
	s := startSidecar(t, text(fmt.Sprintf(", listen: %q", own), ", timeout: 1h"))

	req, err := http.NewRequestWithContext(within(t, 2*patience), http.MethodGet, "http://"+own+"/", nil)
	if err != nil {
		t.Fatal(err)
	}
	web := &http.Client{Transport: &http.Transport{}}
	t.Cleanup(web.CloseIdleConnections)
	answered := make(chan *http.Response, 1)
	go func() {
		resp, err := web.Do(req)
		if err != nil {
			t.Error(err)
		}
		answered <- resp
	}()
	next <- 0
	resp := <-answered
	if resp == nil {
		t.FailNow()
	}
	defer resp.Body.Close()
	lines := bufio.NewScanner(resp.Body)
	reads := func(want string) {
		t.Helper()
		for lines.Scan() {
			if lines.Text() != "" {
				break
			}
		}
		if lines.Text() != want {
			t.Errorf("the stream says %q, want %q (%v)", lines.Text(), want, lines.Err())
		}
	}
	reads("data: 0")

	conn, err := grpc.NewClient(at, grpc.WithAuthority("checks"), grpc.WithTransportCredentials(insecure.NewCredentials()))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close() })
	watch, err := grpc_health_v1.NewHealthClient(conn).Watch(within(t, 2*patience), &grpc_health_v1.HealthCheckRequest{})
	if err != nil {
		t.Fatal(err)
	}
	watched := func(want grpc_health_v1.HealthCheckResponse_ServingStatus) {
		t.Helper()
		got, err := watch.Recv()
		if err != nil || got.GetStatus() != want {
			t.Errorf("watched %v, %v; want %v", got, err, want)
		}
	}
	watched(grpc_health_v1.HealthCheckResponse_SERVING)

	for i, config := range []string{
		text(fmt.Sprintf(", listen: %q, connections: {max: 7}", own), ", timeout: 1h, connections: {max: 7}"), // other pools
		text("", ", timeout: 2s"), // its address closes; another timeout
		"services: {}\n",          // nothing is left
	} {
		config = fmt.Sprintf("# %d\n", i) + config
		s.reload(t, config, reloaded)
		next <- i + 1
		reads(fmt.Sprintf("data: %d", i+1))
		now := []grpc_health_v1.HealthCheckResponse_ServingStatus{2, 1, 2}[i]
		status.SetServingStatus("", now)
		watched(now)
	}
	if _, err := net.Dial("tcp", own); err == nil {
		t.Error("the address is still open")
	}
	close(next)
	if lines.Scan() && lines.Text() != "" || lines.Err() != nil {
		t.Errorf("after its end: %q, %v", lines.Text(), lines.Err())
	}
}
