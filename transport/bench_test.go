package transport_test

import (
	"bytes"
	"io"
	"net"
	"net/http"
	"runtime"
	"testing"
	"time"

	"github.com/liftmesh/lift"
	"github.com/liftmesh/lift/transport"
)

func benchServer(b *testing.B) string {
	b.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		b.Fatal(err)
	}
	srv := &http.Server{ReadHeaderTimeout: time.Minute, Protocols: new(http.Protocols), Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
		_, _ = io.WriteString(w, "hello")
	})}
	srv.Protocols.SetHTTP1(true)
	srv.Protocols.SetUnencryptedHTTP2(true)
	go func() { _ = srv.Serve(ln) }()
	b.Cleanup(func() { _ = srv.Close() })
	return ln.Addr().String()
}

// BenchmarkCall is one call over a warm connection on loopback; compare
// BenchmarkPlainClient.
func BenchmarkCall(b *testing.B) {
	pool := transport.NewPool(benchServer(b), transport.Options{})
	defer pool.Close()
	b.ReportAllocs()
	for b.Loop() {
		callOnce(b, pool)
	}
}

func callOnce(b *testing.B, pool *transport.Pool) {
	c := &lift.Call{Service: "orders", Method: "GET", Path: "/hello", Deadline: time.Now().Add(time.Second)}
	resp, err := pool.RoundTrip(c.NewAttempt(lift.AttemptRecord{Timeout: time.Second, Deadline: c.Deadline}))
	if err != nil {
		b.Error(err)
		return
	}
	if got, _ := resp.Body.Complete(); string(got) != "hello" {
		b.Errorf("got %q", got)
	}
	c.End()
}

// BenchmarkCall64 is 64 callers at once.
func BenchmarkCall64(b *testing.B) {
	pool := transport.NewPool(benchServer(b), transport.Options{Config: transport.Config{MaxIdleConnections: 64}, Slots: transport.NewSlots(0, 0)})
	defer pool.Close()
	b.ReportAllocs()
	b.SetParallelism(64 / runtime.GOMAXPROCS(0))
	b.RunParallel(func(pb *testing.PB) {
		for pb.Next() {
			callOnce(b, pool)
		}
	})
}

func BenchmarkPlainClient(b *testing.B) {
	url := "http://" + benchServer(b) + "/hello"
	client := &http.Client{Transport: &http.Transport{DisableCompression: true}, Timeout: time.Second}
	defer client.CloseIdleConnections()
	b.ReportAllocs()
	for b.Loop() {
		getOnce(b, client, url)
	}
}

func getOnce(b *testing.B, client *http.Client, url string) {
	resp, err := client.Get(url)
	if err != nil {
		b.Error(err)
		return
	}
	if got, _ := io.ReadAll(resp.Body); string(got) != "hello" {
		b.Errorf("got %q", got)
	}
	_ = resp.Body.Close()
}

// BenchmarkPlainClient64 is what BenchmarkCall64 compares with.
func BenchmarkPlainClient64(b *testing.B) {
	url := "http://" + benchServer(b) + "/hello"
	client := &http.Client{Transport: &http.Transport{DisableCompression: true, MaxIdleConnsPerHost: 64}, Timeout: time.Second}
	defer client.CloseIdleConnections()
	b.ReportAllocs()
	b.SetParallelism(64 / runtime.GOMAXPROCS(0))
	b.RunParallel(func(pb *testing.PB) {
		for pb.Next() {
			getOnce(b, client, url)
		}
	})
}

// BenchmarkUpload is one call whose body of 1 MiB comes in while it is sent.
func BenchmarkUpload(b *testing.B) {
	for _, protocol := range []transport.Protocol{transport.HTTP, transport.H2C} {
		b.Run(string(protocol), func(b *testing.B) {
			up := transport.New(benchServer(b), transport.Options{Config: transport.Config{Protocol: protocol}})
			defer up.Close()
			content := make([]byte, 1<<20)
			b.SetBytes(int64(len(content)))
			b.ReportAllocs()
			for b.Loop() {
				c := &lift.Call{Service: "orders", Method: "POST", Path: "/", Deadline: time.Now().Add(10 * time.Second)}
				c.Body = lift.StreamBody(io.NopCloser(bytes.NewReader(content)), -1, 0)
				a := c.NewAttempt(lift.AttemptRecord{Began: lift.Now(), Timeout: time.Second})
				a.Deadline = a.Began.Wall.Add(a.Timeout)
				resp, err := up.RoundTrip(a)
				if err != nil {
					b.Fatal(err)
				}
				_ = resp.Body.Close()
				c.End()
			}
		})
	}
}
