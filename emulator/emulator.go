package emulator

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"sync/atomic"
	"time"
)

// Emulator is one function with its extensions. They run in at most one execution
// environment at a time. All methods are safe for concurrent use.
type Emulator struct {
	cfg        Config
	extensions []extension
	layerDir   string // temporary, "" without a layer
	spawner    *spawner
	clock      *clock
	serverLog  *log.Logger

	base context.Context // ends with ErrClosed at Shutdown
	stop context.CancelCauseFunc
	hard context.Context // ends when Shutdown may not wait any longer
	kill context.CancelFunc

	// slots bounds what runs at once: invocations, and what excludes them.
	slots chan struct{}
	// env is held while the environment begins, ends, freezes or thaws.
	env   sync.Mutex
	tried bool // an init has been run; guarded by env

	mu     sync.Mutex
	life   *life // nil: the next Invoke begins one
	latest *life // also after its end, for reports
	closed bool
	phases sync.WaitGroup
	stage  atomic.Value // State

	closing sync.Once
	endErr  error

	logMu sync.Mutex
}

type extension struct{ name, path string }

// State says what the environment is doing.
type State string

// The states.
const (
	Cold    State = "cold"    // no processes; the next Invoke starts them
	Init    State = "init"    // starting
	Idle    State = "idle"    // all wait for the next event
	Busy    State = "busy"    // at least one invocation runs
	Frozen  State = "frozen"  // stopped
	Ending  State = "ending"  // being reset or shut down
	Stopped State = "stopped" // shut down for good
)

// Start checks cfg, opens the environment and runs its init phase, unless
// cfg.Lazy leaves that to the first Invoke. A function or extension that cannot
// be started, dies or reports an error fails Start with a [*Fault]; nothing is
// left behind then. An init that overruns cfg.InitLimit is no error: as on
// Lambda the environment is reset and init runs again inside the first
// invocation. ctx bounds the start only. The caller must call Shutdown.
func Start(ctx context.Context, cfg Config) (*Emulator, error) {
	cfg.Env, cfg.FunctionEnv, cfg.ExtensionEnv = maps.Clone(cfg.Env), maps.Clone(cfg.FunctionEnv), maps.Clone(cfg.ExtensionEnv)
	cfg.Relays = slices.Clone(cfg.Relays)
	if err := cfg.complete(); err != nil {
		return nil, err
	}
	e := &Emulator{
		cfg:       cfg,
		serverLog: log.New(io.Discard, "", 0), // a client reports its broken requests itself
		slots:     make(chan struct{}, cfg.MaxConcurrency),
	}
	e.base, e.stop = context.WithCancelCause(context.Background())
	e.hard, e.kill = context.WithCancel(context.Background())
	e.stage.Store(Cold)
	e.spawner = newSpawner()
	err := e.prepare()
	if err == nil && !cfg.Lazy {
		err = e.eager(ctx)
	}
	if err != nil {
		e.kill()
		if left := e.Shutdown(context.Background(), Failure); left != nil {
			err = errors.Join(err, left)
		}
		return nil, err
	}
	return e, nil
}

// prepare gathers the extensions and opens the clock file.
func (e *Emulator) prepare() (err error) {
	files := map[string]string{}
	if e.cfg.Layer != "" {
		if e.layerDir, err = os.MkdirTemp("", "emulator-layer-"); err != nil {
			return fmt.Errorf("emulator: %w", err)
		}
		folder, err := unpack(e.cfg.Layer, e.layerDir)
		if err != nil {
			return err
		}
		if folder != "" {
			if err := listExtensions(folder, files); err != nil {
				return err
			}
		}
	}
	if e.cfg.Extensions != "" {
		if err := listExtensions(e.cfg.Extensions, files); err != nil {
			return err
		}
	}
	for _, name := range slices.Sorted(maps.Keys(files)) {
		e.extensions = append(e.extensions, extension{name, files[name]})
	}
	e.clock, err = openClock(e.cfg.ClockFile)
	return err
}

