// Command lift looks after a mesh from a terminal or from CI: it checks and
// prints the configuration, calls services through a running sidecar, and tells
// what that knows of them.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"syscall"

	"github.com/spf13/cobra"

	"github.com/liftmesh/lift/config"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	code := run(ctx, os.Args[1:], streams{os.Stdin, os.Stdout, os.Stderr}, os.LookupEnv)
	stop()
	os.Exit(code)
}

// streams are the program's standard input, output and error.
type streams struct {
	in       io.Reader
	out, err io.Writer
}

// Exit codes.
const (
	exitOK      = 0
	exitFailed  = 1
	exitUsage   = 2
	exitRefused = 3
)

// run is the program: it returns the exit code, and has written one line to
// s.err if that is not 0.
func run(ctx context.Context, args []string, s streams, lookup config.Lookup) int {
	started := false
	root := &cobra.Command{
		Use:           "lift",
		Short:         "Look after a mesh for functions",
		SilenceErrors: true,
		SilenceUsage:  true,
		// What goes wrong before this is the fault of the command line.
		PersistentPreRun: func(*cobra.Command, []string) { started = true },
	}
	root.CompletionOptions.HiddenDefaultCmd = true
	root.AddCommand(configCommand(s, lookup), callCommand(s, lookup), servicesCommand(s, lookup), versionCommand(s))
	root.SetArgs(args)
	root.SetIn(s.in)
	root.SetOut(s.out)
	root.SetErr(s.err)

	err := root.ExecuteContext(ctx)
	switch usage, refused := (usageError{}), (refusedError{}); {
	case err == nil:
		return exitOK
	case errors.Is(err, errTold):
		return exitFailed
	case !started, errors.As(err, &usage):
		_, _ = fmt.Fprintf(s.err, "lift: %v (lift help tells more)\n", err)
		return exitUsage
	case errors.As(err, &refused):
		_, _ = fmt.Fprintf(s.err, "lift: %v\n", err)
		return exitRefused
	default:
		_, _ = fmt.Fprintf(s.err, "lift: %s\n", withoutPrefix(err))
		return exitFailed
	}
}

// errTold ends a command that has told of its failure already.
var errTold = errors.New("told")

// usageError is a fault of the command line that shows only once a command runs.
type usageError struct{ error }

// refusedError is an answer that says no, where the command was asked to fail
// for that.
type refusedError struct{ error }
