// Command lift calls services through Lift, shows who serves them, runs programs
// and functions beside a sidecar on this machine, and checks lift.yaml. It is for
// terminals, scripts and CI.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"runtime/debug"
	"strings"
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

// Exit codes that all commands share; docs/cli.md has the table of all.
const (
	exitOK      = 0
	exitFailed  = 1
	exitUsage   = 2
	exitRefused = 3
)

// run is the program. It returns the exit code; if that is not 0, it has written
// one line to s.err, unless the command had its own say.
func run(ctx context.Context, args []string, s streams, lookup config.Lookup) int {
	started := false
	root := rootCommand(s, lookup)
	// An error before this is a fault of the command line.
	root.PersistentPreRun = func(*cobra.Command, []string) { started = true }
	root.SetArgs(args)

	c, err := root.ExecuteContextC(ctx)
	usage, coded := usageError{}, codeError{}
	switch {
	case err == nil:
		return exitOK
	case errors.Is(err, errTold):
		return exitFailed
	case !started, errors.As(err, &usage):
		_, _ = fmt.Fprintf(s.err, "lift: %s (see %s --help)\n", oneLine(err), c.CommandPath())
		return exitUsage
	case errors.As(err, &coded):
		if coded.error != nil {
			_, _ = fmt.Fprintf(s.err, "lift: %s\n", withoutPrefix(coded.error))
		}
		return coded.code
	default:
		_, _ = fmt.Fprintf(s.err, "lift: %s\n", withoutPrefix(err))
		return exitFailed
	}
}

// oneLine is what cobra says of a command line, its suggestions included, on one
// line.
func oneLine(err error) string {
	text, meant, found := strings.Cut(err.Error(), "\n\nDid you mean this?\n")
	if found {
		text += "; did you mean " + strings.Join(strings.Fields(meant), " or ") + "?"
	}
	return text
}

// The groups of commands in the help, by what a user wants to do.
const (
	groupTry    = "try"
	groupLook   = "look"
	groupConfig = "config"
)

func rootCommand(s streams, lookup config.Lookup) *cobra.Command {
	info, _ := debug.ReadBuildInfo()
	root := &cobra.Command{
		Use: "lift",
		Long: `lift calls services through Lift, a service mesh for functions, shows who serves
them, runs programs beside a sidecar, and checks lift.yaml.`,
		Example: `  lift call orders /orders/17           GET /orders/17 of the service orders
  lift run -- python3 app.py            a program with a sidecar beside it
  lift services --watch                 who serves what, drawn again each second`,
		Version:       version(info),
		SilenceErrors: true,
		SilenceUsage:  true,
	}
	root.SetVersionTemplate("{{.Version}}\n")
	root.SetUsageTemplate(strings.ReplaceAll(root.UsageTemplate(), ".FlagUsages", fmt.Sprintf(".FlagUsagesWrapped %d", columns)))
	root.CompletionOptions.HiddenDefaultCmd = true
	root.SetIn(s.in)
	root.SetOut(s.out)
	root.SetErr(s.err)
	root.AddGroup(
		&cobra.Group{ID: groupTry, Title: "Call and run:"},
		&cobra.Group{ID: groupLook, Title: "See what is going on:"},
		&cobra.Group{ID: groupConfig, Title: "Configure:"},
	)
	for group, all := range map[string][]*cobra.Command{
		groupTry:    {callCommand(s, lookup), runCommand(s, lookup), localCommand(s, lookup)},
		groupLook:   {servicesCommand(s, lookup), statusCommand(s, lookup)},
		groupConfig: {configCommand(s, lookup)},
	} {
		for _, c := range all {
			c.GroupID = group
			root.AddCommand(c)
		}
	}
	root.AddCommand(versionCommand(s))
	return root
}

// errTold ends a command that has told of its failure already.
var errTold = errors.New("told")

// usageError is a fault of the command line that shows only once a command runs.
type usageError struct{ error }

// codeError ends a command with an exit code of its own. Its error is nil if
// nothing is left to say.
type codeError struct {
	code int
	error
}

func (e codeError) Error() string {
	if e.error == nil {
		return fmt.Sprintf("exit code %d", e.code)
	}
	return e.error.Error()
}

func (e codeError) Unwrap() error { return e.error }

// refused is an answer that says no, where the command was asked to fail for that.
func refused(format string, args ...any) error {
	return codeError{exitRefused, fmt.Errorf(format, args...)}
}
