//go:build e2e && linux

package e2e_test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
)

// consulVersion is the one that e2e/consul/go.mod requires.
const consulVersion = "v1.21.0"

// theConsul finds the server once for all tests.
var theConsul = sync.OnceValues(findConsul)

// findConsul returns the path of a Consul: the one on the PATH, else one that was
// built from its module before, else one that is built now. That takes minutes;
// who comes second waits for the first.
func findConsul() (string, error) {
	if path, err := exec.LookPath("consul"); err == nil {
		return path, nil
	}
	cache, err := os.UserCacheDir()
	if err != nil {
		return "", err
	}
	dir := filepath.Join(cache, "lift", "bin", "consul@"+consulVersion)
	path := filepath.Join(dir, "consul")
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return "", err
	}
	lock, err := os.Create(filepath.Join(dir, "lock"))
	if err != nil {
		return "", err
	}
	defer lock.Close()
	if err := syscall.Flock(int(lock.Fd()), syscall.LOCK_EX); err != nil {
		return "", err
	}
	if _, err := os.Stat(path); err == nil {
		return path, nil
	}
	cmd := exec.Command("go", "build", "-trimpath", "-o", path+".new", "github.com/hashicorp/consul")
	cmd.Dir = "consul"
	cmd.Env = append(os.Environ(), "GOFLAGS=", "GOWORK=off", "CGO_ENABLED=0")
	if out, err := cmd.CombinedOutput(); err != nil {
		return "", fmt.Errorf("building Consul: %w\n%s", err, out)
	}
	return path, os.Rename(path+".new", path)
}

// consulAgent is a Consul of one agent that is server and client at once and keeps
// all in memory, on a loopback host of its own. It can be killed and started
// again; it knows nothing then.
type consulAgent struct {
	t      *testing.T
	dir    string
	config string
	// Addr is the host and port of its HTTP API, URL is that as the tests reach it.
	Addr, URL string
	Token     string // of the tests' own requests
	client    *http.Client
	process   *child
}

// startConsul starts an agent that is ready when this returns. more is added to its
// configuration.
func startConsul(t *testing.T, more string) *consulAgent {
	t.Helper()
	a := newConsul(t, more)
	a.Start()
	return a
}

// newConsul is an agent that does not run yet.
func newConsul(t *testing.T, more string) *consulAgent {
	t.Helper()
	host, _, err := net.SplitHostPort(ownAddr(t))
	if err != nil {
		t.Fatal(err)
	}
	a := &consulAgent{t: t, dir: t.TempDir(), Addr: net.JoinHostPort(host, "8500"), client: &http.Client{Transport: &http.Transport{}, Timeout: patience}}
	a.URL = "http://" + a.Addr
	a.config = fmt.Sprintf("bind_addr = %q\nclient_addr = %[1]q\nnode_name = \"n1\"\ndisable_update_check = true\nports { dns = -1, grpc = -1, grpc_tls = -1, serf_wan = -1 }\n%s\n", host, more)
	return a
}

// Start starts the agent, again after [consulAgent.Kill].
func (a *consulAgent) Start() {
	a.t.Helper()
	path, err := theConsul()
	if err != nil {
		a.t.Fatal(err)
	}
	file := filepath.Join(a.dir, "agent.hcl")
	write(a.t, file, a.config)
	a.process = startChild(a.t, []string{"HOME=" + a.dir}, path, "agent", "-dev", "-log-level=warn", "-config-file="+file)
	waitFor(a.t, "Consul has a leader and knows its own node", func() bool {
		if !a.process.running() {
			a.t.Fatal("Consul has ended")
		}
		body, status := a.try(http.MethodGet, "/v1/catalog/nodes", nil)
		return status == http.StatusOK && strings.Contains(body, `"n1"`)
	})
}

// Kill ends the agent by SIGKILL.
func (a *consulAgent) Kill() { a.process.kill() }

// try makes one request; the status is 0 if there is no answer.
func (a *consulAgent) try(method, path string, body any) (string, int) {
	a.t.Helper()
	var text bytes.Buffer
	if body != nil {
		if err := json.NewEncoder(&text).Encode(body); err != nil {
			a.t.Fatal(err)
		}
	}
	req, err := http.NewRequestWithContext(context.Background(), method, a.URL+path, &text)
	if err != nil {
		a.t.Fatal(err)
	}
	req.Header.Set("X-Consul-Token", a.Token)
	resp, err := a.client.Do(req)
	if err != nil {
		return err.Error(), 0
	}
	defer resp.Body.Close()
	got, err := io.ReadAll(resp.Body)
	if err != nil {
		return err.Error(), 0
	}
	return string(got), resp.StatusCode
}

// does makes one request that must be answered well.
func (a *consulAgent) does(method, path string, body any) string {
	a.t.Helper()
	text, status := a.try(method, path, body)
	if status != http.StatusOK {
		a.t.Fatalf("%s %s: %d %s", method, path, status, text)
	}
	return text
}

// entry is an instance as Consul is told of it.
type entry map[string]any

// Register announces an instance of orders at addr; more are further fields.
func (a *consulAgent) Register(id, addr string, more entry) {
	a.t.Helper()
	host, port, err := net.SplitHostPort(addr)
	if err != nil {
		a.t.Fatal(err)
	}
	e := entry{"ID": id, "Name": "orders", "Address": host, "Port": json.Number(port)}
	maps.Copy(e, more)
	a.does(http.MethodPut, "/v1/agent/service/register", e)
}

// Deregister takes an instance back.
func (a *consulAgent) Deregister(id string) {
	a.t.Helper()
	a.does(http.MethodPut, "/v1/agent/service/deregister/"+id, nil)
}

// state is the state of an instance's checks, "" if it is not known.
func (a *consulAgent) state(service, id string) string {
	a.t.Helper()
	var checks []struct{ ServiceID, Status string }
	text, status := a.try(http.MethodGet, "/v1/health/checks/"+service, nil)
	if status != http.StatusOK || json.Unmarshal([]byte(text), &checks) != nil {
		return ""
	}
	for _, c := range checks {
		if c.ServiceID == id {
			return c.Status
		}
	}
	return ""
}

// wantState waits for it.
func (a *consulAgent) wantState(service, id, want string) {
	a.t.Helper()
	waitFor(a.t, fmt.Sprintf("%s is %q in Consul", id, want), func() bool { return a.state(service, id) == want })
}
