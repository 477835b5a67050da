//go:build e2e && linux

package e2e_test

import (
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"google.golang.org/grpc/health/grpc_health_v1"

	"github.com/liftmesh/lift/sdk"
)

// rewrite replaces the sidecar's lift.yaml as editors do, and has it read.
func (s *sidecarProcess) rewrite(t *testing.T, text string) {
	t.Helper()
	name := s.file + ".new"
	write(t, name, text)
	if err := os.Rename(name, s.file); err != nil {
		t.Fatal(err)
	}
}

// reload is rewrite and SIGHUP. It waits until the sidecar has said one more time
// what it made of it.
func (s *sidecarProcess) reload(t *testing.T, text, says string) {
	t.Helper()
	before := len(s.out.matching(says))
	s.rewrite(t, text)
	s.signal(t, syscall.SIGHUP)
	waitFor(t, "it says "+says, func() bool { return len(s.out.matching(says)) > before })
}

const (
	reloaded = `"msg":"reloaded"`
	refused  = `the new configuration is refused`
)

// Calls go on at a thousand a second, or as fast as the machine lets them, while
// the configuration changes in every way; none fails.
func TestReloadsUnderCalls(t *testing.T) {
	t.Parallel()
	room := startWaitingRoom(t)
	var addrs []string
	for range 3 {
		addrs = append(addrs, startWaitingRoom(t).addr())
	}
	variants := []string{
		"services: {orders: {from: static, endpoints: %[1]s}, steady: {from: static, endpoints: %[3]s}}\n",
		"services: {orders: {from: static, endpoints: %[2]s, timeout: 3s}, steady: {from: static, endpoints: %[3]s}}\n",
		"services: {orders: {from: static, endpoints: %[1]s, balancer: {strategy: round_robin}}, steady: {from: static, endpoints: %[3]s}, extra: {from: static, endpoints: %[3]s, warm: 1}}\n",
		"services: {orders: {from: static, endpoints: %[1]s, connections: {max: 32}, retry: {attempts: 5}}, steady: {from: static, endpoints: %[3]s}}\n",
		"log: {level: warn}\nservices: {orders: {from: static, endpoints: %[2]s, breaker: {window: 10s}}, steady: {from: static, endpoints: %[3]s}}\n",
	}
	text := func(i int) string {
		return fmt.Sprintf(variants[i%len(variants)]+"# %[1]s %[2]s\n", endpoints(addrs[0], addrs[1]), endpoints(addrs[1], addrs[2]), endpoints(room.addr()))
	}
	p := startPlain(t, text(0))
	client := p.dial(t)
	config, err := os.ReadFile(p.file)
	if err != nil {
		t.Fatal(err)
	}
	head, _, _ := strings.Cut(string(config), "services:") // the plain door of the test

	var calls, failed atomic.Int64
	var work sync.WaitGroup
	stop := make(chan struct{})
	for w := range 20 {
		work.Go(func() {
			tick := time.NewTicker(20 * time.Millisecond)
			defer tick.Stop()
			for i := w; ; i++ {
				select {
				case <-stop:
					return
				case <-tick.C:
				}
				service := []string{"orders", "steady"}[i%2]
				var err error
				switch i / 2 % 3 {
				case 0:
					_, err = sdk.Get[answer](within(t, patience), client, service, "/")
				case 1:
					_, err = sdk.Post[answer](within(t, patience), client, service, "/", answer{})
				case 2:
					var resp *http.Response
					if resp, err = p.client.Post("http://"+service+"/", "application/json", strings.NewReader("{}")); err == nil {
						if resp.StatusCode != http.StatusOK {
							err = fmt.Errorf("status %d, %s", resp.StatusCode, resp.Header.Get("Lift-Error"))
						}
						_ = resp.Body.Close()
					}
				}
				calls.Add(1)
				if err != nil && failed.Add(1) <= 5 {
					t.Errorf("a call of %s: %v", service, err)
				}
			}
		})
	}
	const reloads = 30
	for i := 1; i <= reloads; i++ {
		said := "log: {level: info}\n"
		if strings.HasPrefix(text(i), "log:") {
			said = ""
		}
		p.rewrite(t, head+said+text(i))
		p.signal(t, syscall.SIGHUP)
		time.Sleep(100 * time.Millisecond)
	}
	close(stop)
	work.Wait()
	t.Logf("%d calls, %d failed, over %d reloads", calls.Load(), failed.Load(), reloads)
	if p.out.has(refused) || !p.out.has(reloaded) {
		t.Error("it did not take them all up")
	}
	// steady was never touched.
	if n := len(p.out.matching(`"msg":"endpoints","service":"steady"`)); n != 1 {
		t.Errorf("the set of steady was told %d times", n)
	}
}

