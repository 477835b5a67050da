package emulator

import (
	"fmt"
	"os"
	"path/filepath"
	"time"
)

// The values of Config.InitType, as AWS_LAMBDA_INITIALIZATION_TYPE has them.
const (
	OnDemand         = "on-demand"
	Provisioned      = "provisioned-concurrency"
	SnapStart        = "snap-start"
	ManagedInstances = "lambda-managed-instances"
)

// Config says what runs in the environment and how the platform behaves. Only
// Function is required.
type Config struct {
	// Function is the path of the function's program (Lambda's "bootstrap").
	Function string
	// FunctionArgs are its arguments; Lambda gives none.
	FunctionArgs []string
	// TaskRoot is the folder of the function's code, Lambda's /var/task: its
	// working folder and LAMBDA_TASK_ROOT. Default: the folder of Function. Set it
	// where Function is an interpreter.
	TaskRoot string
	// Extensions is a folder that stands for /opt/extensions: every entry that
	// is not a folder is started, in the order of the names.
	Extensions string
	// Layer is a layer's zip. It is unpacked into a temporary folder, with its modes,
	// and the entries of its extensions/ are started too. If a name is in both places,
	// the one in Extensions is started.
	Layer string

	// Env are the customer's variables, at most 4 KB. Both sides get them, less
	// what Lambda withholds from extensions. The names that Lambda reserves, such as
	// AWS_REGION, are refused as Lambda refuses them.
	Env map[string]string
	// FunctionEnv and ExtensionEnv are more variables for one side. They win
	// over everything else, reserved names included, and nothing is withheld.
	FunctionEnv, ExtensionEnv map[string]string

	// Name, Version, Handler and Region are what the function is told of
	// itself. Defaults: "function", "$LATEST", "bootstrap", "us-east-1".
	Name, Version, Handler, Region string
	// MemoryMB is what the function is told; it is not enforced. Default 128.
	MemoryMB int

	// Timeout is the function's timeout: the limit of an invocation, extensions
	// included. Default 3 s.
	Timeout time.Duration
	// InitLimit bounds an init outside of an invocation. Default 10 s on
	// demand, else the greater of 130 s and Timeout.
	InitLimit time.Duration
	// ShutdownBudget is the time that function and extensions have together to
	// go, if there is an external extension. Default 2 s.
	ShutdownBudget time.Duration
	// InitType is what AWS_LAMBDA_INITIALIZATION_TYPE says. Default [OnDemand].
	// [ManagedInstances] changes the platform: no INVOKE events, no freeze,
	// concurrent invocations, no reset by a timeout.
	InitType string
	// MaxConcurrency is how many invocations a managed instance takes at once.
	// Default 1; elsewhere ignored.
	MaxConcurrency int
	// Lazy leaves init to the first Invoke, as Lambda does on demand: a failed
	// init is then the result of an invocation, and the next one starts over.
	// Without it Start runs init and returns its failure.
	Lazy bool
	// AnswerEarly has Invoke return as soon as the function has answered, as
	// Lambda does, while extensions may still be busy and the environment is
	// not free yet. Without it Invoke returns when the environment is idle
	// again (or reset), which is what most tests want to wait for.
	AnswerEarly bool
	// FunctionLead is how long before the extensions the function gets an invocation;
	// a negative value is how long after. With 0 the extensions get it first and the
	// function right after them, without waiting, as in Lambda.
	FunctionLead time.Duration

	// FreezeWhenIdle stops all processes (SIGSTOP) as soon as everyone has
	// asked for the next event. Without it only Freeze does.
	FreezeWhenIdle bool
	// Gap describes the freeze that an Invoke ends, unless the invocation has its own
	// (WithGap).
	Gap Gap
	// ClockFile is the path of the file that holds the extensions' clock
	// offsets, for programs built to read it. It is made if missing: 16 bytes,
	// two int64 in the machine's byte order, nanoseconds to add to the wall
	// clock and to the monotonic clock. The emulator adds a thaw's gap to it
	// and shifts the deadlines in extensions' events likewise; the function
	// lives in real time. Tell extensions the path by ExtensionEnv.
	ClockFile string
	// Relays are held while the environment is frozen and released by the thaw. The
	// caller closes them.
	Relays []*Relay

	// Log receives every line that the processes write, and what the platform does.
	// source is "function", "extension <name>" or "platform". Calls do not overlap.
	// nil drops everything.
	Log func(source, line string)
}

