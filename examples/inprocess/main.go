// Command inprocess uses Lift's engine inside the program, with no sidecar: the
// same SDK, the same policies. It starts two instances of its own to call, and
// loses one of them on the way.
//
//	go run ./examples/inprocess
package main

import (
	"context"
	"fmt"
	"log"
	"net/http"
	"net/http/httptest"

	"github.com/liftmesh/lift"
	"github.com/liftmesh/lift/mesh"
	"github.com/liftmesh/lift/registry/static"
	"github.com/liftmesh/lift/sdk"
)

type hello struct {
	From string `json:"from"`
}

func main() {
	a, b := instance("a"), instance("b")
	defer b.Close()
	m := mesh.New(mesh.Options{Services: []mesh.ServiceConfig{{
		Name:     "greeter",
		Registry: static.New([]lift.Endpoint{{Addr: a.Listener.Addr().String()}, {Addr: b.Listener.Addr().String()}}),
	}}})
	defer m.Close()
	client := sdk.New(m)

	a.Close() // half of the service is gone now
	for range 10 {
		var rec sdk.Record
		got, err := sdk.Get[hello](context.Background(), client, "greeter", "/", sdk.RecordIn(&rec))
		if err != nil {
			log.Fatal(err)
		}
		fmt.Printf("hello from %s after %d attempt(s)\n", got.From, len(rec.Attempts()))
	}
}

func instance(name string) *httptest.Server {
	return httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		fmt.Fprintf(w, `{"from":%q}`, name)
	}))
}
