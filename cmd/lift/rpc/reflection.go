package rpc

import (
	"context"
	"errors"
	"fmt"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	reflectionpb "google.golang.org/grpc/reflection/grpc_reflection_v1"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protodesc"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/reflect/protoregistry"
	"google.golang.org/protobuf/types/descriptorpb"
)

// maxFiles bounds what a server can have us fetch.
const maxFiles = 10_000

// Reflect asks a server what it serves: for one service (package.Service), or, if
// that is "", for all of them. It makes one streaming call; errors are those of
// conn, or say what the server answered.
func Reflect(ctx context.Context, conn grpc.ClientConnInterface, service string) (*Schema, error) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	// The two versions have other names and the same messages.
	var err error
	for _, version := range []string{"v1", "v1alpha"} {
		r := &reflected{files: map[string]*descriptorpb.FileDescriptorProto{}}
		r.stream, err = conn.NewStream(ctx, &grpc.StreamDesc{ServerStreams: true, ClientStreams: true},
			"/grpc.reflection."+version+".ServerReflection/ServerReflectionInfo")
		var schema *Schema
		if err == nil {
			schema, err = r.schema(service)
		}
		if err == nil {
			return schema, nil
		}
		if status.Code(err) != codes.Unimplemented {
			break
		}
	}
	return nil, err
}

// reflected is what one stream has told.
type reflected struct {
	stream grpc.ClientStream
	files  map[string]*descriptorpb.FileDescriptorProto
}

func (r *reflected) schema(service string) (*Schema, error) {
	services, err := r.services()
	if err != nil {
		return nil, err
	}
	wanted := services
	if service != "" {
		wanted = []protoreflect.FullName{protoreflect.FullName(service)}
	}
	for _, name := range wanted {
		err := r.fetch(&reflectionpb.ServerReflectionRequest{
			MessageRequest: &reflectionpb.ServerReflectionRequest_FileContainingSymbol{FileContainingSymbol: string(name)},
		})
		if _, refused := errors.AsType[*refusal](err); refused {
			continue // it does not describe that one; Method says what there is
		}
		if err != nil {
			return nil, err
		}
	}
	if err := r.stream.CloseSend(); err != nil {
		return nil, err
	}
	files, err := r.link()
	if err != nil {
		return nil, fmt.Errorf("what the server's reflection tells does not fit together: %w", err)
	}
	return newSchema(files, services), nil
}

func (r *reflected) services() ([]protoreflect.FullName, error) {
	answer, err := r.ask(&reflectionpb.ServerReflectionRequest{MessageRequest: &reflectionpb.ServerReflectionRequest_ListServices{}})
	if err != nil {
		return nil, err
	}
	var all []protoreflect.FullName
	for _, s := range answer.GetListServicesResponse().GetService() {
		all = append(all, protoreflect.FullName(s.GetName()))
	}
	return all, nil
}

// fetch asks for a file and for all that it imports, of which servers send as
// much as they like at once.
func (r *reflected) fetch(request *reflectionpb.ServerReflectionRequest) error {
	answer, err := r.ask(request)
	if err != nil {
		return err
	}
	var added []*descriptorpb.FileDescriptorProto
	for _, encoded := range answer.GetFileDescriptorResponse().GetFileDescriptorProto() {
		file := &descriptorpb.FileDescriptorProto{}
		if err := proto.Unmarshal(encoded, file); err != nil {
			return fmt.Errorf("the server's reflection sent an invalid file descriptor: %w", err)
		}
		if r.files[file.GetName()] == nil {
			r.files[file.GetName()] = file
			added = append(added, file)
		}
	}
	for _, file := range added {
		for _, name := range file.GetDependency() {
			if r.files[name] != nil {
				continue
			}
			if len(r.files) >= maxFiles {
				return fmt.Errorf("the server's reflection tells of more than %d files", maxFiles)
			}
			if known, err := protoregistry.GlobalFiles.FindFileByPath(name); err == nil {
				r.files[name] = protodesc.ToFileDescriptorProto(known)
				continue
			}
			err := r.fetch(&reflectionpb.ServerReflectionRequest{
				MessageRequest: &reflectionpb.ServerReflectionRequest_FileByFilename{FileByFilename: name},
			})
			if err != nil {
				return err
			}
		}
	}
	return nil
}

// refusal is the server's error for one question.
type refusal struct{ *status.Status }

func (r *refusal) Error() string {
	return fmt.Sprintf("the server's reflection answers %s: %s", r.Code(), r.Message())
}

func (r *reflected) ask(request *reflectionpb.ServerReflectionRequest) (*reflectionpb.ServerReflectionResponse, error) {
	answer := &reflectionpb.ServerReflectionResponse{}
	// What a send fails of, the receive tells.
	_ = r.stream.SendMsg(request)
	if err := r.stream.RecvMsg(answer); err != nil {
		return nil, err
	}
	if e := answer.GetErrorResponse(); e != nil {
		return nil, &refusal{status.New(codes.Code(e.GetErrorCode()), e.GetErrorMessage())} //nolint:gosec // a code
	}
	return answer, nil
}

// link makes descriptors of the files. Options that nobody knows stay unknown.
func (r *reflected) link() (*protoregistry.Files, error) {
	set := &descriptorpb.FileDescriptorSet{}
	for _, file := range r.files {
		set.File = append(set.File, file)
	}
	// An import that nothing is used of may be missing.
	return protodesc.FileOptions{AllowUnresolvable: true}.NewFiles(set)
}