const maxEnvBytes = 4096 // Lambda's limit on customer variables

func (c *Config) managed() bool { return c.InitType == ManagedInstances }

// complete fills in defaults and refuses what cannot be. The caller's maps are
// not changed.
func (c *Config) complete() error {
	if c.Function == "" {
		return fmt.Errorf("emulator: %w: Config.Function is empty; give the path of the function's program", ErrConfig)
	}
	for _, path := range []*string{&c.Function, &c.TaskRoot, &c.Extensions, &c.Layer, &c.ClockFile} {
		if *path == "" {
			continue
		}
		abs, err := filepath.Abs(*path)
		if err != nil {
			return fmt.Errorf("emulator: %w: %s: %w", ErrConfig, *path, err)
		}
		*path = abs
	}
	setDefault(&c.TaskRoot, filepath.Dir(c.Function))
	setDefault(&c.Name, "function")
	setDefault(&c.Version, "$LATEST")
	setDefault(&c.Handler, "bootstrap")
	setDefault(&c.Region, "us-east-1")
	setDefault(&c.MemoryMB, 128)
	setDefault(&c.Timeout, 3*time.Second)
	setDefault(&c.InitType, OnDemand)
	setDefault(&c.ShutdownBudget, 2*time.Second)
	setDefault(&c.MaxConcurrency, 1)
	switch c.InitType {
	case OnDemand:
		setDefault(&c.InitLimit, 10*time.Second)
	case Provisioned, SnapStart, ManagedInstances:
		setDefault(&c.InitLimit, max(130*time.Second, c.Timeout))
	default:
		return fmt.Errorf("emulator: %w: InitType %q; use %s, %s, %s or %s", ErrConfig, c.InitType, OnDemand, Provisioned, SnapStart, ManagedInstances)
	}
	if c.Timeout < 0 || c.InitLimit < 0 || c.ShutdownBudget < 0 || c.MaxConcurrency < 0 {
		return fmt.Errorf("emulator: %w: Timeout, InitLimit, ShutdownBudget and MaxConcurrency must not be negative", ErrConfig)
	}
	if c.managed() && c.FreezeWhenIdle {
		return fmt.Errorf("emulator: %w: FreezeWhenIdle with InitType %s: %w", ErrConfig, c.InitType, ErrNeverFreezes)
	}
	if !c.managed() {
		c.MaxConcurrency = 1
	}
	if err := c.checkEnv(); err != nil {
		return err
	}
	if err := checkProgram("function", c.Function); err != nil {
		return err
	}
	if info, err := os.Stat(c.TaskRoot); err != nil || !info.IsDir() {
		return fmt.Errorf("emulator: %w: TaskRoot: %s is not a folder", ErrConfig, c.TaskRoot)
	}
	return nil
}

func setDefault[T comparable](v *T, to T) {
	var zero T
	if *v == zero {
		*v = to
	}
}

// listExtensions returns the paths of what a folder of extensions starts, by
// file name: every entry that is not a folder, hidden ones too.
func listExtensions(folder string, into map[string]string) error {
	entries, err := os.ReadDir(folder)
	if err != nil {
		if os.IsNotExist(err) {
			return fmt.Errorf("emulator: extensions folder %s: %w", folder, ErrNotFound)
		}
		return fmt.Errorf("emulator: extensions folder %s: %w", folder, err)
	}
	for _, entry := range entries {
		if !entry.IsDir() {
			into[entry.Name()] = filepath.Join(folder, entry.Name())
		}
	}
	return nil
}
