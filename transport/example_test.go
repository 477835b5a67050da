package transport_test

import (
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"time"

	"github.com/liftmesh/lift"
	"github.com/liftmesh/lift/transport"
)

func ExamplePool() {
	orders := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.WriteString(w, "order "+r.URL.Query().Get("id"))
	}))
	defer orders.Close()

	slots := transport.NewSlots(0, 0) // one for the process
	pool := transport.NewPool(orders.Listener.Addr().String(), transport.Options{Config: transport.Config{Host: "orders.internal"}, Slots: slots})
	defer pool.Close()
	if err := pool.Warm(context.Background(), 1); err != nil {
		fmt.Println(err)
	}

	call := &lift.Call{Service: "orders", Path: "/?id=7", Deadline: time.Now().Add(time.Second)}
	defer call.End()
	attempt := call.NewAttempt(lift.AttemptRecord{})
	response, err := pool.RoundTrip(attempt)
	if err != nil {
		fmt.Println(err)
		return
	}
	content, err := response.Body.ReadAll(1 << 20)
	fmt.Println(response.Status, string(content), err, "fresh:", attempt.Fresh)
	// Output: 200 order 7 <nil> fresh: false
}

func ExampleNewPool_dial() {
	pool := transport.NewPool("orders:80", transport.Options{
		Dial: func(context.Context, string, string) (net.Conn, error) { return nil, fmt.Errorf("the cable is cut") },
	})
	defer pool.Close()
	_, err := pool.RoundTrip(tryOf(&lift.Call{Service: "orders"}))
	fmt.Println(lift.CodeOf(err))
	// Output: unavailable
}

func ExampleMux() {
	var h2c http.Protocols
	h2c.SetUnencryptedHTTP2(true)
	orders := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.WriteString(w, r.Proto)
	}))
	orders.Config.Protocols = &h2c
	orders.Start()
	defer orders.Close()

	way := transport.NewMux(orders.Listener.Addr().String(), transport.Options{})
	defer way.Close()
	call := &lift.Call{Service: "orders", Deadline: time.Now().Add(time.Second)}
	defer call.End()
	response, err := way.RoundTrip(call.NewAttempt(lift.AttemptRecord{}))
	if err != nil {
		fmt.Println(err)
		return
	}
	content, err := response.Body.ReadAll(1 << 20)
	fmt.Println(string(content), err, way.Stats())
	// Output: HTTP/2.0 <nil> {1 1 0}
}

func ExampleNew() {
	for _, protocol := range []transport.Protocol{transport.HTTP, transport.H2C, transport.GRPC} {
		way := transport.New("10.0.1.7:8080", transport.Options{Config: transport.Config{Protocol: protocol}})
		fmt.Printf("%s: %T\n", protocol, way)
		way.Close()
	}
	// Output:
	// http: *transport.Pool
	// h2c: *transport.Mux
	// grpc: *transport.Mux
}
