package main

import (
	"context"
	"net"
	"net/http"
	"sync"
	"sync/atomic"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	stockpb "google.golang.org/grpc/interop/grpc_testing" // gRPC's own test service, so no code must be generated
	"google.golang.org/grpc/status"
)

// stock is the gRPC side of the instance.
type stock struct {
	stockpb.UnimplementedTestServiceServer
	id     string
	status *atomic.Int64

	mu   sync.Mutex
	open []net.Conn
}

func (s *stock) serve(l net.Listener) error {
	server := grpc.NewServer()
	stockpb.RegisterTestServiceServer(server, s)
	return server.Serve(&noting{l, s})
}

// UnaryCall answers with the instance's name.
func (s *stock) UnaryCall(context.Context, *stockpb.SimpleRequest) (*stockpb.SimpleResponse, error) {
	switch s.status.Load() {
	case http.StatusOK:
		return &stockpb.SimpleResponse{ServerId: s.id}, nil
	case http.StatusInternalServerError:
		return nil, status.Error(codes.Internal, "as I was told")
	default:
		return nil, status.Error(codes.Unavailable, "as I was told")
	}
}

// close closes all connections; it is called while no call is running.
func (s *stock) close() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	n := len(s.open)
	for _, c := range s.open {
		_ = c.Close()
	}
	s.open = nil
	return n
}

// noting is a listener that notes the connections that it accepts.
type noting struct {
	net.Listener
	s *stock
}

// Accept implements net.Listener.
func (n *noting) Accept() (net.Conn, error) {
	c, err := n.Listener.Accept()
	if err == nil {
		n.s.mu.Lock()
		n.s.open = append(n.s.open, c)
		n.s.mu.Unlock()
	}
	return c, err
}
