package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/liftmesh/lift"
	"github.com/liftmesh/lift/config"
)

// callFlags are the flags of `lift call`.
type callFlags struct {
	method, data, socket            string
	headers, protos, imports        []string
	timeout                         time.Duration
	idempotent, verbose, json, fail bool
	list, describe                  bool
}

func callCommand(s streams, lookup config.Lookup) *cobra.Command {
	f := &callFlags{}
	c := &cobra.Command{
		Use:   "call SERVICE [METHOD] [PATH]\n  lift call SERVICE PACKAGE.SERVICE/METHOD",
		Short: "Call a service through the sidecar",
		Long: `Call a service through the sidecar on this machine and write the body of the
answer to standard output.

With -v, standard error says how the call went: for each attempt its endpoint,
outcome and duration, whether the connection was warm, and why that endpoint was
picked; then the head of the answer. With --json, standard output is one JSON
object that holds all of this.

A path starts with a slash. A gRPC method is called by its full name: each JSON
value of the data is one message, each line of output one message of the answer,
and -H is metadata. Lift learns the methods by server reflection, or from the
.proto files that --proto names. --list lists the methods; --describe shows one
of them, with a request in which every field is set.

Exit codes: 0 there was an answer, 1 there was none, 2 the command line or the
request is wrong, 3 the answer was a gRPC status other than OK or, with --fail,
an HTTP status of 400 or more.

The sidecar's socket is --socket, else $LIFT_SOCKET, else what lift.yaml says.`,
		Example: `  lift call orders /orders/7
  lift call orders DELETE /orders/7 -v
  lift call orders POST /orders -H 'Idempotency-Key: 1' -d @order.json
  lift call orders --list
  lift call orders orders.v1.Orders/Get -d '{"id": "7"}'`,
		Args: cobra.RangeArgs(1, 3),
		RunE: func(c *cobra.Command, args []string) error {
			if isRPC(args) || f.list || f.describe || len(f.protos) > 0 {
				return f.rpc(c.Context(), args, s, lookup)
			}
			return f.run(c.Context(), args, s, lookup)
		},
	}
	flags := c.Flags()
	flags.StringVarP(&f.method, "method", "X", "", "HTTP method (default GET, with data POST)")
	flags.StringArrayVarP(&f.headers, "header", "H", nil, "a header `field` of the request, 'Name: value'; may be repeated")
	flags.StringVarP(&f.data, "data", "d", "", "the body of the request; @FILE reads it from a file, @- from standard input")
	flags.StringVar(&f.socket, "socket", "", "`path` of the sidecar's socket")
	flags.DurationVar(&f.timeout, "timeout", 0, "time `limit` of the whole call, such as 2s (default the service's own)")
	flags.BoolVar(&f.idempotent, "idempotent", false, "allow retries even if an endpoint may have acted on the call")
	flags.BoolVarP(&f.verbose, "verbose", "v", false, "say on standard error how the call went")
	flags.BoolVar(&f.json, "json", false, "write the answer, the attempts and the error as one JSON object")
	flags.BoolVarP(&f.fail, "fail", "f", false, "exit with 3 for an HTTP status of 400 or more")
	flags.StringArrayVar(&f.protos, "proto", nil, "a .proto `file` that declares the gRPC method; may be repeated")
	flags.StringArrayVarP(&f.imports, "import-path", "I", nil, "a `folder` with imported .proto files (default the file's own); may be repeated")
	flags.BoolVar(&f.list, "list", false, "list the gRPC methods")
	flags.BoolVar(&f.describe, "describe", false, "show the gRPC method and a request for it")
	return c
}

func (f *callFlags) run(ctx context.Context, args []string, s streams, lookup config.Lookup) error {
	call, err := f.call(args, s.in)
	if err != nil {
		return err
	}
	defer call.End()
	defer call.Body.Close()
	stop := context.AfterFunc(ctx, func() { call.Cancel(context.Cause(ctx)) })
	defer stop()

	caller, hangUp, err := dial(socketPath(f.socket, lookup))
	if err != nil {
		return err
	}
	defer hangUp()

	call.Began = lift.Now()
	resp, err := caller.Call(call)
	if err == nil {
		defer func() { _ = resp.Body.Close() }()
	}
	switch {
	case f.json:
		err = writeJSON(s.out, call, resp, err)
	case err == nil:
		err = copyBody(s.out, resp.Body)
	}
	if f.verbose {
		writeAttempts(s.err, attemptsOf(err, call), call.Began)
		if resp != nil {
			writeHead(s.err, resp)
			_, _ = fmt.Fprintf(s.err, "took %s\n", rounded(lift.Now().Since(call.Began)))
		}
	}
	if err == nil && f.fail && resp.Status >= http.StatusBadRequest {
		return refused("%s answered %d %s", call.Service, resp.Status, http.StatusText(resp.Status))
	}
	return err
}

// call makes the call that the command line describes.
func (f *callFlags) call(args []string, in io.Reader) (*lift.Call, error) {
	method, path, err := f.target(args[1:])
	if err != nil {
		return nil, err
	}
	c := &lift.Call{Service: args[0], Method: method, Path: path, Timeout: f.timeout}
	if f.timeout < 0 {
		return nil, usageError{fmt.Errorf("--timeout %s: want a duration above 0", f.timeout)}
	}
	if f.idempotent {
		c.Idempotent = lift.Idempotent
	}
	if c.Header, err = f.fields(); err != nil {
		return nil, err
	}
	if c.Body, err = bodyOf(f.data, in); err != nil {
		return nil, err
	}
	if c.Method == "" {
		c.Method = http.MethodGet
		if c.Body != nil {
			c.Method = http.MethodPost
		}
	}
	return c, nil
}

// target reads [METHOD] [PATH]; a path begins with a slash. method is "" if
// nothing says which.
func (f *callFlags) target(args []string) (method, path string, err error) {
	method, path = f.method, "/"
	isPath := func(s string) bool { return strings.HasPrefix(s, "/") }
	if len(args) > 0 && !isPath(args[0]) && (len(args) == 2 || strings.ToUpper(args[0]) == args[0]) {
		if f.method != "" {
			return "", "", usageError{fmt.Errorf("method %q: -X %s gives the method already; leave one of them out", args[0], f.method)}
		}
		method, args = args[0], args[1:]
	}
	switch {
	case len(args) > 1:
		return "", "", usageError{fmt.Errorf("%s: the path comes last: METHOD PATH", strings.Join(args, " "))}
	case len(args) == 1 && !isPath(args[0]):
		return "", "", usageError{fmt.Errorf("path %q: a path starts with a slash; did you mean /%s?", args[0], args[0])}
	case len(args) == 1:
		path = args[0]
	}
	return method, path, nil
}

// fields are the -H of the command line.
func (f *callFlags) fields() (all []lift.Field, err error) {
	for _, h := range f.headers {
		name, value, ok := strings.Cut(h, ":")
		if name = strings.TrimSpace(name); !ok || name == "" {
			return nil, usageError{fmt.Errorf("header %q: want 'Name: value'", h)}
		}
		all = append(all, lift.Field{Name: name, Value: strings.TrimSpace(value)})
	}
	return all, nil
}

// attemptsOf is the record of a call that failed.
func attemptsOf(err error, c *lift.Call) []lift.AttemptRecord {
	if e, ok := errors.AsType[*lift.Error](err); ok && len(e.Attempts) > 0 {
		return e.Attempts
	}
	return c.Attempts()
}

// withoutPrefix leaves out the "lift: " that a lift.Error begins with.
func withoutPrefix(err error) string { return strings.TrimPrefix(err.Error(), "lift: ") }