// A changed file is found without a signal, also behind the links of a Kubernetes
// ConfigMap.
func TestConfigMapIsFollowed(t *testing.T) {
	t.Parallel()
	room := startWaitingRoom(t)
	dir := t.TempDir()
	publish := func(version, text string) {
		t.Helper()
		folder := filepath.Join(dir, "..", filepath.Base(dir)+version)
		if err := os.Mkdir(folder, 0o700); err != nil {
			t.Fatal(err)
		}
		write(t, filepath.Join(folder, "lift.yaml"), text)
		if err := os.Symlink(folder, filepath.Join(dir, "..tmp")); err != nil {
			t.Fatal(err)
		}
		if err := os.Rename(filepath.Join(dir, "..tmp"), filepath.Join(dir, "..data")); err != nil {
			t.Fatal(err)
		}
	}
	publish("1", room.config())
	if err := os.Symlink("..data/lift.yaml", filepath.Join(dir, "lift.yaml")); err != nil {
		t.Fatal(err)
	}
	socket := filepath.Join(t.TempDir(), "lift.sock")
	c := startChild(t, []string{"LIFT_CONFIG=" + filepath.Join(dir, "lift.yaml"), "LIFT_SOCKET=" + socket}, bin.TestExtension)
	s := (&sidecarProcess{child: c, socket: socket}).serving(t)
	client := s.dial(t)
	mustCall(t, client)
	publish("2", strings.Replace(room.config(), "orders:", "billing:", 1))
	s.out.find(reloaded)
	if _, err := sdk.Get[answer](within(t, patience), client, "billing", "/"); err != nil {
		t.Error(err)
	}
}

// Whatever is wrong with the new file, the old configuration stays in force, the
// sidecar serves and is healthy, and one line says all that is wrong.
func TestBrokenReloadsAreRefused(t *testing.T) {
	t.Parallel()
	room := startWaitingRoom(t)
	taken := startWaitingRoom(t)
	s := startSidecar(t, room.config())
	client := s.dial(t)
	good := room.config()
	refuse := func(name string, change func(), says ...string) {
		t.Helper()
		before := len(s.out.matching(refused))
		change()
		s.signal(t, syscall.SIGHUP)
		waitFor(t, name+": it is refused", func() bool { return len(s.out.matching(refused)) > before })
		for _, part := range says {
			if last := s.out.matching(refused)[before]; !strings.Contains(last.text, part) {
				t.Errorf("%s: it does not say %q", name, part)
			}
		}
		mustCall(t, client)
		mustCall(t, s.dial(t))
		if status := healthy(t, s.socket); status != grpc_health_v1.HealthCheckResponse_SERVING {
			t.Errorf("%s: it is %s", name, status)
		}
	}
	text := func(text string) func() { return func() { s.rewrite(t, text) } }
	refuse("two faults", text(good+"services: {}\n"), "there twice")
	refuse("faults in two services", text("services:\n  orders: {from: static, endpoint: [\"a:1\"]}\n  b: {from: nowhere}\n"), "lift.yaml:2:", "lift.yaml:3:")
	refuse("half written", text(good[:len(good)/2]))
	refuse("no YAML", text("\x00\xff"))
	refuse("an address that is taken", text(fmt.Sprintf("plain: [%q]\n", taken.addr())+strings.Replace(good, "orders", "other", 1)), "choose another port")
	refuse("removed", func() {
		if err := os.Remove(s.file); err != nil {
			t.Fatal(err)
		}
	}, "does not exist")
	refuse("a folder", func() {
		if err := os.Mkdir(s.file, 0o700); err != nil {
			t.Fatal(err)
		}
	}, "is a directory")
	if err := os.Remove(s.file); err != nil {
		t.Fatal(err)
	}
	s.reload(t, strings.TrimSuffix(good, "\n"), reloaded) // no newline at the end is no fault
	mustCall(t, client)
}

// Doors open and close with the file; what only a restart changes is said.
func TestReloadOfDoors(t *testing.T) {
	t.Parallel()
	room := startWaitingRoom(t)
	two := startWaitingRoom(t)
	base := func(more, orders, other string) string {
		return fmt.Sprintf("%sservices:\n  orders: {from: static, endpoints: %s%s, timeout: 20s, attempt_timeout: 20s}\n  other: {from: static, endpoints: %s%s}\n",
			more, endpoints(room.addr()), orders, endpoints(two.addr()), other)
	}
	s := startSidecar(t, base("", "", ""))
	at, own := ownAddr(t), ownAddr(t)
	web := &http.Client{Transport: &http.Transport{}}
	t.Cleanup(web.CloseIdleConnections)
	get := func(addr, service, path string) string {
		t.Helper()
		req, err := http.NewRequestWithContext(within(t, patience), http.MethodGet, "http://"+addr+path, nil)
		if err != nil {
			t.Fatal(err)
		}
		if service != "" {
			req.Header.Set("Lift-Service", service)
		}
		resp, err := web.Do(req)
		if err != nil {
			return "refused"
		}
		defer resp.Body.Close()
		return resp.Status
	}
	is := func(got, want string) {
		t.Helper()
		if got != want {
			t.Errorf("got %s, want %s", got, want)
		}
	}
	is(get(at, "orders", "/"), "refused")
	s.reload(t, base(fmt.Sprintf("plain: [%q]\nlimits: {calls: 7}\nsocket_mode: \"0660\"\n", at), fmt.Sprintf(", listen: %q", own), ""), reloaded)
	is(get(at, "orders", "/"), "200 OK")
	is(get(own, "", "/"), "200 OK")
	s.out.find(`"keys":["socket_mode","limits.calls"]`)

	// The address goes over to another service while a call runs by it.
	slow := make(chan string, 1)
	go func() { slow <- get(own, "", "/slow") }()
	<-room.arrived
	s.reload(t, base("log: {level: debug}\n", "", fmt.Sprintf(", listen: %q", own)), reloaded)
	is(get(at, "orders", "/"), "refused")
	waitFor(t, "the other service is called there", func() bool {
		before := s.out.matching(`"service":"other"`)
		return get(own, "", "/") == "200 OK" && len(s.out.matching(`"service":"other"`)) > len(before)
	})
	room.release()
	is(<-slow, "200 OK")
}
