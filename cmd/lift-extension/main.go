// Command lift-extension runs Lift beside an application: as an external extension
// inside Lambda, as a standalone sidecar anywhere else. It reads lift.yaml and takes
// calls on a unix socket until SIGTERM, or Lambda's SHUTDOWN.
package main

import (
	"context"
	stdlog "log"
	"log/slog"
	"os"
	"os/signal"
	"slices"

	"github.com/liftmesh/lift/config"
	"github.com/liftmesh/lift/extension"
)

func main() { os.Exit(run()) }

// run does everything and returns the exit code.
func run() int {
	env, inside := extension.FromEnv(os.Getenv)
	if len(os.Args) > 1 && !inside { // Lambda passes no arguments
		return command(os.Args[1:], os.LookupEnv, os.Stdout, os.Stderr)
	}
	cfg, problems := configure()
	log, level := newLog(os.Stdout, cfg.Log, inside)
	// net/http logs some things only by the standard logger, such as peers that send
	// data unasked.
	stdlog.SetFlags(0)                                                           //nolint:forbidigo // the one place that owns the process's loggers
	stdlog.SetOutput(slog.NewLogLogger(log.Handler(), slog.LevelDebug).Writer()) //nolint:forbidigo // as above
	p := build(cfg, log)
	p.level = level
	p.warn(cfg)
	if inside {
		return p.lambda(context.Background(), env, problems)
	}
	signals := make(chan os.Signal, 4)
	signal.Notify(signals, heard()...)
	p.signals = signals
	return p.standalone(context.Background(), problems)
}

// configure finds and reads lift.yaml. The config can be used even if there are
// problems.
func configure() (*config.Config, config.Problems) {
	path, err := config.Find(os.LookupEnv)
	if err != nil {
		return config.Missing(err, os.LookupEnv)
	}
	return load(path)
}

// load reads lift.yaml. It leaves out problems in environments that are not chosen;
// `lift config check` shows them.
func load(path string) (*config.Config, config.Problems) {
	cfg, problems := config.Load(path, os.LookupEnv)
	return cfg, slices.DeleteFunc(problems, func(p config.Problem) bool {
		return p.Environment != "" && p.Environment != cfg.Environment
	})
}
