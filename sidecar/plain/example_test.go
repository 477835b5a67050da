package plain_test

import (
	"context"
	"fmt"
	"io"
	"net/http"

	"github.com/liftmesh/lift"
	"github.com/liftmesh/lift/sidecar/plain"
)

// A door on the loopback, and an HTTP client that knows nothing of Lift.
func ExampleListen() {
	server, err := plain.Listen(plain.Config{
		Addresses: []plain.Address{{Network: "tcp", Addr: "127.0.0.1:0", Service: "orders"}}, // 0: any port
		Caller: lift.CallerFunc(func(c *lift.Call) (*lift.Response, error) {
			return &lift.Response{Status: http.StatusOK, Body: lift.BytesBody([]byte("the " + c.Service + " at " + c.Path))}, nil
		}),
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	defer server.Close()
	go func() { _ = server.Serve(context.Background()) }()

	resp, err := http.Get("http://" + server.Addrs()[0].String() + "/orders/17")
	if err != nil {
		fmt.Println(err)
		return
	}
	body, _ := io.ReadAll(resp.Body)
	_ = resp.Body.Close()
	fmt.Printf("%s\n", body)
	// Output: the orders at /orders/17
}
