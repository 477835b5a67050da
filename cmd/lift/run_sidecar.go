package main

import (
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"syscall"
	"time"
)

// readyWithin is how long a sidecar may take to serve. It takes milliseconds; a
// machine may be busy.
const readyWithin = 30 * time.Second

// extension is a lift-extension that runs. It tells when it serves by systemd's
// protocol: one datagram to $NOTIFY_SOCKET.
type extension struct {
	*process
	ready chan struct{} // closed when every door is open
}

// startExtension starts it; its log goes to log. Signals of the terminal do not
// reach it: it outlives the program.
func startExtension(c command, log io.Writer) (*extension, error) {
	dir, err := os.MkdirTemp("", "lift-run-")
	if err != nil {
		return nil, err
	}
	at := filepath.Join(dir, "notify")
	told, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Name: at, Net: "unixgram"})
	if err != nil {
		_ = os.RemoveAll(dir)
		return nil, fmt.Errorf("a socket in $TMPDIR: %w", err)
	}
	c.args, c.env = []string{c.path}, with(c.env, "NOTIFY_SOCKET="+at)
	p, err := start(c, nil, log, log, false, syscall.SIGTERM)
	if err != nil {
		_ = told.Close()
		_ = os.RemoveAll(dir)
		return nil, fmt.Errorf("%s: %w", c.path, err)
	}
	s := &extension{process: p, ready: make(chan struct{})}
	go s.listen(told, dir)
	go func() {
		<-s.done
		_ = told.Close()
	}()
	return s, nil
}

// listen waits for the one word that matters, or for the sidecar's end, and removes
// the socket: a lift that is killed later leaves nothing behind.
func (s *extension) listen(told *net.UnixConn, dir string) {
	defer os.RemoveAll(dir)
	defer func() { _ = told.Close() }()
	for b := make([]byte, 4096); ; {
		n, err := told.Read(b)
		if err != nil {
			return
		}
		if string(b[:n]) == "READY=1" {
			close(s.ready)
			return
		}
	}
}

// how is how it ended, as a message says it.
func (s *extension) how() string { return s.cmd.ProcessState.String() }
