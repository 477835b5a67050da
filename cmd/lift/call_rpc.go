package main

import (
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"strings"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"

	"github.com/liftmesh/lift"
	"github.com/liftmesh/lift/cmd/lift/rpc"
	"github.com/liftmesh/lift/config"
	"github.com/liftmesh/lift/sdk"
)

// isRPC tells package.Service/Method from an HTTP method and from a path, one
// whose slash was forgotten (orders/17) included.
func isRPC(args []string) bool {
	if len(args) != 2 {
		return false
	}
	_, _, err := rpc.SplitName(args[1])
	return err == nil
}

// forgotten adds to an error that name, which may be a gRPC method's, may be a
// path as well: names of methods begin with a capital by convention.
func forgotten(name string, err error) error {
	_, method, found := strings.Cut(name, "/")
	if err == nil || !found || method == "" || strings.ToLower(method[:1]) != method[:1] {
		return err
	}
	return fmt.Errorf("%w; if %s is a path, it starts with a slash: /%s", err, name, name)
}

// rpc is `lift call` for a gRPC method: an ordinary client of the mesh, whose
// stubs are made while it runs.
func (f *callFlags) rpc(ctx context.Context, args []string, s streams, lookup config.Lookup) error {
	if err := f.checkRPC(args); err != nil {
		return err
	}
	in, err := openData(f.data, s.in)
	if err != nil {
		return err
	}
	defer in.Close()
	client, err := sdk.Dial(socketPath(f.socket, lookup))
	if err != nil {
		return err
	}
	defer client.Close()
	conn := client.Conn(args[0])
	name := ""
	if len(args) > 1 {
		name = args[1]
	}
	schema, err := f.schema(ctx, conn, args[0], name)
	if err != nil {
		return forgotten(name, err)
	}
	if f.list {
		return writeMethods(s.out, schema.Methods())
	}
	method, err := schema.Method(name)
	if err != nil {
		return fmt.Errorf("%s: %w", args[0], err)
	}
	if f.describe {
		template, err := method.Template()
		if err != nil {
			return err
		}
		_, err = fmt.Fprintf(s.out, "%s\n%s\n", method, template)
		return err
	}
	return f.callRPC(ctx, conn, args[0], method, in, s)
}

// checkRPC refuses what makes no sense for a gRPC method.
func (f *callFlags) checkRPC(args []string) error {
	switch {
	case f.method != "":
		return usageError{fmt.Errorf("-X %s: a gRPC method has no HTTP method", f.method)}
	case f.timeout < 0:
		return usageError{fmt.Errorf("--timeout %s: want a duration above 0", f.timeout)}
	case f.list && len(args) > 1:
		return usageError{fmt.Errorf("--list lists all methods; %q is one", args[1])}
	case f.list:
		return nil
	case len(args) < 2:
		return usageError{errors.New("name a gRPC method, package.Service/Method, after the service")}
	}
	if _, _, err := rpc.SplitName(args[1]); err != nil {
		return usageError{err}
	}
	return nil
}

// schema learns of the methods: from --proto, else from the service itself.
func (f *callFlags) schema(ctx context.Context, conn grpc.ClientConnInterface, service, method string) (*rpc.Schema, error) {
	if len(f.protos) > 0 {
		return rpc.Compile(ctx, f.protos, f.imports)
	}
	wanted := ""
	if method != "" {
		wanted, _, _ = strings.Cut(method, "/")
	}
	schema, err := rpc.Reflect(sdk.With(ctx, sdk.Idempotent(), sdk.Timeout(f.timeout)), conn, wanted)
	if status.Code(err) == codes.Unimplemented && lift.CodeOf(err) == "" {
		return nil, fmt.Errorf("%s does not list its methods (no server reflection); name their .proto file with --proto", service)
	}
	return schema, plainError(err)
}

func (f *callFlags) callRPC(ctx context.Context, conn grpc.ClientConnInterface, service string, method rpc.Method, in io.Reader, s streams) error {
	var rec sdk.Record
	opts := []sdk.CallOption{sdk.RecordIn(&rec), sdk.Timeout(f.timeout)}
	if f.idempotent {
		opts = append(opts, sdk.Idempotent())
	}
	ctx, err := f.metadata(sdk.With(ctx, opts...))
	if err != nil {
		return err
	}
	answer := func(line []byte) error {
		_, err := fmt.Fprintf(s.out, "%s\n", line)
		return err
	}
	told := rpcJSON{Service: service, Method: method.Name()}
	if f.json {
		answer = told.message
	}
	began := lift.Now()
	reply, err := method.Call(ctx, conn, in, answer)
	took := lift.Now().Since(began)
	if bad, ok := errors.AsType[rpc.RequestError](err); ok {
		return usageError{bad}
	}
	state := answered(err)
	if f.json {
		told.fill(reply, state, method, took, rec.Attempts(), began, err)
		if err := encode(s.out, told); err != nil {
			return err
		}
	}
	if f.verbose {
		writeAttempts(s.err, rec.Attempts(), began)
		writeMetadata(s.err, "< ", reply.Header)
		writeMetadata(s.err, "< trailer ", reply.Trailer)
		_, _ = fmt.Fprintf(s.err, "took %s\n", rounded(took))
	}
	if state == nil || state.Code() == codes.OK {
		return plainError(err)
	}
	if !f.json {
		for _, detail := range method.Details(state) {
			_, _ = fmt.Fprintf(s.err, "detail: %s\n", detail)
		}
	}
	return refused("%s answered %s: %s", service, codeName(state), state.Message())
}

// answered is the status that the service answered with; nil if there was no
// answer, but an error of Lift's or of ours.
func answered(err error) *status.Status {
	if err == nil {
		return status.New(codes.OK, "")
	}
	if s, ok := status.FromError(err); ok && lift.CodeOf(err) == "" {
		return s
	}
	return nil
}

// plainError is Lift's own error where a status wraps one.
func plainError(err error) error {
	if e, ok := errors.AsType[*lift.Error](err); ok {
		return e
	}
	return err
}

// metadata puts the -H of the command line into ctx. What belongs to a name in
// -bin is given as base64.
func (f *callFlags) metadata(ctx context.Context) (context.Context, error) {
	fields, err := f.fields()
	if err != nil {
		return nil, err
	}
	for _, h := range fields {
		name := strings.ToLower(h.Name)
		if strings.HasSuffix(name, "-bin") {
			raw, err := base64.RawStdEncoding.DecodeString(strings.TrimRight(h.Value, "="))
			if err != nil {
				return nil, usageError{fmt.Errorf("header %s: a name in -bin has its value in base64: %w", h.Name, err)}
			}
			h.Value = string(raw)
		}
		ctx = metadata.AppendToOutgoingContext(ctx, name, h.Value) //nolint:fatcontext // a handful
	}
	return ctx, nil
}

// openData reads what -d describes as it comes.
func openData(data string, in io.Reader) (io.ReadCloser, error) {
	name, fromFile := strings.CutPrefix(data, "@")
	switch {
	case !fromFile:
		return io.NopCloser(strings.NewReader(data)), nil
	case name == "-":
		return io.NopCloser(in), nil
	default:
		return openFile(name)
	}
}
