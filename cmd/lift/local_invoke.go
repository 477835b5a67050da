package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/liftmesh/lift/config"
	"github.com/liftmesh/lift/emulator"
)

// invokeFlags are the flags of `lift local invoke`.
type invokeFlags struct {
	data, root, name, layer, extensions, extension, config, env string
	variables                                                   []string
	timeout, freeze                                             time.Duration
	memory, repeat                                              int
	bare, verbose                                               bool
}

func localInvokeCommand(s streams, lookup config.Lookup) *cobra.Command {
	f := &invokeFlags{}
	c := &cobra.Command{
		Use:   "invoke [flags] -- FUNCTION [ARGS...]",
		Short: "Invoke a function on a local Lambda",
		Long: `Invoke a function on a local Lambda: the emulator has the Runtime API, the
Extensions API, and Lambda's order of init and shutdown, variables and timeouts.
FUNCTION is the program that Lambda would start: a bootstrap, or a command such
as python3 -m awslambdaric app.handler.

If there is a lift.yaml, lift-extension runs beside the function as it does in
Lambda. --layer and --extensions start the extensions of a layer's zip or of a
folder instead; --bare starts none.

The event is --data. The function's answer goes to standard output; its log, and
a REPORT line for each invocation, to standard error.

Exit codes: 0 the function answered, 1 it could not be started, 2 the command
line or the event is wrong, 3 an invocation ended with an error or timed out.`,
		Example: `  lift local invoke -d '{"id": "17"}' -- ./bootstrap
  lift local invoke -d @event.json -- python3 -m awslambdaric app.handler
  lift local invoke --layer dist/lift-layer-amd64.zip -- ./bootstrap
  lift local invoke -n 3 --freeze 5s -- ./bootstrap`,
		Args: func(_ *cobra.Command, args []string) error {
			if len(args) == 0 {
				return errors.New("name the function's program: lift local invoke -- FUNCTION [ARGS...]")
			}
			return nil
		},
		RunE: func(c *cobra.Command, args []string) error { return f.run(c.Context(), args, s, lookup) },
	}
	flags := c.Flags()
	flags.SetInterspersed(false)
	flags.StringVarP(&f.data, "data", "d", "{}", "the `event`, JSON; @FILE reads it from a file, @- from standard input")
	flags.IntVarP(&f.repeat, "repeat", "n", 1, "how many `times` to invoke")
	flags.DurationVar(&f.freeze, "freeze", 0, "freeze the environment for this `time` between two invocations")
	flags.DurationVar(&f.timeout, "timeout", 3*time.Second, "the function's `timeout`")
	flags.IntVar(&f.memory, "memory", 128, "the function's memory in `MB`, which it is told")
	flags.StringVar(&f.name, "name", "function", "the function's `name`")
	flags.StringArrayVarP(&f.variables, "variable", "e", nil, "a variable of the function, `NAME=VALUE`; may be repeated")
	flags.StringVar(&f.root, "root", "", "`folder` of the code, LAMBDA_TASK_ROOT (default that of FUNCTION, if it is a path without ARGS, else the current one)")
	flags.StringVar(&f.config, "config", "", "the configuration `file` (default lift.yaml in --root, else what Lift would find)")
	flags.StringVar(&f.env, "env", "", "the environment to choose in it, in place of $LIFT_ENV")
	flags.StringVar(&f.layer, "layer", "", "`zip` of a layer, whose extensions are started")
	flags.StringVar(&f.extensions, "extensions", "", "`folder` of extensions to start, in place of /opt/extensions")
	flags.StringVar(&f.extension, "extension", "", "`path` of lift-extension")
	flags.BoolVar(&f.bare, "bare", false, "start no extension")
	flags.BoolVarP(&f.verbose, "verbose", "v", false, "show what the platform does, and the extension's log from level info on")
	c.MarkFlagsMutuallyExclusive("bare", "layer")
	c.MarkFlagsMutuallyExclusive("bare", "extensions")
	c.MarkFlagsMutuallyExclusive("bare", "extension")
	return c
}

func (f *invokeFlags) run(ctx context.Context, args []string, s streams, lookup config.Lookup) (err error) {
	event, err := f.event(s.in)
	if err != nil {
		return err
	}
	dir, err := os.MkdirTemp("", "lift-local-") // the socket, and the folder of extensions
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	cfg, err := f.emulated(args, dir, s, lookup)
	if err != nil {
		return err
	}
	e, err := emulator.Start(ctx, cfg)
	if err != nil {
		return ended(ctx, startFailed(err))
	}
	defer func() {
		err = errors.Join(err, e.Shutdown(context.WithoutCancel(ctx), emulator.Spindown))
	}()
	failed, last := 0, ""
	for i := range f.repeat {
		if i > 0 {
			if err := pause(ctx, f.freeze); err != nil {
				return ended(ctx, err)
			}
		}
		result, err := e.Invoke(ctx, event)
		if err != nil {
			return ended(ctx, emulatorError{err})
		}
		if _, err := fmt.Fprintf(s.out, "%s\n", strings.TrimSuffix(string(result.Payload), "\n")); err != nil {
			return err
		}
		_, _ = fmt.Fprintln(s.err, reportLine(result, e.Reports(), f.memory))
		if result.FunctionError != "" {
			failed, last = failed+1, result.FunctionError
		}
	}
	switch {
	case failed == 0:
		return nil
	case f.repeat == 1:
		return refused("the invocation ended with an error: %s", last)
	default:
		return refused("%d of %d invocations ended with an error, the last with %s", failed, f.repeat, last)
	}
}

