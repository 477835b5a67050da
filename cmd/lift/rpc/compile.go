package rpc

import (
	"context"
	"fmt"
	"path/filepath"
	"strings"

	"github.com/bufbuild/protocompile"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/reflect/protoregistry"
)

// Compile reads .proto files. A file is looked for in the folders of imports, or,
// if there are none, in its own; so is what it imports. What comes with protobuf
// itself (google/protobuf/...) need not be there. An error names file, line and
// column.
func Compile(ctx context.Context, files, imports []string) (*Schema, error) {
	names := make([]string, len(files))
	folders := imports
	for i, file := range files {
		if len(imports) == 0 {
			folders = append(folders, filepath.Dir(file))
			names[i] = filepath.Base(file)
			continue
		}
		names[i] = below(imports, file)
	}
	compiler := protocompile.Compiler{Resolver: protocompile.WithStandardImports(&protocompile.SourceResolver{ImportPaths: folders})}
	compiled, err := compiler.Compile(ctx, names...)
	if err != nil {
		return nil, fmt.Errorf("%w (looked in %s)", err, strings.Join(folders, ", "))
	}
	registry := &protoregistry.Files{}
	var services []protoreflect.FullName
	for _, f := range compiled {
		if err := register(registry, f); err != nil {
			return nil, err
		}
		for i := range f.Services().Len() {
			services = append(services, f.Services().Get(i).FullName())
		}
	}
	return newSchema(registry, services), nil
}

// below is a file's name as an import would give it: less the folder that it
// lies in, if that is one of folders.
func below(folders []string, file string) string {
	for _, folder := range folders {
		if name, err := filepath.Rel(folder, file); err == nil && filepath.IsLocal(name) {
			return filepath.ToSlash(name)
		}
	}
	return filepath.ToSlash(file)
}

// register puts a file and all that it imports into a registry.
func register(into *protoregistry.Files, f protoreflect.FileDescriptor) error {
	if _, err := into.FindFileByPath(f.Path()); err == nil {
		return nil
	}
	for i := range f.Imports().Len() {
		if err := register(into, f.Imports().Get(i).FileDescriptor); err != nil {
			return err
		}
	}
	return into.RegisterFile(f)
}
