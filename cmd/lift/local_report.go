package main

import (
	"errors"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/liftmesh/lift/emulator"
)

// logger writes the function's lines as they are, an extension's under its name,
// and of the platform's START and END, or all.
func (f *invokeFlags) logger(w io.Writer) func(source, line string) {
	return func(source, line string) {
		switch {
		case source == "function":
		case source != "platform":
			line = source + ": " + line
		case strings.HasPrefix(line, "START "):
		case strings.HasPrefix(line, "END "):
			line, _, _ = strings.Cut(line, " Duration: ") // REPORT has it
		case !f.verbose:
			return
		default:
			line = "platform: " + line
		}
		_, _ = fmt.Fprintln(w, line)
	}
}

// reportLine is the line that Lambda logs at the end of an invocation. As in
// Lambda the first one in an environment is billed with its init.
func reportLine(r *emulator.Result, members []emulator.Report, memoryMB int) string {
	initial := time.Duration(0)
	if r.Cold {
		initial = initTook(members)
	}
	billed := (r.Duration + initial + time.Millisecond - 1).Milliseconds()
	fields := []string{
		"REPORT RequestId: " + r.RequestID,
		fmt.Sprintf("Duration: %.2f ms", millis(r.Duration)),
		fmt.Sprintf("Billed Duration: %d ms", billed),
		fmt.Sprintf("Memory Size: %d MB", memoryMB),
	}
	if initial > 0 {
		fields = append(fields, fmt.Sprintf("Init Duration: %.2f ms", millis(initial)))
	}
	switch {
	case r.FunctionError == "Sandbox.Timedout":
		fields = append(fields, "Status: timeout")
	case r.FunctionError != "":
		fields = append(fields, "Status: error", "Error Type: "+r.FunctionError)
	}
	return strings.Join(fields, "\t")
}

// initTook is the time from the first program's start until all had asked for
// their first event, 0 if one of them did not.
func initTook(members []emulator.Report) time.Duration {
	var began, ready time.Time
	for _, m := range members {
		if !m.Started.IsZero() && (began.IsZero() || m.Started.Before(began)) {
			began = m.Started
		}
		if m.FirstNext.IsZero() {
			return 0
		}
		if m.FirstNext.After(ready) {
			ready = m.FirstNext
		}
	}
	if began.IsZero() {
		return 0
	}
	return ready.Sub(began)
}

// emulatorError is an error of the emulator in the words of the command line.
type emulatorError struct{ error }

func (e emulatorError) Error() string {
	text := strings.TrimPrefix(e.error.Error(), "emulator: ")
	if !errors.Is(e.error, emulator.ErrConfig) {
		return text
	}
	text, _, _ = strings.Cut(text, ". ") // what follows is for who has a Config
	return strings.Replace(text, "configuration: Env: ", "-e: ", 1)
}

func (e emulatorError) Unwrap() error { return e.error }