// event is the JSON that the function is given.
func (f *invokeFlags) event(in io.Reader) ([]byte, error) {
	if f.repeat < 1 {
		return nil, usageError{fmt.Errorf("--repeat %d: want a number of times above 0", f.repeat)}
	}
	r, err := openData(f.data, in)
	if err != nil {
		return nil, err
	}
	defer r.Close()
	event, err := io.ReadAll(r)
	if err != nil {
		return nil, fmt.Errorf("reading the event: %w", err)
	}
	if !json.Valid(event) {
		return nil, usageError{fmt.Errorf("the event is not JSON, which is all that Lambda takes: %.60q", event)}
	}
	return event, nil
}

// emulated is the environment: the function, and what runs beside it. dir is a
// folder for what has to be in files.
func (f *invokeFlags) emulated(args []string, dir string, s streams, lookup config.Lookup) (cfg emulator.Config, err error) {
	cfg = emulator.Config{
		FunctionArgs: args[1:], TaskRoot: f.root, Layer: f.layer, Extensions: f.extensions,
		Name: f.name, MemoryMB: f.memory, Timeout: f.timeout, FreezeWhenIdle: f.freeze > 0,
		Log: f.logger(s.err),
	}
	if f.timeout <= 0 || f.memory <= 0 || f.freeze < 0 {
		return cfg, usageError{errors.New("--timeout and --memory must be above 0, --freeze must not be negative")}
	}
	if cfg.Function, err = findProgram(args[0]); err != nil {
		if coded, ok := errors.AsType[codeError](err); ok {
			err = coded.error // exit codes 126 and 127 are for `lift run`
		}
		return cfg, err
	}
	if info, err := os.Stat(f.root); f.root != "" && (err != nil || !info.IsDir()) {
		return cfg, usageError{fmt.Errorf("--root %s: it is not a folder", f.root)}
	}
	if cfg.TaskRoot == "" && (len(args) > 1 || !strings.Contains(args[0], "/")) {
		cfg.TaskRoot = "." // an interpreter, whose own folder says nothing
	}
	if cfg.Env, err = variables(f.variables); err != nil {
		return cfg, err
	}
	err = f.beside(&cfg, dir, s, lookup)
	return cfg, err
}

// beside adds lift-extension, and tells both sides where configuration and socket
// are. The variables are not among the customer's 4 KB.
func (f *invokeFlags) beside(cfg *emulator.Config, dir string, s streams, lookup config.Lookup) error {
	if f.bare {
		return nil
	}
	file, err := f.findConfig(cfg, lookup)
	if err != nil {
		if f.layer == "" && f.extensions == "" {
			_, _ = fmt.Fprintf(s.err, "lift: there is no lift.yaml, so no sidecar runs beside the function\n")
		}
		return nil // a function without Lift is a function
	}
	cfg.FunctionEnv = map[string]string{"LIFT_CONFIG": file, "LIFT_SOCKET": filepath.Join(dir, "lift.sock")}
	if f.env != "" {
		cfg.FunctionEnv["LIFT_ENV"] = f.env
	} else if env, _ := lookup("LIFT_ENV"); env != "" {
		cfg.FunctionEnv["LIFT_ENV"] = env
	}
	cfg.ExtensionEnv = map[string]string{}
	for name, value := range cfg.FunctionEnv {
		if _, set := cfg.Env[name]; set {
			delete(cfg.FunctionEnv, name) // the customer knows better
			continue
		}
		cfg.ExtensionEnv[name] = value
	}
	if _, set := cfg.Env["LIFT_LOG_LEVEL"]; !set && !f.verbose {
		cfg.ExtensionEnv["LIFT_LOG_LEVEL"] = "warn"
	}
	if f.layer != "" || f.extensions != "" {
		return nil
	}
	path, err := findExtension(f.extension)
	if err != nil {
		return fmt.Errorf("%w; --bare invokes the function without it", err)
	}
	if path, err = filepath.Abs(path); err != nil {
		return err
	}
	cfg.Extensions = filepath.Join(dir, "extensions")
	return errors.Join(os.Mkdir(cfg.Extensions, 0o700), os.Symlink(path, filepath.Join(cfg.Extensions, "lift")))
}

// findConfig is the path of lift.yaml: --config, $LIFT_CONFIG, beside the
// function's code, or where Lift would find it.
func (f *invokeFlags) findConfig(cfg *emulator.Config, lookup config.Lookup) (string, error) {
	root := cfg.TaskRoot
	if root == "" {
		root = filepath.Dir(cfg.Function)
	}
	file, err := config.Find(func(name string) (string, bool) {
		switch name {
		case "LIFT_CONFIG":
			if f.config != "" {
				return f.config, true
			}
		case "LAMBDA_TASK_ROOT":
			return root, true
		}
		return lookup(name)
	})
	if err != nil {
		return "", err
	}
	return filepath.Abs(file)
}

// variables reads the -e of the command line.
func variables(all []string) (map[string]string, error) {
	out := map[string]string{}
	for _, v := range all {
		name, value, ok := strings.Cut(v, "=")
		if !ok || name == "" {
			return nil, usageError{fmt.Errorf("-e %q: want NAME=VALUE", v)}
		}
		out[name] = value
	}
	return out, nil
}

// startFailed tells a fault of the command line from one of the function or an
// extension.
func startFailed(err error) error {
	if errors.Is(err, emulator.ErrConfig) {
		return usageError{emulatorError{err}}
	}
	return emulatorError{err}
}

// ended is err, or that ctx has ended, which most likely caused it.
func ended(ctx context.Context, err error) error {
	if ctx.Err() != nil {
		return errors.New("interrupted; the environment has been shut down")
	}
	return err
}

// pause lets the environment stay frozen for d.
func pause(ctx context.Context, d time.Duration) error {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}
