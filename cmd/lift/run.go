package main

import (
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"

	"github.com/spf13/cobra"

	"github.com/liftmesh/lift/config"
)

// Exit codes of `lift run` for what is not the program's own: those of env(1),
// nohup(1) and timeout(1).
const (
	exitNoSidecar = 125 // the program was not started
	exitNoExec    = 126 // it cannot be executed
	exitNotFound  = 127
)

// runFlags are the flags of `lift run`.
type runFlags struct {
	config, env, socket, extension string
	verbose                        bool
}

func runCommand(s streams, lookup config.Lookup) *cobra.Command {
	f := &runFlags{}
	c := &cobra.Command{
		Use:   "run [flags] -- COMMAND [ARGS...]",
		Short: "Run a program with a sidecar beside it",
		Long: `Run a program with a sidecar beside it: lift-extension starts first, and the
program as soon as it serves. The program finds it by these variables:

  LIFT_SOCKET             the Lift API, for the SDK and for lift itself
  LIFT_URL                the plain door, if lift.yaml has a TCP address for it
  LIFT_URL_<SERVICE>      the same for a service that has a 'listen' address
  LIFT_CONFIG, LIFT_ENV   the configuration

Signals go to the program. When it has ended, the sidecar leaves the registry,
lets running calls finish and ends too; lift then exits with the program's code
(128 + n if signal n ended it). If the sidecar dies, lift says so and starts it
again.

Before the program has started, lift exits with 125 if the sidecar does not
start, 126 if the program cannot be executed, 127 if it is not found.

lift-extension is looked for beside lift itself, then on the PATH.`,
		Example: `  lift run -- python3 app.py
  lift run -- sh -c 'curl -s -H "Lift-Service: orders" $LIFT_URL/orders/17'
  lift run --config dev.yaml --env staging -- npm start
  lift run -- $SHELL`,
		Args: func(_ *cobra.Command, args []string) error {
			if len(args) == 0 {
				return errors.New("name the program to run: lift run -- COMMAND [ARGS...]")
			}
			return nil
		},
		RunE: func(_ *cobra.Command, args []string) error { return f.run(args, s, lookup) },
	}
	flags := c.Flags()
	flags.SetInterspersed(false) // what follows the program's name is the program's
	flags.StringVar(&f.config, "config", "", "the configuration `file` (default what Lift would find)")
	flags.StringVar(&f.env, "env", "", "the environment to choose, in place of $LIFT_ENV")
	flags.StringVar(&f.socket, "socket", "", "`path` of the sidecar's socket (default the configuration's)")
	flags.StringVar(&f.extension, "extension", "", "`path` of lift-extension")
	flags.BoolVarP(&f.verbose, "verbose", "v", false, "show the sidecar's log from level info on, not warn")
	return c
}

func (f *runFlags) run(args []string, s streams, lookup config.Lookup) error {
	path, err := findProgram(args[0])
	if err != nil {
		return err
	}
	cfg, err := f.load(lookup)
	if err != nil {
		return codeError{exitNoSidecar, err}
	}
	extension, err := findExtension(f.extension)
	if err != nil {
		return codeError{exitNoSidecar, err}
	}
	ours := with(os.Environ(), "LIFT_CONFIG="+cfg.File, "LIFT_SOCKET="+cfg.Socket, "LIFT_ENV="+cfg.Environment)
	r := &runner{
		s:       s,
		sidecar: command{path: extension, env: f.sidecarEnv(ours, cfg)},
		program: command{path: path, args: args, env: with(ours, doors(cfg)...)},
		drain:   cfg.Drain.Max,
	}
	return r.run()
}

