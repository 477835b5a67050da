package main

import (
	"bytes"
	"context"
	"strings"
	"testing"
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
