package main

import (
	"context"
	"errors"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
	stockpb "google.golang.org/grpc/interop/grpc_testing"
	"google.golang.org/grpc/resolver"
	"google.golang.org/grpc/resolver/manual"

	"github.com/liftmesh/lift"
	"github.com/liftmesh/lift/demo/report"
)

// plainStock is gRPC's own client, which calls the instances in turn.
func plainStock(addrs []string) (stockpb.TestServiceClient, error) {
	r := manual.NewBuilderWithScheme("demo")
	var state resolver.State
	for _, addr := range addrs {
		state.Endpoints = append(state.Endpoints, resolver.Endpoint{Addresses: []resolver.Address{{Addr: addr}}})
	}
	r.InitialState(state)
	conn, err := grpc.NewClient("demo:///stock", grpc.WithResolvers(r), grpc.WithTransportCredentials(insecure.NewCredentials()),
		grpc.WithDefaultServiceConfig(`{"loadBalancingConfig": [{"round_robin": {}}]}`))
	if err != nil {
		return nil, err
	}
	return stockpb.NewTestServiceClient(conn), nil
}

// ask makes one gRPC call with unmodified generated stubs.
func ask(ctx context.Context, c *report.Call, stock stockpb.TestServiceClient) {
	got, err := stock.UnaryCall(ctx, &stockpb.SimpleRequest{})
	c.OK, c.Instance = err == nil, got.GetServerId()
	if err == nil {
		return
	}
	c.Error = err.Error()
	e, ok := errors.AsType[*lift.Error](err)
	c.Reached = !ok || e.Reached != lift.NotReached
}