// load reads the configuration as the sidecar will, so that its faults are said
// before anything starts.
func (f *runFlags) load(lookup config.Lookup) (*config.Config, error) {
	changed := map[string]string{"LIFT_CONFIG": f.config, "LIFT_ENV": f.env, "LIFT_SOCKET": f.socket}
	cfg, problems := load(nil, "", func(name string) (string, bool) {
		if value := changed[name]; value != "" {
			return value, true
		}
		return lookup(name)
	})
	problems = slices.DeleteFunc(problems, func(p config.Problem) bool {
		return p.Environment != "" && p.Environment != cfg.Environment // of an overlay that is not chosen
	})
	if len(problems) > 0 {
		return nil, fmt.Errorf("the configuration is broken, so nothing was started:\n%w", problems)
	}
	for _, path := range []*string{&cfg.File, &cfg.Socket} { // the program may run elsewhere
		abs, err := filepath.Abs(*path)
		if err != nil {
			return nil, err
		}
		*path = abs
	}
	return cfg, nil
}

// sidecarEnv is the sidecar's environment: beside a program on a terminal it says
// warnings alone, unless it was told otherwise, and it is never inside Lambda.
func (f *runFlags) sidecarEnv(env []string, cfg *config.Config) []string {
	env = without(env, "AWS_LAMBDA_RUNTIME_API")
	if _, told := os.LookupEnv("LIFT_LOG_LEVEL"); !told && !f.verbose && cfg.Log.Level == slog.LevelInfo {
		env = with(env, "LIFT_LOG_LEVEL=warn")
	}
	return env
}

// doors are the variables that say where the plain door listens.
func doors(cfg *config.Config) (env []string) {
	said := map[string]bool{}
	for _, a := range cfg.Plain {
		name := "LIFT_URL"
		if a.Service != "" {
			name += "_" + strings.Map(variableRune, strings.ToUpper(a.Service))
		}
		if a.Network == "tcp" && !said[name] { // the first one; a unix socket has no URL
			said[name] = true
			env = append(env, name+"=http://"+a.Addr)
		}
	}
	return env
}

// variableRune makes a character fit for a variable's name.
func variableRune(r rune) rune {
	if r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' {
		return r
	}
	return '_'
}

// findProgram looks for the program as a shell does.
func findProgram(name string) (string, error) {
	path, err := exec.LookPath(name)
	switch {
	case err == nil:
		return path, nil
	case errors.Is(err, exec.ErrNotFound), errors.Is(err, fs.ErrNotExist):
		return "", codeError{exitNotFound, fmt.Errorf("%s: there is no such program; check its name and the PATH", name)}
	default:
		return "", codeError{exitNoExec, fmt.Errorf("%s cannot be executed: %w", name, systemError(err))}
	}
}

// findExtension looks for lift-extension: where it is said to be, beside lift,
// on the PATH.
func findExtension(path string) (string, error) {
	if path != "" {
		found, err := exec.LookPath(path)
		if err != nil {
			return "", fmt.Errorf("--extension %s: %w", path, systemError(err))
		}
		return found, nil
	}
	const name = "lift-extension"
	beside := ""
	if self, err := os.Executable(); err == nil {
		if target, err := filepath.EvalSymlinks(self); err == nil {
			self = target
		}
		beside = filepath.Dir(self)
		if found, err := exec.LookPath(filepath.Join(beside, name)); err == nil {
			return found, nil
		}
	}
	if found, err := exec.LookPath(name); err == nil {
		return found, nil
	}
	return "", fmt.Errorf("there is no %s beside lift (%s) or on the PATH; install it with: go install github.com/liftmesh/lift/cmd/...@latest, or name it with --extension", name, beside)
}

// systemError is what the system said, less the names that wrap it.
func systemError(err error) error {
	if number, ok := errors.AsType[syscall.Errno](err); ok {
		return number
	}
	return err
}

// with is env with more variables, each in place of an older one; those that are
// empty are left out.
func with(env []string, more ...string) []string {
	for _, v := range more {
		name, value, _ := strings.Cut(v, "=")
		env = without(env, name)
		if value != "" {
			env = append(env, v)
		}
	}
	return env
}

// without is a copy of env less a variable.
func without(env []string, name string) []string {
	return slices.DeleteFunc(slices.Clone(env), func(v string) bool { return strings.HasPrefix(v, name+"=") })
}
