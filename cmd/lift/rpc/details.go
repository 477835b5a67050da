package rpc

import (
	"encoding/json"

	_ "google.golang.org/genproto/googleapis/rpc/errdetails" // the details that most servers send
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/reflect/protoregistry"
	"google.golang.org/protobuf/types/dynamicpb"
	"google.golang.org/protobuf/types/known/anypb"
)

// Details are a status's details, one line of JSON each. What nobody describes
// is shown by its type and its bytes (base64).
func (m Method) Details(s *status.Status) (lines [][]byte) {
	for _, d := range s.Proto().GetDetails() {
		line, err := m.compact(d, protojson.MarshalOptions{})
		if err != nil {
			line = opaque(d)
		}
		lines = append(lines, line)
	}
	return lines
}

func opaque(d *anypb.Any) []byte {
	line, err := json.Marshal(map[string]any{"@type": d.GetTypeUrl(), "value": d.GetValue()})
	if err != nil {
		return []byte("{}") // two plain values; it does not happen
	}
	return line
}

// resolver finds types in a schema, else among those that are linked in.
type resolver struct{ *dynamicpb.Types }

// FindMessageByName implements protoregistry.MessageTypeResolver.
func (r resolver) FindMessageByName(name protoreflect.FullName) (protoreflect.MessageType, error) {
	if t, err := r.Types.FindMessageByName(name); err == nil {
		return t, nil
	}
	return protoregistry.GlobalTypes.FindMessageByName(name)
}

// FindMessageByURL implements protoregistry.MessageTypeResolver.
func (r resolver) FindMessageByURL(url string) (protoreflect.MessageType, error) {
	if t, err := r.Types.FindMessageByURL(url); err == nil {
		return t, nil
	}
	return protoregistry.GlobalTypes.FindMessageByURL(url)
}
