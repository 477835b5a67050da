//go:build e2e && linux

package e2e_test

import (
	"bufio"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

// upstream is an instance of a service, a process of its own that can be killed,
// hung and told to misbehave. It is told by its standard input and ends with
// that, so that none outlives the tests. It keeps its address when it comes back.
//
// Its answers are JSON: {"instance":"A","method":"GET","body":"...", ...}. A path's
// query can ask for more: ?sleep=200ms waits first, ?size=N answers N bytes
// instead, ?status=N answers with that status.
type upstream struct {
	t    *testing.T
	Name string
	Addr string // host:port; the host is a loopback address of its own
	args []string

	mu    sync.Mutex
	cmd   *exec.Cmd
	tell  io.WriteCloser
	reply *bufio.Reader
}

// startUpstream starts an instance that answers already when this returns. args
// are more flags of the program: what it speaks, if not HTTP/1.1.
func startUpstream(t *testing.T, name string, args ...string) *upstream {
	t.Helper()
	u := &upstream{t: t, Name: name, args: args}
	t.Cleanup(u.stop)
	for tries := 5; ; tries-- { // somebody may take the port, for all hosts
		u.Addr = ownAddr(t)
		err := u.start()
		if err == nil {
			return u
		}
		if tries == 1 {
			t.Fatal(err)
		}
	}
}

// ownAddr finds an address that nothing else takes while nobody listens on it: a
// port of a loopback host that outgoing connections do not come from.
func ownAddr(t *testing.T) string {
	t.Helper()
	host := fmt.Sprintf("127.%d.%d.%d", 1+rand.IntN(250), rand.IntN(256), 1+rand.IntN(250))
	l, err := net.Listen("tcp", host+":0")
	if err != nil {
		t.Fatal(err)
	}
	addr := l.Addr().String()
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	return addr
}

// Start starts the process again, after [upstream.Kill].
func (u *upstream) Start() {
	u.t.Helper()
	if err := u.start(); err != nil {
		u.t.Fatal(err)
	}
}

func (u *upstream) start() error {
	u.stop()
	u.mu.Lock()
	defer u.mu.Unlock()
	cmd := exec.Command(bin.Upstream, append([]string{"-name", u.Name, "-listen", u.Addr}, u.args...)...)
	cmd.Stderr = os.Stderr
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	cmd.Env = append(os.Environ(), "GORACE=atexit_sleep_ms=0")
	tell, err := cmd.StdinPipe()
	if err != nil {
		return err
	}
	reply, err := cmd.StdoutPipe()
	if err != nil {
		return err
	}
	if err := cmd.Start(); err != nil {
		return err
	}
	u.cmd, u.tell, u.reply = cmd, tell, bufio.NewReader(reply)
	if line, err := u.reply.ReadString('\n'); err != nil || line != "listening\n" {
		return fmt.Errorf("upstream %s does not listen: %q %w", u.Name, line, err)
	}
	return nil
}

// Kill ends the process by SIGKILL and waits until it is gone.
func (u *upstream) Kill() { u.stop() }

// Hang stops the process and waits until all of it stands; the kernel goes on
// taking connections for it.
func (u *upstream) Hang() {
	u.t.Helper()
	u.signal(syscall.SIGSTOP)
	waitFor(u.t, "upstream "+u.Name+" stands", func() bool {
		threads, err := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/stat", u.cmd.Process.Pid))
		for _, name := range threads {
			stat, err := os.ReadFile(name)
			_, state, _ := strings.Cut(string(stat), ") ")
			if err == nil && !strings.HasPrefix(state, "T") {
				return false
			}
		}
		return err == nil && len(threads) > 0
	})
}

// Continue ends a hang.
func (u *upstream) Continue() { u.signal(syscall.SIGCONT) }

// Status has every later answer carry this status.
func (u *upstream) Status(code int) { u.order("status " + strconv.Itoa(code)) }

// Delay has every later answer wait first.
func (u *upstream) Delay(d time.Duration) { u.order("delay " + d.String()) }

// Misbehave has every later request answered wrongly: "garbage" is no HTTP,
// "half" breaks off inside the body, "endless" is a header without an end,
// "hangup" closes without an answer, "" is well again.
func (u *upstream) Misbehave(how string) { u.order("misbehave " + how) }

// CloseIdle closes the connections that wait for a request, as a server's idle
// timeout does, and returns how many there were.
func (u *upstream) CloseIdle() int { return u.number("close-idle") }

// Retire has the process take new connections by a server of its own and tell
// all peers of the old one to go (GOAWAY, Connection: close), as a restart does.
func (u *upstream) Retire() { u.order("retire") }

// Opened is how many connections have come since the last start.
func (u *upstream) Opened() int { return u.number("opened") }

// Seen is how many requests with this method have come since the last start.
func (u *upstream) Seen(method string) int { return u.number("seen " + method) }

func (u *upstream) number(order string) int {
	u.t.Helper()
	n, err := strconv.Atoi(u.order(order))
	if err != nil {
		u.t.Fatal(err)
	}
	return n
}

func (u *upstream) order(what string) string {
	u.t.Helper()
	u.mu.Lock()
	defer u.mu.Unlock()
	if _, err := io.WriteString(u.tell, what+"\n"); err != nil {
		u.t.Fatalf("upstream %s: %s: %v", u.Name, what, err)
	}
	line, err := u.reply.ReadString('\n')
	if err != nil {
		u.t.Fatalf("upstream %s: %s: %v", u.Name, what, err)
	}
	return strings.TrimSpace(line)
}

func (u *upstream) signal(s syscall.Signal) {
	u.t.Helper()
	u.mu.Lock()
	defer u.mu.Unlock()
	if err := u.cmd.Process.Signal(s); err != nil {
		u.t.Fatal(err)
	}
}

func (u *upstream) stop() {
	u.mu.Lock()
	defer u.mu.Unlock()
	if u.cmd == nil {
		return
	}
	_ = u.cmd.Process.Kill() // ends a stopped process too
	_ = u.cmd.Wait()
	u.cmd = nil
}

// startUpstreams starts one instance for each name; args are their flags.
func startUpstreams(t *testing.T, args []string, names ...string) []*upstream {
	t.Helper()
	all := make([]*upstream, len(names))
	for i, name := range names {
		all[i] = startUpstream(t, name, args...)
	}
	return all
}
