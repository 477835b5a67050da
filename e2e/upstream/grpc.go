package main

import (
	"context"
	"net/http"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	grpctest "google.golang.org/grpc/interop/grpc_testing"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/peer"
	"google.golang.org/grpc/reflection"
	"google.golang.org/grpc/stats"
	"google.golang.org/grpc/status"
)

// orders is the instance as gRPC's own test service. What a query asks for in
// HTTP, metadata ask for here: sleep.
type orders struct {
	grpctest.UnimplementedTestServiceServer
	*instance
}

func register(s *grpc.Server, i *instance) {
	grpctest.RegisterTestServiceServer(s, orders{instance: i})
	reflection.Register(s)
}

// UnaryCall answers with the instance's name.
func (o orders) UnaryCall(ctx context.Context, in *grpctest.SimpleRequest) (*grpctest.SimpleResponse, error) {
	if err := o.behave(ctx, func() error { return grpc.SendHeader(ctx, nil) }); err != nil {
		return nil, err
	}
	return &grpctest.SimpleResponse{ServerId: o.name, Payload: in.GetPayload()}, nil
}

// StreamingOutputCall answers with one message for each that is asked for,
// each with the instance's name.
func (o orders) StreamingOutputCall(in *grpctest.StreamingOutputCallRequest, s grpctest.TestService_StreamingOutputCallServer) error {
	answer := &grpctest.StreamingOutputCallResponse{Payload: &grpctest.Payload{Body: []byte(o.name)}}
	if err := o.behave(s.Context(), func() error { return s.Send(answer) }); err != nil {
		return err
	}
	for range in.GetResponseParameters() {
		if err := s.Send(answer); err != nil {
			return err
		}
	}
	return nil
}

// behave waits and fails as was ordered; begin sends the beginning of an answer,
// for half of one.
func (o orders) behave(ctx context.Context, begin func() error) error {
	code, delay, wrong := o.manners(http.MethodPost)
	if asked := metadata.ValueFromIncomingContext(ctx, "sleep"); len(asked) > 0 {
		d, err := time.ParseDuration(asked[0])
		if err != nil {
			return status.Error(codes.InvalidArgument, err.Error())
		}
		delay = max(delay, d)
	}
	pause(ctx, delay)
	switch {
	case wrong == "half" && begin() == nil:
		time.Sleep(flushTime)
		fallthrough
	case wrong != "":
		if p, ok := peer.FromContext(ctx); ok {
			_ = o.gate.hangUp(p.Addr.String())
		}
		return status.Error(codes.Internal, "as ordered")
	case code == http.StatusServiceUnavailable:
		return status.Error(codes.Unavailable, "as ordered")
	case code != http.StatusOK:
		return status.Error(codes.Internal, "as ordered")
	}
	return nil
}

// idleWatch follows which connections have no call.
type idleWatch struct{ *instance }

type connKey struct{}

// connCalls are the calls of one connection.
type connCalls struct {
	peer  string
	calls int
}

// TagConn implements stats.Handler.
func (w idleWatch) TagConn(ctx context.Context, info *stats.ConnTagInfo) context.Context {
	return context.WithValue(ctx, connKey{}, &connCalls{peer: info.RemoteAddr.String()}) //nolint:forbidigo // the library's way
}

// HandleConn implements stats.Handler.
func (w idleWatch) HandleConn(ctx context.Context, s stats.ConnStats) {
	_, began := s.(*stats.ConnBegin)
	w.count(ctx, 0, began)
}

// TagRPC implements stats.Handler.
func (idleWatch) TagRPC(ctx context.Context, _ *stats.RPCTagInfo) context.Context { return ctx }

// HandleRPC implements stats.Handler.
func (w idleWatch) HandleRPC(ctx context.Context, s stats.RPCStats) {
	switch s.(type) {
	case *stats.Begin:
		w.count(ctx, 1, true)
	case *stats.End:
		w.count(ctx, -1, true)
	}
}

func (w idleWatch) count(ctx context.Context, more int, open bool) {
	c, ok := ctx.Value(connKey{}).(*connCalls)
	if !ok {
		return
	}
	w.mu.Lock()
	c.calls += more
	idle := open && c.calls == 0
	w.mu.Unlock()
	w.setIdle(c.peer, idle)
}
