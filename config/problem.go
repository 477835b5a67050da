package config

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"unicode"
)

// Problem is one fault of a configuration.
type Problem struct {
	// File is the file, or $NAME where the fault is a variable's.
	File string
	// Line and Column count from 1; 0 where the fault is not in the file's text
	// (it cannot be read; a variable).
	Line, Column int
	// Path is the key, such as services.orders.retry.attempts; "" for the whole file.
	Path string
	// What is wrong, and what would be right.
	What, Remedy string
	// Service is the one service that the fault breaks; "" if it is not one service's.
	Service string
	// Source is the value of from whose services, and nothing else, the fault
	// breaks; "" if it is no source's.
	Source string
	// Environment is the overlay that the fault lies in, "" for none. In one that
	// is not chosen it breaks no service.
	Environment string
	// Warning: what was found is valid, and still likely a mistake. It breaks nothing.
	Warning bool
	// Excerpt is the line of the file that the fault is on, "" if there is none. Its
	// part from Column on is masked where it may hold a secret.
	Excerpt string

	secret bool // the excerpt shows nothing from Column on
}

// maxExcerpt is the longest line, in bytes, that is shown whole or not at all: a
// file can be one line of 1 MiB.
const maxExcerpt = 1000

func excerpt(line string, column int, secret bool) string {
	line = strings.TrimRight(line, "\r")
	if len(line) > maxExcerpt {
		return ""
	}
	if runes := []rune(line); secret && column <= len(runes) {
		line = string(runes[:column-1]) + masked
	}
	return oneLine(line)
}

// Error is the problem on one line: file:line:column: path: what; remedy. A
// warning says so behind the position.
func (p Problem) Error() string {
	var b strings.Builder
	b.WriteString(p.File)
	if p.Line > 0 {
		fmt.Fprintf(&b, ":%d:%d", p.Line, p.Column)
	}
	b.WriteString(": ")
	if p.Warning {
		b.WriteString("warning: ")
	}
	if p.Path != "" {
		b.WriteString(p.Path + ": ")
	}
	b.WriteString(p.What)
	if p.Remedy != "" {
		b.WriteString("; " + p.Remedy)
	}
	return oneLine(b.String())
}

// oneLine replaces what some reader takes for the end of a line, as a key can
// hold anything.
func oneLine(s string) string {
	return strings.Map(func(r rune) rune {
		if unicode.IsControl(r) || r == '\u2028' || r == '\u2029' {
			return ' '
		}
		return r
	}, strings.ToValidUTF8(s, "\uFFFD"))
}

// Problems are all faults of a configuration, in the order of the file.
type Problems []Problem

// Error is one line for each problem.
func (ps Problems) Error() string {
	lines := make([]string, len(ps))
	for i, p := range ps {
		lines[i] = p.Error()
	}
	return strings.Join(lines, "\n")
}

// Err is nil if there are no problems, else ps.
func (ps Problems) Err() error {
	if len(ps) == 0 {
		return nil
	}
	return ps
}

// finish puts ps in order and gives each the line of the file's text that it is on.
func (ps Problems) finish(file string, text []byte) {
	if len(ps) == 0 {
		return
	}
	lines := strings.Split(string(text), "\n")
	for i := range ps {
		if p := &ps[i]; p.File == file && p.Line > 0 && p.Line <= len(lines) {
			p.Excerpt = excerpt(lines[p.Line-1], p.Column, p.secret)
		}
	}
	slices.SortStableFunc(ps, func(a, b Problem) int {
		return cmp.Or(cmp.Compare(a.File, b.File), cmp.Compare(a.Line, b.Line), cmp.Compare(a.Column, b.Column))
	})
}

// byService sorts what breaks something by what it breaks: a service's name, ""
// for everything. What lies in an environment that is not chosen is left out.
func (ps Problems) byService(chosen string) map[string]Problems {
	m := map[string]Problems{}
	for _, p := range ps {
		if p.Environment == "" || p.Environment == chosen {
			m[p.breaks()] = append(m[p.breaks()], p)
		}
	}
	return m
}

// breaks is what byService sorts by. No service has a name like a source's.
func (p Problem) breaks() string {
	if p.Source != "" {
		return "from: " + p.Source
	}
	return p.Service
}

// brief is nil if there are no problems, else one line: the first in full, and
// how many more.
func (ps Problems) brief() error {
	switch len(ps) {
	case 0:
		return nil
	case 1:
		return ps[0]
	default:
		return fmt.Errorf("%w (and %d more; `lift config check` tells all)", ps[0], len(ps)-1)
	}
}
