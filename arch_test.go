package lift_test

import (
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path"
	"slices"
	"strconv"
	"strings"
	"testing"
	"testing/fstest"
)

// room is one row of the architecture: a folder and everything below it that
// has no row of its own, and what its code (tests apart) may import. The
// standard library and its own room are open to each.
type room struct {
	folder  string
	rooms   []string // other rooms; "*" is all of them
	modules []string // third-party modules, and what lies below them
}

const (
	modulePath = "github.com/liftmesh/lift"

	grpcModule     = "google.golang.org/grpc"
	protobufModule = "google.golang.org/protobuf"
	genprotoModule = "google.golang.org/genproto/googleapis/rpc"
	awsModule      = "github.com/aws/aws-sdk-go-v2/aws" // its core: no clients, no configuration
	netModule      = "golang.org/x/net"
	sysModule      = "golang.org/x/sys"
)

// architecture says which way imports point. To change it is to change the
// design: write the reason into docs/decisions.
func architecture() []room {
	all := []string{"*"}
	return []room{
		// The vocabulary: everything imports it, so it imports nothing.
		{folder: "."},

		// The data plane, from the inside out.
		{folder: "balancer", rooms: []string{"."}},
		{folder: "observe", rooms: []string{"."}},
		{folder: "resilience", rooms: []string{"."}, modules: []string{"github.com/sony/gobreaker/v2"}},
		{folder: "transport", rooms: []string{"."}, modules: []string{netModule}},
		{folder: "registry", rooms: []string{"."}},      // each source of endpoints has one client library at most
		{folder: "registry/pace", rooms: []string{"."}}, // when those that poll ask next
		{folder: "registry/static", rooms: []string{".", "registry"}},
		{folder: "registry/cloudmap", rooms: []string{".", "registry", "registry/pace"}}, // two questions in JSON need no client library
		{folder: "registry/consul", rooms: []string{".", "registry", "registry/pace"}, modules: []string{"github.com/hashicorp/consul/api"}},
		{folder: "registry/dns", rooms: []string{".", "registry"}, modules: []string{"github.com/miekg/dns"}},
		// Proofs of who calls, one folder a kind; the registries of the same vendor use them.
		{folder: "auth/sigv4", rooms: []string{"."}, modules: []string{awsModule}},
		// What turns calls into another protocol's and its answers back, a step of the mesh.
		{folder: "invoke", rooms: []string{"."}},
		{folder: "invoke/invoketest", rooms: []string{"invoke", "auth/sigv4"}},
		{folder: "mesh", rooms: []string{".", "registry", "balancer", "resilience", "transport", "observe"}},

		// The process around it, and Lambda.
		{folder: "sidecar", rooms: []string{".", "registry", "mesh", "proto", "internal/wire", "sidecar/socket"}, modules: []string{grpcModule, protobufModule, sysModule}},
		{folder: "sidecar/socket"},
		{folder: "sidecar/plain", rooms: []string{".", "internal/wire", "sidecar/socket"}, modules: []string{grpcModule, protobufModule}},
		{folder: "extension"}, // knows Lambda, not the mesh
		{folder: "emulator", rooms: []string{"internal/shift"}},
		{folder: "config", rooms: all, modules: []string{"go.yaml.in/yaml/v3"}},

		// The application's side: an application links this, so it is kept thin. Of
		// registry it has the words by which one announces oneself, no client library.
		{folder: "sdk", rooms: []string{".", "registry", "proto", "internal/wire", "internal/session", "internal/rpc"}, modules: []string{grpcModule}},
		{folder: "sdk/lambda", rooms: []string{".", "sdk"}, modules: []string{"github.com/aws/aws-lambda-go"}},
		{folder: "proto", modules: []string{grpcModule, protobufModule}},
		{folder: "internal/wire", rooms: []string{".", "registry", "proto"}, modules: []string{grpcModule, protobufModule}},
		{folder: "internal/rpc", rooms: []string{"."}, modules: []string{grpcModule, protobufModule}},
		{folder: "internal/session", rooms: []string{".", "registry", "proto", "internal/wire"}, modules: []string{grpcModule}},
		{folder: "internal/pipenet"},
		{folder: "internal/shift", rooms: []string{"."}},
		{folder: "internal/certtest"}, // certificates for tests

		// For applications' own tests: the engine over services that are made up.
		{folder: "lifttest", rooms: []string{".", "registry", "mesh", "transport", "sdk", "config", "internal/pipenet"}, modules: []string{grpcModule}},

		// Programs, packaging and what shows that it works.
		{folder: "cmd/lift-extension", rooms: all},
		{folder: "cmd/lift", rooms: all, modules: []string{"github.com/spf13/cobra", grpcModule, genprotoModule, sysModule}},
		{folder: "cmd/lift/rpc", modules: []string{grpcModule, protobufModule, genprotoModule, "github.com/bufbuild/protocompile"}},
		{folder: "cmd/lift/rpctest", modules: []string{grpcModule, protobufModule, genprotoModule}},
		{folder: "layer"},
		{folder: "demo", rooms: all, modules: []string{"github.com/aws/aws-lambda-go", grpcModule, sysModule}},
		{folder: "examples", rooms: all, modules: []string{"github.com/aws/aws-lambda-go"}},
		{folder: "e2e", rooms: all, modules: []string{"github.com/aws/aws-lambda-go", grpcModule, netModule, sysModule}},
		{folder: "bench", rooms: all, modules: []string{grpcModule}},
	}
}

