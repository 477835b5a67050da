package main

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"syscall"
	"time"

	"github.com/liftmesh/lift/demo/report"
)

// caller is a program in another language that makes calls through the plain door, with
// only its language's standard library.
type caller struct {
	language string
	cmd      *exec.Cmd
	ask      io.WriteCloser
	answers  *bufio.Scanner
	told     func(report.Call)

	turn  sync.Mutex // held while a call is running, and while calls are paused
	done  chan struct{}
	ended chan struct{}
}

// startCaller starts a program in the first language that this machine has; nil if it
// has none. told gets the result of each call.
func startCaller(folder, door string, told func(report.Call)) (*caller, error) {
	for _, l := range []struct{ name, program, file string }{{"Python", "python3", "caller.py"}, {"Node", "node", "caller.js"}} {
		program, err := exec.LookPath(l.program)
		if err != nil || exec.Command(program, "--version").Run() != nil { // some only say how to install it
			continue
		}
		c := &caller{language: l.name, told: told, done: make(chan struct{}), ended: make(chan struct{})}
		c.cmd = exec.Command(program, filepath.Join(folder, l.file), door, callTimeout.String())
		c.cmd.Stderr = os.Stderr
		c.cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true} // Ctrl-C goes to the demo only
		out, err := c.cmd.StdoutPipe()
		if err != nil {
			return nil, err
		}
		c.answers = bufio.NewScanner(out)
		if c.ask, err = c.cmd.StdinPipe(); err != nil {
			return nil, err
		}
		if err := c.cmd.Start(); err != nil {
			return nil, err
		}
		go c.flow()
		return c, nil
	}
	return nil, nil
}

// flow makes one call after the other, at the demo's pace.
func (c *caller) flow() {
	defer close(c.ended)
	for c.call() {
		select {
		case <-time.After(pace):
		case <-c.done:
			return
		}
	}
}

func (c *caller) call() (goesOn bool) {
	c.turn.Lock()
	defer c.turn.Unlock()
	if _, err := fmt.Fprintln(c.ask); err != nil || !c.answers.Scan() {
		return false
	}
	call := report.Call{Way: report.Caller, Lift: true}
	if err := json.Unmarshal(c.answers.Bytes(), &call); err != nil {
		call.Error = err.Error()
	}
	c.told(call)
	return true
}

// pause waits for the running call and stops further calls until resume.
func (c *caller) pause() {
	if c != nil {
		c.turn.Lock()
	}
}

func (c *caller) resume() {
	if c != nil {
		c.turn.Unlock()
	}
}

// stop ends the program and waits until it is gone.
func (c *caller) stop() {
	if c == nil || c.cmd == nil {
		return
	}
	close(c.done)
	_ = c.cmd.Process.Kill()
	<-c.ended
	_ = c.cmd.Wait()
	c.cmd = nil
}