// eager runs init before the first invocation.
func (e *Emulator) eager(ctx context.Context) error {
	e.env.Lock()
	defer e.env.Unlock()
	e.tried = true
	l, err := e.begin(ctx, time.Now().Add(e.cfg.InitLimit))
	switch {
	case errors.Is(err, errTimedOut):
		e.log("platform", err.Error()+"; init will run again inside the first invocation")
		return nil
	case err != nil:
		return err
	case e.cfg.FreezeWhenIdle:
		e.freezeLife(l)
	}
	return nil
}

// begin starts an environment and runs its init. After an error it has been
// taken down again. env is held.
func (e *Emulator) begin(ctx context.Context, deadline time.Time) (*life, error) {
	l, err := newLife(e)
	if err != nil {
		return nil, err
	}
	e.stage.Store(Init)
	e.mu.Lock()
	e.latest = l
	e.mu.Unlock()
	timed, cancel := within(ctx, deadline)
	defer cancel()
	if err := l.begin(timed); err != nil {
		e.stage.Store(Ending)
		l.end(e.hard, reasonFor(err))
		e.stage.Store(Cold)
		return nil, err
	}
	e.mu.Lock()
	e.life = l
	e.mu.Unlock()
	e.stage.Store(Idle)
	return l, nil
}

// reset takes l down if it is still the environment. env is held.
func (e *Emulator) reset(l *life, reason string) {
	if e.current() != l || l == nil {
		return
	}
	e.stage.Store(Ending)
	e.log("platform", "reset: "+reason)
	l.end(e.hard, reason)
	e.mu.Lock()
	e.life = nil
	e.mu.Unlock()
	e.stage.Store(Cold)
}

func (e *Emulator) current() *life {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.life
}

// Shutdown ends the environment as Lambda does: SIGTERM and SIGKILL to the
// function, then a SHUTDOWN event with reason ("" is [Spindown]) and at the end
// of the budget SIGKILL to the extensions. A running invocation ends with
// ErrClosed. When ctx ends first all processes are killed at once and its error
// is returned. Afterwards no process, goroutine or temporary folder is left. A
// second call waits for the first and returns the same.
func (e *Emulator) Shutdown(ctx context.Context, reason string) error {
	e.closing.Do(func() { e.shutdown(ctx, reason) })
	return e.endErr
}

func (e *Emulator) shutdown(ctx context.Context, reason string) {
	if reason == "" {
		reason = Spindown
	}
	e.mu.Lock()
	e.closed = true
	e.mu.Unlock()
	e.stop(ErrClosed)
	hurry := context.AfterFunc(ctx, e.kill)
	e.phases.Wait()
	e.env.Lock()
	defer e.env.Unlock()
	if l := e.current(); l != nil {
		if l.lost() != nil {
			reason = Failure
		}
		e.reset(l, reason)
	}
	if !hurry() {
		e.endErr = context.Cause(ctx)
	}
	e.kill()
	e.spawner.close()
	e.endErr = errors.Join(e.endErr, e.clock.close())
	if e.layerDir != "" {
		e.endErr = errors.Join(e.endErr, removeAll(e.layerDir))
	}
	e.stage.Store(Stopped)
}

// removeAll removes a folder even if a layer's modes made parts of it read-only.
func removeAll(folder string) error {
	_ = filepath.WalkDir(folder, func(path string, entry os.DirEntry, err error) error {
		if err == nil && entry.IsDir() {
			return os.Chmod(path, 0o755) //nolint:gosec // about to be removed
		}
		return nil
	})
	return os.RemoveAll(folder)
}

// State returns what the environment is doing.
func (e *Emulator) State() State {
	stage, _ := e.stage.Load().(State)
	if stage != Idle {
		return stage
	}
	if l := e.current(); l != nil && l.frozen() {
		return Frozen
	}
	if len(e.slots) > 0 {
		return Busy
	}
	return Idle
}

// shifted is t as extensions see it on their shifted wall clock, in
// milliseconds since 1970.
func (e *Emulator) shifted(t time.Time) int64 { return t.Add(e.clock.wall()).UnixMilli() }

func (e *Emulator) log(source, line string) {
	if e.cfg.Log == nil {
		return
	}
	e.logMu.Lock()
	defer e.logMu.Unlock()
	e.cfg.Log(source, line)
}