// noGo are the folders at the top that hold no Go code of ours.
func noGo() []string { return []string{"docs", "bin", "dist"} }

// vague are names for folders that say nothing of what is inside.
func vague() []string {
	return []string{"util", "utils", "common", "helper", "helpers", "types", "pkg", "misc", "shared"}
}

func TestArchitecture(t *testing.T) {
	for _, problem := range breaches(t, os.DirFS("."), architecture()) {
		t.Error(problem)
	}
}

// breaches reads the source tree and tells where it parts from rooms.
func breaches(t *testing.T, tree fs.FS, rooms []room) (problems []string) {
	t.Helper()
	err := fs.WalkDir(tree, ".", func(name string, d fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case d.IsDir() && name != ".":
			base := path.Base(name)
			if strings.HasPrefix(base, ".") || strings.HasPrefix(base, "_") || base == "testdata" || slices.Contains(noGo(), name) {
				return fs.SkipDir
			}
			if _, err := fs.Stat(tree, path.Join(name, "go.mod")); err == nil {
				return fs.SkipDir // a module of its own
			}
			if slices.Contains(vague(), base) {
				problems = append(problems, name+": the name says nothing of what is inside; name the folder after that")
			}
			if !strings.Contains(name, "/") && !slices.ContainsFunc(rooms, func(r room) bool { return r.folder == name || strings.HasPrefix(r.folder, name+"/") }) {
				problems = append(problems, name+": an unknown room; add it to the table in arch_test.go")
				return fs.SkipDir
			}
		case strings.HasSuffix(name, ".go"):
			source, err := fs.ReadFile(tree, name)
			if err != nil {
				return err
			}
			file, err := parser.ParseFile(token.NewFileSet(), name, source, parser.ParseComments|parser.SkipObjectResolution)
			if err != nil {
				return err
			}
			for _, p := range fileBreaches(name, file, rooms) {
				problems = append(problems, name+": "+p)
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return problems
}

// fileBreaches tells what one file does that its room does not allow. Tests may
// import what they like, but have no init either.
func fileBreaches(name string, file *ast.File, rooms []room) (problems []string) {
	if !ast.IsGenerated(file) {
		for _, d := range file.Decls {
			if f, ok := d.(*ast.FuncDecl); ok && f.Recv == nil && f.Name.Name == "init" {
				problems = append(problems, "func init: nothing happens by being imported; do it where it is called by name")
			}
		}
	}
	if strings.HasSuffix(name, "_test.go") {
		return problems
	}
	dir := path.Dir(name)
	own, ok := roomOf(dir, rooms)
	if !ok {
		return append(problems, dir+" has no row; add it to the table in arch_test.go")
	}
	for _, spec := range file.Imports {
		imported, _ := strconv.Unquote(spec.Path.Value)
		if p := importBreach(dir, own, imported, rooms); p != "" {
			problems = append(problems, p)
		}
	}
	return problems
}

// importBreach tells why a file of the room own must not import a package, ""
// if it may.
func importBreach(dir string, own room, imported string, rooms []room) string {
	if imported == modulePath || strings.HasPrefix(imported, modulePath+"/") {
		folder := strings.TrimPrefix(strings.TrimPrefix(imported, modulePath), "/")
		if folder == "" {
			folder = "."
		}
		other, ok := roomOf(folder, rooms)
		switch {
		case !ok:
			return folder + " has no row; add it to the table in arch_test.go"
		case other.folder == own.folder, slices.Contains(own.rooms, "*"), slices.Contains(own.rooms, other.folder):
			return ""
		}
		return "imports " + folder + "; " + own.folder + " may import " + list(own.rooms)
	}
	first, _, _ := strings.Cut(imported, "/")
	switch {
	case strings.Contains(first, "."):
		if slices.ContainsFunc(own.modules, func(m string) bool { return imported == m || strings.HasPrefix(imported, m+"/") }) {
			return ""
		}
		return "imports " + imported + "; of third-party modules " + own.folder + " may use " + list(own.modules)
	case imported == "C":
		return "imports C; Lift is built without cgo"
	case imported == "testing" && !strings.HasSuffix(dir, "test"):
		return "imports testing; what serves tests only belongs into a _test.go file or a ...test package"
	}
	return ""
}

// roomOf returns the row of a folder: its own, or that of the nearest folder above.
func roomOf(folder string, rooms []room) (found room, ok bool) {
	for _, r := range rooms {
		inside := folder == r.folder || r.folder != "." && strings.HasPrefix(folder, r.folder+"/")
		if inside && (!ok || len(r.folder) > len(found.folder)) {
			found, ok = r, true
		}
	}
	return found, ok
}

func list(names []string) string {
	if len(names) == 0 {
		return "none"
	}
	return strings.Join(names, ", ")
}

// The test above can only be trusted if it can fail.
func TestArchitectureSeesEveryBreach(t *testing.T) {
	rooms := []room{
		{folder: "."},
		{folder: "a", rooms: []string{"."}, modules: []string{"example.com/m"}},
		{folder: "a/deep", rooms: []string{"a"}},
		{folder: "all", rooms: []string{"*"}},
	}
	for _, tt := range []struct {
		name, file, source string
		says               string // "": nothing is wrong
	}{
		{"good", "a/x.go", `package a; import ("fmt"; "example.com/m"; "example.com/m/sub"; "github.com/liftmesh/lift")`, ""},
		{"a room upwards", "x.go", `package lift; import _ "github.com/liftmesh/lift/a"`, "imports a; . may import none"},
		{"a row of its own", "a/deep/x.go", `package deep; import _ "github.com/liftmesh/lift"`, "imports .; a/deep may import a"},
		{"folders inherit", "a/b/x.go", `package b; import ("github.com/liftmesh/lift"; "example.com/m")`, ""},
		{"folders inherit what is barred", "a/b/x.go", `package b; import _ "github.com/liftmesh/lift/all"`, "imports all; a may import ."},
		{"all rooms", "all/x.go", `package all; import ("github.com/liftmesh/lift/a/deep"; "github.com/liftmesh/lift")`, ""},
		{"a module", "all/x.go", `package all; import _ "example.com/m"`, "imports example.com/m; of third-party modules all may use none"},
		{"a name that only begins alike", "a/x.go", `package a; import _ "example.com/mm"`, "imports example.com/mm"},
		{"a module that begins like ours", "a/x.go", `package a; import _ "github.com/liftmesh/liftoff"`, "imports github.com/liftmesh/liftoff"},
		{"an unknown room", "new/x.go", `package new`, "new: an unknown room; add it to the table"},
		{"an unknown room without Go", "new/x.txt", ``, "new: an unknown room"},
		{"an unknown room imported", "all/x.go", `package all; import _ "github.com/liftmesh/lift/new"`, "new has no row"},
		{"a vague name", "a/util/x.go", `package util`, "a/util: the name says nothing"},
		{"init", "a/x.go", "package a\nfunc init() {}", "func init"},
		{"init in a test", "a/x_test.go", "package a\nfunc init() {}", "func init"},
		{"init in generated code", "a/x.go", "// Code generated by x. DO NOT EDIT.\n\npackage a\nfunc init() {}", ""},
		{"a method called init", "a/x.go", "package a\ntype t int\nfunc (t) init() {}", ""},
		{"cgo", "a/x.go", `package a; import "C"`, "imports C"},
		{"testing", "a/x.go", `package a; import "testing"`, "imports testing"},
		{"testing for tests", "a/atest/x.go", `package atest; import "testing"`, ""},
		{"tests are free", "a/x_test.go", `package a; import ("C"; "testing"; "example.com/any"; "github.com/liftmesh/lift/all")`, ""},
		{"testdata", "a/testdata/x.go", `package x; import "example.com/any"`, ""},
		{"hidden", ".tool/x.go", `package x; import "example.com/any"`, ""},
		{"no Go inside", "docs/x.go", `package x; import "example.com/any"`, ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			got := breaches(t, fstest.MapFS{tt.file: {Data: []byte(tt.source)}}, rooms)
			if tt.says == "" && len(got) > 0 || tt.says != "" && (len(got) != 1 || !strings.Contains(got[0], tt.says)) {
				t.Errorf("got %q, want %q", got, tt.says)
			}
		})
	}
	tree := fstest.MapFS{"a/own/go.mod": {}, "a/own/x.go": {Data: []byte(`package own; import "example.com/any"`)}}
	if got := breaches(t, tree, rooms); len(got) > 0 {
		t.Errorf("a module of its own: got %q", got)
	}
}
