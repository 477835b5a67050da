package consul_test

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"

	"github.com/liftmesh/lift/registry"
	"github.com/liftmesh/lift/registry/consul"
)

// server answers as an agent does whose catalog has one instance.
func server() *httptest.Server {
	return httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Query().Has("index") {
			<-r.Context().Done() // nothing changes
			return
		}
		w.Header().Set("X-Consul-Index", "7")
		_, _ = w.Write([]byte(`[{"Node": {"Node": "n1", "Address": "10.0.1.7"},
			"Service": {"ID": "orders-1", "Service": "orders", "Port": 8080, "Weights": {"Passing": 2}},
			"Checks": [{"Status": "passing"}]}]`))
	}))
}

func ExampleClient_Registry() {
	s := server()
	defer s.Close()
	client, err := consul.New(consul.Config{Address: s.URL, Token: consul.Token{File: ""}})
	if err != nil {
		panic(err)
	}
	var r registry.Registry = client.Registry(consul.Source{Tags: []string{"v2"}})
	for set, err := range r.Watch(context.Background(), "orders") {
		if err != nil {
			fmt.Println("the last set stays:", err)
			continue
		}
		fmt.Println(set[0].ID, set[0].Addr, "weight", set[0].Weight)
		break
	}
	// Output: orders-1 10.0.1.7:8080 weight 2
}

func ExampleNew() {
	_, err := consul.New(consul.Config{Address: "ftp://consul.internal"})
	fmt.Println(err)
	// Output: want http://host:8500, https://host:8501 or unix:///path/of/a.sock
}

func ExampleCheckAddress() {
	fmt.Println(consul.CheckAddress("https://consul.internal:8501"))
	// Output: <nil>
}

func ExampleClient_Loopback() {
	c, err := consul.New(consul.Config{})
	fmt.Println(c.Loopback(), err)
	// Output: true <nil>
}

func ExampleClient_Registrar() {
	agent := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		fmt.Println(r.Method, r.URL.Path)
	}))
	defer agent.Close()
	client, err := consul.New(consul.Config{Address: agent.URL})
	if err != nil {
		panic(err)
	}
	r := client.Registrar(nil)
	err = r.Register(context.Background(), registry.Instance{ID: "orders-1", Service: "orders", Addr: "10.0.1.7:8080"})
	fmt.Println(err)
	fmt.Println(r.Close(context.Background())) // takes it back
	// Output:
	// PUT /v1/agent/service/register
	// <nil>
	// PUT /v1/agent/service/deregister/orders-1
	// <nil>
}
