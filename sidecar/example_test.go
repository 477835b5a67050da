package sidecar_test

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"github.com/liftmesh/lift"
	lifts "github.com/liftmesh/lift/internal/session"
	liftv1 "github.com/liftmesh/lift/proto/lift/v1"
	"github.com/liftmesh/lift/sidecar"
)

// Listen first, serve afterwards: an extension registers in between.
func ExampleListen() {
	dir, err := os.MkdirTemp("", "lift-")
	if err != nil {
		fmt.Println(err)
		return
	}
	defer os.RemoveAll(dir)
	socket := filepath.Join(dir, "lift.sock")
	echo := lift.CallerFunc(func(c *lift.Call) (*lift.Response, error) {
		return &lift.Response{Status: 200, Body: lift.BytesBody([]byte(c.Service + c.Path))}, nil
	})
	server, err := sidecar.Listen(sidecar.Config{Socket: socket, Caller: echo})
	if err != nil {
		fmt.Println(err)
		return
	}
	ctx, stop := context.WithCancel(context.Background())
	defer stop()
	served := make(chan error)
	go func() { served <- server.Serve(ctx) }()

	client, err := lifts.Dial(socket, lifts.Options{})
	if err != nil {
		fmt.Println(err)
		return
	}
	c := &lift.Call{Service: "orders", Path: "/17"}
	resp, err := client.Call(c)
	if err == nil {
		body, _ := resp.Body.ReadAll(0)
		fmt.Println(resp.Status, string(body))
	}
	c.End()
	_ = client.Close()
	stop()
	fmt.Println(<-served)
	// Output:
	// 200 orders/17
	// <nil>
}

func ExampleAsk() {
	ctx, cancel := context.WithTimeout(context.Background(), time.Second)
	defer cancel()
	_, err := sidecar.Ask(ctx, "127.0.0.1:1") // or the path of a socket
	fmt.Println(err != nil)
	// Output: true
}

func ExampleAskStatus() {
	dir, err := os.MkdirTemp("", "lift-")
	if err != nil {
		fmt.Println(err)
		return
	}
	defer os.RemoveAll(dir)
	server, err := sidecar.Listen(sidecar.Config{
		Socket: filepath.Join(dir, "lift.sock"),
		Caller: lift.CallerFunc(func(*lift.Call) (*lift.Response, error) { return nil, lift.NoEndpoints }),
		Status: func() *liftv1.StatusResponse { return &liftv1.StatusResponse{Version: "v0.3.1"} },
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	defer server.Close()
	go func() { _ = server.Serve(context.Background()) }()
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	st, err := sidecar.AskStatus(ctx, server.Addr())
	fmt.Println(st.GetVersion(), len(st.GetPeers()), err)
	// Output: v0.3.1 0 <nil>
}
