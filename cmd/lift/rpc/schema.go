package rpc

import (
	"fmt"
	"slices"
	"strings"

	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/reflect/protoregistry"
	"google.golang.org/protobuf/types/dynamicpb"
)

// Schema is what is known of a server's services. It does not change and is safe
// for concurrent use.
type Schema struct {
	files    *protoregistry.Files
	types    resolver
	services []protoreflect.FullName // sorted
}

// Method is one method of a [Schema].
type Method struct {
	descriptor protoreflect.MethodDescriptor
	types      resolver
}

func newSchema(files *protoregistry.Files, services []protoreflect.FullName) *Schema {
	services = slices.Clone(services)
	slices.Sort(services)
	return &Schema{files: files, types: resolver{dynamicpb.NewTypes(files)}, services: slices.Compact(services)}
}

// SplitName takes the name of a method, package.Service/Method, apart.
func SplitName(name string) (service, method string, err error) {
	service, method, ok := strings.Cut(name, "/")
	if !ok || !protoreflect.FullName(service).IsValid() || !protoreflect.Name(method).IsValid() {
		return "", "", fmt.Errorf("%q is not a method; want package.Service/Method", name)
	}
	return service, method, nil
}

// Method finds a method by its name, package.Service/Method. The error of one
// that is not there names those that are.
func (s *Schema) Method(name string) (Method, error) {
	service, method, err := SplitName(name)
	if err != nil {
		return Method{}, err
	}
	found, err := s.files.FindDescriptorByName(protoreflect.FullName(service))
	d, ok := found.(protoreflect.ServiceDescriptor)
	if err != nil || !ok {
		return Method{}, fmt.Errorf("there is no service %s; there are: %s", service, joined(s.services))
	}
	m := d.Methods().ByName(protoreflect.Name(method))
	if m == nil {
		var names []string
		for i := range d.Methods().Len() {
			names = append(names, string(d.Methods().Get(i).Name()))
		}
		return Method{}, fmt.Errorf("%s has no method %s; it has: %s", service, method, joined(names))
	}
	return Method{m, s.types}, nil
}

// Files are the descriptors of the schema.
func (s *Schema) Files() *protoregistry.Files { return s.files }

// Methods returns all methods, by service and as they are declared.
func (s *Schema) Methods() (all []Method) {
	for _, name := range s.services {
		found, err := s.files.FindDescriptorByName(name)
		d, ok := found.(protoreflect.ServiceDescriptor)
		if err != nil || !ok {
			continue // a server may name what it does not describe
		}
		for i := range d.Methods().Len() {
			all = append(all, Method{d.Methods().Get(i), s.types})
		}
	}
	return all
}

// Name is package.Service/Method.
func (m Method) Name() string {
	return string(m.descriptor.Parent().FullName()) + "/" + string(m.descriptor.Name())
}

// String is the method as a .proto file declares it.
func (m Method) String() string {
	return fmt.Sprintf("%s(%s%s) returns (%s%s)", m.Name(),
		stream(m.descriptor.IsStreamingClient()), m.descriptor.Input().FullName(),
		stream(m.descriptor.IsStreamingServer()), m.descriptor.Output().FullName())
}

func stream(is bool) string {
	if is {
		return "stream "
	}
	return ""
}

// Template is a request as JSON in which every field stands with its zero value;
// messages inside are shown one level deep.
func (m Method) Template() ([]byte, error) {
	return m.compact(template(m.descriptor.Input(), 2), protojson.MarshalOptions{EmitUnpopulated: true})
}

// template sets the messages inside a message, so that they show their fields.
func template(d protoreflect.MessageDescriptor, depth int) *dynamicpb.Message {
	message := dynamicpb.NewMessage(d)
	for i := range d.Fields().Len() {
		f := d.Fields().Get(i)
		if depth > 1 && f.Message() != nil && !f.IsList() && !f.IsMap() && f.ContainingOneof() == nil &&
			!strings.HasPrefix(string(f.Message().FullName()), "google.protobuf.") { // those have a JSON form of their own
			message.Set(f, protoreflect.ValueOfMessage(template(f.Message(), depth-1)))
		}
	}
	return message
}

func joined[S ~string](names []S) string {
	if len(names) == 0 {
		return "none"
	}
	all := make([]string, len(names))
	for i, n := range names {
		all[i] = string(n)
	}
	return strings.Join(all, ", ")
}
