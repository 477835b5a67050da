// Command lift-extension is Lift beside an application: an external extension
// inside Lambda, a standalone sidecar anywhere else. It reads lift.yaml, builds
// the data plane and serves it on a unix socket until it is told to end.
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

// run is the whole life: config, build, run, drain.
func run() int {
	env, inside := extension.FromEnv(os.Getenv)
	if len(os.Args) > 1 && !inside { // Lambda gives none
		return command(os.Args[1:], os.LookupEnv, os.Stdout, os.Stderr)
	}
	cfg, problems := configure()
	log, level := newLog(os.Stdout, cfg.Log, inside)
	// net/http says some things, such as of peers that talk unasked, to the
	// standard logger alone.
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

// configure finds and reads lift.yaml. The config is usable whatever the
// problems.
func configure() (*config.Config, config.Problems) {
	path, err := config.Find(os.LookupEnv)
	if err != nil {
		return config.Missing(err, os.LookupEnv)
	}
	return load(path)
}

// load reads lift.yaml. What is wrong in an overlay that is not chosen is for
// `lift config check`.
func load(path string) (*config.Config, config.Problems) {
	cfg, problems := config.Load(path, os.LookupEnv)
	return cfg, slices.DeleteFunc(problems, func(p config.Problem) bool {
		return p.Environment != "" && p.Environment != cfg.Environment
	})
}
