package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/liftmesh/lift"
	"github.com/liftmesh/lift/config"
)

// callFlags are what `lift call` can be told.
type callFlags struct {
	method, data, socket string
	headers              []string
	timeout              time.Duration
	idempotent, verbose  bool
}

func callCommand(s streams, lookup config.Lookup) *cobra.Command {
	f := &callFlags{}
	c := &cobra.Command{
		Use:   "call SERVICE [PATH]",
		Short: "Call a service through the sidecar that runs here",
		Long: `Call a service through the sidecar that runs here, and write the answer's body
to standard output. Any answer is a success (0), whatever its status; no answer
is a failure (1). With -v, standard error says how it went: each attempt with its
endpoint, outcome, duration and whether its connection was warm, then the head of
the answer.

The sidecar's socket is --socket, else $LIFT_SOCKET, else what lift.yaml says.`,
		Example: "  lift call orders /orders/7\n" +
			"  lift call orders /orders -X POST -H 'Content-Type: application/json' -d @- < order.json",
		Args: cobra.RangeArgs(1, 2),
		RunE: func(c *cobra.Command, args []string) error {
			return f.run(c.Context(), args, s, lookup)
		},
	}
	flags := c.Flags()
	flags.StringVarP(&f.method, "method", "X", "", "HTTP method (default GET, with data POST)")
	flags.StringArrayVarP(&f.headers, "header", "H", nil, "a field of the request, 'Name: value'; may be repeated")
	flags.StringVarP(&f.data, "data", "d", "", "the request's body; @- reads it from standard input, @FILE from a file")
	flags.StringVar(&f.socket, "socket", "", "path of the sidecar's socket")
	flags.DurationVar(&f.timeout, "timeout", 0, "limit of the whole call, such as 2s (default the service's own)")
	flags.BoolVar(&f.idempotent, "idempotent", false, "the call may be sent again though an endpoint may have acted on it")
	flags.BoolVarP(&f.verbose, "verbose", "v", false, "say on standard error how it went")
	return c
}

func (f *callFlags) run(ctx context.Context, args []string, s streams, lookup config.Lookup) error {
	call, err := f.call(args, s.in)
	if err != nil {
		return err
	}
	defer call.End()
	stop := context.AfterFunc(ctx, func() { call.Cancel(context.Cause(ctx)) })
	defer stop()

	caller, hangUp, err := dial(f.socketPath(lookup))
	if err != nil {
		return err
	}
	defer hangUp()

	resp, err := caller.Call(call)
	if err != nil {
		if f.verbose {
			writeAttempts(s.err, attemptsOf(err, call))
		}
		return err
	}
	defer func() { _ = resp.Body.Close() }()
	err = copyBody(s.out, resp.Body)
	if f.verbose {
		writeAttempts(s.err, call.Attempts)
		writeHead(s.err, resp)
	}
	return err
}

// call makes the call that the flags describe.
func (f *callFlags) call(args []string, in io.Reader) (*lift.Call, error) {
	c := &lift.Call{Service: args[0], Method: f.method, Path: "/", Timeout: f.timeout}
	if len(args) > 1 {
		c.Path = args[1]
	}
	if !strings.HasPrefix(c.Path, "/") {
		return nil, usageError{fmt.Errorf("path %q: want one that starts with a slash", c.Path)}
	}
	if f.timeout < 0 {
		return nil, usageError{fmt.Errorf("--timeout %s: want a duration above 0", f.timeout)}
	}
	if f.idempotent {
		c.Idempotent = lift.Idempotent
	}
	for _, h := range f.headers {
		name, value, ok := strings.Cut(h, ":")
		if name = strings.TrimSpace(name); !ok || name == "" {
			return nil, usageError{fmt.Errorf("header %q: want 'Name: value'", h)}
		}
		c.Header = append(c.Header, lift.Field{Name: name, Value: strings.TrimSpace(value)})
	}
	body, err := f.body(in)
	if err != nil {
		return nil, err
	}
	if body != nil {
		c.Body = lift.BytesBody(body)
	}
	if c.Method == "" {
		c.Method = http.MethodGet
		if body != nil {
			c.Method = http.MethodPost
		}
	}
	return c, nil
}

// body is nil where -d is not given.
func (f *callFlags) body(in io.Reader) ([]byte, error) {
	name, fromFile := strings.CutPrefix(f.data, "@")
	switch {
	case f.data == "":
		return nil, nil
	case !fromFile:
		return []byte(f.data), nil
	case name == "-":
		return io.ReadAll(in)
	default:
		return os.ReadFile(name)
	}
}

// socketPath is the flag's, else that of the configuration, in which
// $LIFT_SOCKET and the default have their say.
func (f *callFlags) socketPath(lookup config.Lookup) string {
	if f.socket != "" {
		return f.socket
	}
	cfg, _ := load(nil, "", lookup) // its faults are not this command's; the socket is usable
	return cfg.Socket
}

func copyBody(w io.Writer, body *lift.Body) error {
	r, err := body.Reader()
	if err != nil {
		return err
	}
	if _, err := io.Copy(w, r); err != nil {
		return fmt.Errorf("the answer broke off: %w", err)
	}
	return nil
}

// attemptsOf is the record of a call that failed.
func attemptsOf(err error, c *lift.Call) []lift.Attempt {
	if e, ok := errors.AsType[*lift.Error](err); ok && len(e.Attempts) > 0 {
		return e.Attempts
	}
	return c.Attempts
}

// withoutPrefix leaves out the "lift: " that a lift.Error begins with.
func withoutPrefix(err error) string { return strings.TrimPrefix(err.Error(), "lift: ") }
