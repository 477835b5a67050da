package main

import (
	"errors"
	"io"
	"os"
	"os/exec"
	"syscall"
	"time"
)

// command is what to start.
type command struct {
	path      string
	args, env []string // args[0] is the name that it is called by
}

// process is one that runs, in a process group of its own unless it shares
// lift's.
type process struct {
	cmd    *exec.Cmd
	shared bool
	done   chan struct{} // closed once it has ended; cmd.ProcessState says how
}

// start starts c. If the calling thread ends, which is to say lift, die is sent
// to the process (on Linux), so that nothing outlives a lift that was killed: the
// caller must have locked its thread.
func start(c command, in io.Reader, out, err io.Writer, shared bool, die syscall.Signal) (*process, error) {
	p := &process{cmd: &exec.Cmd{Path: c.path, Args: c.args, Env: c.env, Stdin: in, Stdout: out, Stderr: err}, shared: shared, done: make(chan struct{})}
	p.cmd.SysProcAttr = attributes(!shared, die)
	if err := p.cmd.Start(); err != nil {
		return nil, err
	}
	go func() {
		defer close(p.done)
		_ = p.cmd.Wait() // the state says it all
	}()
	return p, nil
}

func (p *process) running() bool {
	select {
	case <-p.done:
		return false
	default:
		return true
	}
}

// signal sends sig to the process and, if it has a group of its own, to all of it.
func (p *process) signal(sig syscall.Signal) {
	if p.shared {
		if p.running() {
			_ = p.cmd.Process.Signal(sig)
		}
		return
	}
	_ = syscall.Kill(-p.cmd.Process.Pid, sig)
}

// sweep ends what the process has left behind in its group: SIGTERM, and SIGKILL
// after a while.
func (p *process) sweep(after time.Duration) {
	if p.shared {
		return // it is lift's group too, and that of who started lift
	}
	const look = 10 * time.Millisecond
	tick := time.NewTicker(look)
	defer tick.Stop()
	for sig := syscall.SIGTERM; after > 0; after -= look {
		if errors.Is(syscall.Kill(-p.cmd.Process.Pid, sig), syscall.ESRCH) {
			return
		}
		sig = 0 // from now on it is only asked whether there is anybody
		<-tick.C
	}
	p.signal(syscall.SIGKILL)
}

// code is the exit code as a shell has it: 128 + n for signal n.
func (p *process) code() int {
	if status, ok := p.cmd.ProcessState.Sys().(syscall.WaitStatus); ok && status.Signaled() {
		return 128 + int(status.Signal())
	}
	return p.cmd.ProcessState.ExitCode()
}

// inForeground reports whether lift runs in the foreground of a terminal, which
// then sends Ctrl-C to all of its process group, and gives input to no other.
func inForeground() bool {
	tty, err := os.OpenFile("/dev/tty", os.O_RDWR, 0)
	if err != nil {
		return false
	}
	defer tty.Close()
	group, err := foregroundGroup(tty)
	return err == nil && group == syscall.Getpgrp()
}
