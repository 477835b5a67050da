package emulator

import (
	"errors"
	"fmt"
	"strings"
)

// What can go wrong with the emulator itself, or with what it was given. All
// errors that wrap one of these say which program, where, and what to do.
var (
	// ErrConfig: the Config asks for something that cannot be.
	ErrConfig = errors.New("configuration")
	// ErrNotFound: a program, folder or layer does not exist, or a program's
	// interpreter or dynamic loader does not.
	ErrNotFound = errors.New("not found")
	// ErrNotExecutable: a file lacks the execute bit or is no program.
	ErrNotExecutable = errors.New("not executable")
	// ErrWrongArch: a program was built for another system or processor.
	ErrWrongArch = errors.New("built for another platform")
	// ErrLayer: the layer's zip is broken, unsafe, or over Lambda's limit.
	ErrLayer = errors.New("layer")
	// ErrInit: function or extension failed to start. The error is a [*Fault]
	// that says which of them, with Lambda's error type and the last lines of
	// its output.
	ErrInit = errors.New("init failed")
	// ErrClosed: the emulator has been shut down.
	ErrClosed = errors.New("the emulator has been shut down")
	// ErrNotFrozen: there is nothing to thaw.
	ErrNotFrozen = errors.New("the environment is not frozen")
	// ErrNotRunning: there is no environment to freeze; the next Invoke starts one.
	ErrNotRunning = errors.New("no environment is running")
	// ErrNeverFreezes: Managed Instances do not freeze.
	ErrNeverFreezes = errors.New("lambda-managed-instances never freezes")
	// ErrUnavailable: all Config.MaxConcurrency places of a managed instance
	// are taken; Lambda answers Runtime.Unavailable.
	ErrUnavailable = errors.New("Runtime.Unavailable: all concurrent invocations are in use")
	// ErrTooLarge: the payload is over Lambda's 6 MiB.
	ErrTooLarge = errors.New("payload over 6 MiB")
)

// Fault is what ended an environment: Lambda's error type, who caused it and
// why. [Start] returns one when init fails, a [Result] carries one when an
// invocation was lost.
type Fault struct {
	// Type is Lambda's error type: Extension.Crash, Extension.InitError,
	// Extension.ExitError, Extension.LaunchError, Runtime.ExitError,
	// Runtime.InvalidEntrypoint, Sandbox.Timedout, or what a runtime gave to
	// init/error.
	Type string
	// Source is who: "function", "extension <name>", or "platform" for a limit.
	Source string
	// Message says why: "exit status 7", "Task timed out after 3.00 seconds".
	Message string
	// Output holds the last lines that the source wrote.
	Output []string
	// Err is the cause where there is one more to ask for with errors.Is.
	Err error

	payload []byte // what the runtime itself said, for the caller
	init    bool
}

// Error is one line, and the source's last output below it.
func (f *Fault) Error() string {
	var b strings.Builder
	b.WriteString("emulator: ")
	if f.init {
		b.WriteString("init failed: ")
	}
	fmt.Fprintf(&b, "%s: %s: %s", f.Source, f.Type, f.Message)
	if len(f.Output) > 0 {
		b.WriteString("; its last output:")
		for _, line := range f.Output {
			b.WriteString("\n\t")
			b.WriteString(line)
		}
	}
	return b.String()
}

// Unwrap returns the cause, if there is one to ask for.
func (f *Fault) Unwrap() error { return f.Err }

// Is matches [ErrInit] if the fault ended an init.
func (f *Fault) Is(target error) bool { return target == ErrInit && f.init }

// errTimedOut is the cause of a phase's context when its time is up.
var errTimedOut = errors.New("timed out")
