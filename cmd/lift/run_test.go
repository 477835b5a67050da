package main

import (
	"bytes"
	"context"
	"slices"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/spf13/cobra"
)

// nothing is an environment without variables.
func nothing(string) (string, bool) { return "", false }

func TestExitCodes(t *testing.T) {
	for args, want := range map[string]int{
		"version":                             exitOK,
		"nonsense":                            exitUsage,
		"config check a b":                    exitUsage,
		"call":                                exitUsage,
		"call orders path":                    exitUsage,
		"call orders -H nonsense":             exitUsage,
		"call orders --timeout -1s":           exitUsage,
		"config check /none.yaml":             exitFailed,
		"config print /none.yaml":             exitFailed,
		"call orders -d @/none":               exitUsage,
		"call orders -d @/":                   exitUsage,
		"call orders a.B/C -d @/none":         exitUsage,
		"call orders orders/17":               exitUsage,
		"--version":                           exitOK,
		"call orders --socket /none/lift.soc": exitFailed,
	} {
		var out, errs bytes.Buffer
		got := run(context.Background(), strings.Fields(args), streams{strings.NewReader(""), &out, &errs}, nothing)
		if got != want {
			t.Errorf("lift %s: exit code %d, want %d (%s)", args, got, want, &errs)
		}
		if lines := strings.Count(errs.String(), "\n"); got != exitOK && lines != 1 {
			t.Errorf("lift %s: %d lines on standard error, want 1:\n%s", args, lines, &errs)
		}
	}
}

// The help of every command has a sentence and fits a terminal.
func TestHelpFits(t *testing.T) {
	var look func(c *cobra.Command)
	look = func(c *cobra.Command) {
		var out bytes.Buffer
		args := slices.Concat(strings.Fields(c.CommandPath())[1:], []string{"--help"})
		if code := run(t.Context(), args, streams{nil, &out, &out}, nothing); code != exitOK {
			t.Errorf("%s: exit code %d", args, code)
		}
		for line := range strings.Lines(out.String()) {
			if utf8.RuneCountInString(strings.TrimSuffix(line, "\n")) > columns {
				t.Errorf("%s: a line of more than %d columns: %s", args, columns, line)
			}
		}
		if c.HasParent() && c.Parent() == c.Root() && c.GroupID == "" && c.Name() != "version" && c.Name() != "help" {
			t.Errorf("%s is in no group", c.CommandPath())
		}
		for _, sub := range c.Commands() {
			if !sub.Hidden {
				look(sub)
			}
		}
	}
	look(rootCommand(streams{}, nothing))
}
