package main

import (
	"io"
	"log/slog"
	"os"

	"github.com/liftmesh/lift/config"
)

// newLog returns a log whose lines go to out, and its level, which can be changed
// later.
func newLog(out *os.File, cfg config.Log, lambda bool) (*slog.Logger, *slog.LevelVar) {
	level := new(slog.LevelVar)
	level.Set(cfg.Level)
	return slog.New(logHandler(out, cfg.Format, !lambda && isTerminal(out), &slog.HandlerOptions{Level: level})), level
}

// logHandler returns the handler for log.format. The format auto is text on a
// terminal, and JSON elsewhere.
func logHandler(out io.Writer, format string, terminal bool, o *slog.HandlerOptions) slog.Handler {
	if format == "text" || format == "auto" && terminal {
		return slog.NewTextHandler(out, o)
	}
	return slog.NewJSONHandler(out, o)
}

// isTerminal reports whether f is a terminal. It takes /dev/null for one too,
// which does no harm to a log.
func isTerminal(f *os.File) bool {
	info, err := f.Stat()
	return err == nil && info.Mode()&os.ModeCharDevice != 0
}
