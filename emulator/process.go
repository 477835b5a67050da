package emulator

import (
	"bufio"
	"errors"
	"os"
	"os/exec"
	"runtime"
	"sync"
	"syscall"
	"time"
)

const (
	tailLines = 10   // what a Fault tells of a program's output
	lineBytes = 4096 // a longer line is logged in pieces
	// drain is how long output is still read once a program has gone; only a
	// grandchild that left the process group can keep it open longer.
	drain     = 200 * time.Millisecond
	busyTries = 50
)

// process is a program in a process group of its own.
type process struct {
	source  string // "function" or "extension <name>"
	pid     int
	started time.Time // just before exec

	// done is closed once the program was reaped, the rest of its group killed,
	// and its output read. exit and exited are written before.
	done   chan struct{}
	exit   string // "exit status 7", "signal: killed"
	exited time.Time

	mu   sync.Mutex
	tail []string
}

// program is what to start.
type program struct {
	source, path, dir string
	args, env         []string
}

// start runs p by way of s; log gets its lines.
func start(s *spawner, p program, log func(source, line string)) (*process, error) {
	r, w, err := os.Pipe()
	if err != nil {
		return nil, err
	}
	var cmd *exec.Cmd
	proc := &process{source: p.source, done: make(chan struct{})}
	err = s.do(func() (err error) {
		// A file just written can be busy for a moment: a fork elsewhere in this
		// process may hold its descriptor until it has called exec.
		for range busyTries {
			cmd = exec.Command(p.path, p.args...)
			cmd.Env, cmd.Dir = p.env, p.dir
			cmd.Stdout, cmd.Stderr = w, w
			cmd.SysProcAttr = processAttr()
			proc.started = time.Now()
			if err = cmd.Start(); !errors.Is(err, syscall.ETXTBSY) {
				return err
			}
			time.Sleep(time.Millisecond)
		}
		return err
	})
	closeErr := w.Close()
	if err = errors.Join(err, closeErr); err != nil {
		if cmd.Process != nil {
			_ = cmd.Process.Kill() // started, but its output is lost
			_ = cmd.Wait()
		}
		_ = r.Close()
		return nil, explainStart(p.source, p.path, err)
	}
	proc.pid = cmd.Process.Pid
	read := make(chan struct{})
	go func() {
		defer close(read)
		proc.read(r, log)
	}()
	go func() {
		defer close(proc.done)
		_ = cmd.Wait() // the state says it all
		proc.signal(syscall.SIGKILL)
		_ = r.SetReadDeadline(time.Now().Add(drain))
		<-read
		_ = r.Close()
		proc.exited, proc.exit = time.Now(), cmd.ProcessState.String()
	}()
	return proc, nil
}

func (p *process) read(r *os.File, log func(source, line string)) {
	lines := bufio.NewReaderSize(r, lineBytes)
	for {
		line, _, err := lines.ReadLine()
		if err != nil {
			return
		}
		text := string(line)
		p.mu.Lock()
		p.tail = append(p.tail, text)
		if len(p.tail) > tailLines {
			p.tail = p.tail[1:]
		}
		p.mu.Unlock()
		log(p.source, text)
	}
}

// output is the last lines that the process wrote.
func (p *process) output() []string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return append([]string(nil), p.tail...)
}

// signal sends sig to the whole group. A group that has gone is no error.
func (p *process) signal(sig syscall.Signal) {
	if p.alive() {
		_ = syscall.Kill(-p.pid, sig)
	}
}

func (p *process) alive() bool {
	select {
	case <-p.done:
		return false
	default:
		return true
	}
}

// spawner starts processes from one thread that lives as long as the emulator.
// On Linux a child is killed with the thread that forked it, so nothing
// survives a test binary that panics or is killed, and no other thread that
// happens to end takes a child along.
type spawner struct {
	work chan func()
	done chan struct{}
}

func newSpawner() *spawner {
	s := &spawner{work: make(chan func()), done: make(chan struct{})}
	go func() {
		defer close(s.done)
		runtime.LockOSThread() // never unlocked: the thread ends with the goroutine
		for f := range s.work {
			f()
		}
	}()
	return s
}

func (s *spawner) do(f func() error) error {
	result := make(chan error, 1)
	s.work <- func() { result <- f() }
	return <-result
}

func (s *spawner) close() {
	close(s.work)
	<-s.done
}
