// Package rpctest is a gRPC server for tests. It has no generated code: it is
// made of the .proto file that its clients may or may not have.
package rpctest

import (
	"context"
	_ "embed" // the .proto file
	"io"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"testing"

	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/reflection"
	reflectionpb "google.golang.org/grpc/reflection/grpc_reflection_v1"
	reflectionalphapb "google.golang.org/grpc/reflection/grpc_reflection_v1alpha"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/reflect/protoregistry"
	"google.golang.org/protobuf/types/dynamicpb"
	"google.golang.org/protobuf/types/known/anypb"
)

// Proto is orders.proto.
//
//go:embed orders.proto
var Proto []byte

// File writes orders.proto into a folder of the test's and returns its path.
func File(t *testing.T) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "orders.proto")
	if err := os.WriteFile(path, Proto, 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// Reflection is how a server tells of itself.
type Reflection int

// The kinds of servers.
const (
	V1      Reflection = iota
	V1Alpha            // as servers of before 2023
	None
)

// Serve serves orders.v1.Orders, as files describe it, on l until the test ends.
//
// An order's id "17" is found; one that is no number is NOT_FOUND with an
// ErrorInfo; "-1" is a status whose detail nobody describes. What comes as
// metadata "echo" and "echo-bin" goes back as header; every answer has the trailer
// "rows", and those to metadata "tell" say whether the last request came "compressed"
// and how many milliseconds were "left" at the end. more registers what else the server, which is returned, has.
func Serve(t *testing.T, l net.Listener, files *protoregistry.Files, r Reflection, more ...func(*grpc.Server)) *grpc.Server {
	t.Helper()
	found, err := files.FindDescriptorByName("orders.v1.Orders")
	if err != nil {
		t.Fatal(err)
	}
	service := found.(protoreflect.ServiceDescriptor)
	s := grpc.NewServer(grpc.StatsHandler(scale{}))
	desc := grpc.ServiceDesc{ServiceName: string(service.FullName())}
	for name, handle := range map[protoreflect.Name]func(*exchange) error{"Get": get, "Watch": watch, "Put": put, "Check": check} {
		method := service.Methods().ByName(name)
		desc.Streams = append(desc.Streams, grpc.StreamDesc{
			StreamName: string(name), ClientStreams: true, ServerStreams: true, // the wire does not tell unary calls apart
			Handler: func(_ any, stream grpc.ServerStream) error {
				stream.SetTrailer(metadata.Pairs("rows", "1"))
				for _, key := range []string{"echo", "echo-bin"} {
					if echo := metadata.ValueFromIncomingContext(stream.Context(), key); len(echo) > 0 {
						_ = stream.SetHeader(metadata.MD{key: echo})
					}
				}
				err := handle(&exchange{stream, method})
				if len(metadata.ValueFromIncomingContext(stream.Context(), "tell")) > 0 {
					stream.SetTrailer(seen(stream.Context()))
				}
				return err
			},
		})
	}
	s.RegisterService(&desc, nil)
	for _, register := range more {
		register(s)
	}
	o := reflection.ServerOptions{Services: s, DescriptorResolver: files}
	switch r {
	case V1:
		reflectionpb.RegisterServerReflectionServer(s, reflection.NewServerV1(o))
	case V1Alpha:
		reflectionalphapb.RegisterServerReflectionServer(s, reflection.NewServer(o))
	}
	ended := make(chan error, 1)
	go func() { ended <- s.Serve(l) }()
	t.Cleanup(func() {
		s.Stop()
		if err := <-ended; err != nil {
			t.Error(err)
		}
	})
	return s
}

// exchange is one call.
type exchange struct {
	grpc.ServerStream
	method protoreflect.MethodDescriptor
}

// receive returns the field of the next request, io.EOF after the last one.
func (x *exchange) receive(field protoreflect.Name) (string, error) {
	request := dynamicpb.NewMessage(x.method.Input())
	if err := x.RecvMsg(request); err != nil {
		return "", err
	}
	return request.Get(x.method.Input().Fields().ByName(field)).String(), nil
}

func (x *exchange) send(json string) error {
	answer := dynamicpb.NewMessage(x.method.Output())
	if err := protojson.Unmarshal([]byte(json), answer); err != nil {
		return err
	}
	return x.SendMsg(answer)
}

func get(x *exchange) error {
	id, err := x.receive("id")
	if err != nil {
		return err
	}
	switch n, err := strconv.Atoi(id); {
	case err != nil:
		s, err := status.New(codes.NotFound, "no order "+id).WithDetails(&errdetails.ErrorInfo{Reason: "NO_ORDER", Domain: "orders"})
		if err != nil {
			return err
		}
		return s.Err()
	case n < 0:
		return unheardOf()
	}
	return x.send(`{"id": "` + id + `", "state": "shipped", "placed": "2026-01-02T03:04:05Z"}`)
}

// unheardOf is a status with a detail of a type that no client can know.
func unheardOf() error {
	s := status.New(codes.InvalidArgument, "a negative id").Proto()
	s.Details = append(s.Details, &anypb.Any{TypeUrl: "type.googleapis.com/secret.v1.Thing", Value: []byte{1, 2}})
	return status.FromProto(s).Err()
}

func watch(x *exchange) error {
	id, err := x.receive("id")
	if err != nil {
		return err
	}
	for _, state := range []string{"placed", "packed", "shipped"} {
		if err := x.send(`{"id": "` + id + `", "state": "` + state + `"}`); err != nil {
			return err
		}
	}
	if id == "endless" {
		<-x.Context().Done()
		return context.Cause(x.Context())
	}
	return nil
}

func put(x *exchange) error {
	n := 0
	for ; ; n++ {
		_, err := x.receive("id")
		if err == io.EOF { //nolint:errorlint // a stream's end is io.EOF itself
			return x.send(`{"count": ` + strconv.Itoa(n) + `}`)
		}
		if err != nil {
			return err
		}
	}
}

func check(x *exchange) error {
	for {
		id, err := x.receive("id")
		if err == io.EOF { //nolint:errorlint // a stream's end is io.EOF itself
			return nil
		}
		if err != nil {
			return err
		}
		if err := x.send(`{"id": "` + id + `", "state": "checked"}`); err != nil {
			return err
		}
	}
}
