package main

import (
	"io"
	"os"
	"strings"

	"golang.org/x/sys/unix"
)

// isTerminal reports whether w is a terminal.
func isTerminal(w io.Writer) bool {
	file, ok := w.(*os.File)
	if !ok {
		return false
	}
	_, err := unix.IoctlGetWinsize(int(file.Fd()), unix.TIOCGWINSZ)
	return err == nil
}

// foregroundGroup is the process group in the foreground of a terminal.
func foregroundGroup(tty *os.File) (int, error) {
	return unix.IoctlGetInt(int(tty.Fd()), unix.TIOCGPGRP)
}

// terminal describes standard output; rows is 0 if it is not a terminal.
type terminal struct {
	rows  int
	color bool
}

func terminalOf(w io.Writer) terminal {
	file, ok := w.(*os.File)
	if !ok || os.Getenv("TERM") == "dumb" {
		return terminal{}
	}
	size, err := unix.IoctlGetWinsize(int(file.Fd()), unix.TIOCGWINSZ)
	if err != nil {
		return terminal{} // a pipe or a file
	}
	_, plain := os.LookupEnv("NO_COLOR") // https://no-color.org
	return terminal{rows: max(int(size.Row), 2), color: !plain}
}

// paint colors an endpoint's state.
func (t terminal) paint(state, text string) string {
	color := map[string]string{"closed": "32", "open": "31", "half_open": "33"}[state]
	if !t.color || color == "" {
		return text
	}
	return "\x1b[" + color + "m" + text + "\x1b[0m"
}

// redraw returns what draws picture over what the terminal shows, cut to its rows.
func (t terminal) redraw(picture string) string {
	lines := strings.Split(strings.TrimSuffix(picture, "\n"), "\n")
	if most := t.rows - 1; len(lines) > most {
		lines = append(lines[:most-1], "... more than fits; name a service, or make the window taller")
	}
	// From the top, each line over the old one, and nothing left below: no flicker.
	return "\x1b[H" + strings.Join(lines, "\x1b[K\n") + "\x1b[K\n\x1b[J"
}
