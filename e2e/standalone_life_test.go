//go:build e2e && linux

package e2e_test

import (
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/liftmesh/lift"
	"github.com/liftmesh/lift/sdk"
)

// waitingRoom is an upstream in this process: /slow waits to be let go, all else
// answers at once.
type waitingRoom struct {
	*httptest.Server
	arrived chan struct{} // one for each call to /slow
	release func()
}

func startWaitingRoom(t *testing.T) *waitingRoom {
	t.Helper()
	open := make(chan struct{})
	w := &waitingRoom{arrived: make(chan struct{}, 16), release: sync.OnceFunc(func() { close(open) })}
	w.Server = httptest.NewServer(http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/slow" {
			w.arrived <- struct{}{}
			select {
			case <-open:
			case <-r.Context().Done():
				return
			}
		}
		rw.Header().Set("Content-Type", "application/json")
		fmt.Fprintf(rw, `{"instance":"room"}`)
	}))
	t.Cleanup(func() { w.release(); w.Close() })
	return w
}

func (w *waitingRoom) addr() string { return w.Listener.Addr().String() }

// config is a lift.yaml in which the room serves orders, with time to wait.
func (w *waitingRoom) config() string {
	return fmt.Sprintf("services: {orders: {from: static, endpoints: %s, timeout: 20s, attempt_timeout: 20s}}\n", endpoints(w.addr()))
}

// slow makes a call that waits, and returns when it has arrived upstream.
func (w *waitingRoom) slow(t *testing.T, client *sdk.Client, method string) <-chan error {
	t.Helper()
	done := make(chan error, 1)
	ctx := within(t, patience)
	go func() {
		_, err := sdk.JSON[answer](ctx, client, method, "orders", "/slow", nil)
		done <- err
	}()
	select {
	case <-w.arrived:
	case err := <-done:
		t.Fatalf("the slow call did not wait: %v", err)
	case <-time.After(patience):
		t.Fatal("the slow call does not arrive upstream")
	}
	return done
}

// mustCall makes a call that has to go well.
func mustCall(t *testing.T, client *sdk.Client) {
	t.Helper()
	if _, err := sdk.Get[answer](within(t, patience), client, "orders", "/"); err != nil {
		t.Fatalf("a healthy call: %v", err)
	}
}

func TestSecondSidecarIsRefused(t *testing.T) {
	t.Parallel()
	room := startWaitingRoom(t)
	first := startSidecar(t, room.config())
	client := first.dial(t)
	mustCall(t, client)
	second := launchSidecar(t, first.socket, room.config(), bin.TestExtension)
	if code := second.exited(t); code != 1 {
		t.Errorf("the second has exit code %d", code)
	}
	second.says(t, first.socket, fmt.Sprintf("pid %d", first.pid()), "socket:")
	mustCall(t, client)
	mustCall(t, first.dial(t))
}

func TestStaleSocketIsTakenOver(t *testing.T) {
	t.Parallel()
	room := startWaitingRoom(t)
	first := startSidecar(t, room.config())
	first.kill(t)
	if _, err := os.Lstat(first.socket); err != nil {
		t.Fatalf("the killed sidecar leaves its socket: %v", err)
	}
	mustCall(t, startSidecarAt(t, first.socket, room.config()).dial(t))
}

func TestUnlinkedSocketIsMadeAnew(t *testing.T) {
	t.Parallel()
	room := startWaitingRoom(t)
	s := startSidecar(t, room.config())
	before := s.dial(t)
	mustCall(t, before)
	// The whole folder, as a cleaner of /tmp does.
	if err := os.RemoveAll(filepath.Dir(s.socket)); err != nil {
		t.Fatal(err)
	}
	mustCall(t, before)
	waitFor(t, "the socket is there again", func() bool {
		info, err := os.Lstat(s.socket)
		return err == nil && info.Mode().Perm() == 0o600
	})
	mustCall(t, s.dial(t))
	mustCall(t, before)
}

func TestSidecarKilledUnderACall(t *testing.T) {
	t.Parallel()
	room := startWaitingRoom(t)
	s := startSidecar(t, room.config())
	client := s.dial(t)
	direct := s.dial(t, sdk.Direct(map[string]string{"orders": room.URL}))
	post := room.slow(t, client, http.MethodPost)
	get := room.slow(t, client, http.MethodGet)
	directPost := room.slow(t, direct, http.MethodPost)
	directGet := room.slow(t, direct, http.MethodGet)
	s.kill(t)

	// Lift cannot know what became of them, and says so.
	for name, call := range map[string]<-chan error{"POST": post, "GET": get, "POST with a direct URL": directPost} {
		err := <-call
		if e, ok := errors.AsType[*lift.Error](err); !ok || e.Code != lift.SessionLost || e.Reached != lift.MayHaveActed {
			t.Errorf("%s under which the sidecar died: %v", name, err)
		}
	}
	// An idempotent one goes direct, if there is a way.
	<-room.arrived
	room.release()
	if err := <-directGet; err != nil {
		t.Errorf("GET with a direct URL under which the sidecar died: %v", err)
	}

	began := time.Now()
	_, err := sdk.Post[answer](within(t, patience), client, "orders", "/", answer{})
	if e, ok := errors.AsType[*lift.Error](err); !ok || e.Code != lift.NoSidecar || e.Reached != lift.NotReached || !strings.Contains(err.Error(), s.socket) {
		t.Errorf("a call without a sidecar: %v", err)
	}
	if took := time.Since(began); took > 5*time.Second {
		t.Errorf("it took %s to see that there is none", took)
	}
	var rec sdk.Record
	if _, err := sdk.Post[answer](within(t, patience), direct, "orders", "/", answer{}, sdk.RecordIn(&rec)); err != nil || !rec.Direct() {
		t.Errorf("a direct call: %v, direct: %v", err, rec.Direct())
	}

	again := startSidecarAt(t, s.socket, room.config())
	for _, c := range []*sdk.Client{client, direct} {
		waitFor(t, "the client finds the new sidecar", func() bool {
			var rec sdk.Record
			_, err := sdk.Get[answer](within(t, patience), c, "orders", "/", sdk.RecordIn(&rec))
			return err == nil && !rec.Direct()
		})
	}
	if n := again.descriptors(t); n > 40 {
		t.Errorf("%d descriptors are open", n)
	}
}

// A sidecar that stands still holds no caller beyond its deadline.
func TestHungSidecar(t *testing.T) {
	t.Parallel()
	room := startWaitingRoom(t)
	s := startSidecar(t, room.config())
	client := s.dial(t)
	mustCall(t, client)
	s.signal(t, syscall.SIGSTOP)
	for name, c := range map[string]*sdk.Client{"open session": client, "new session": s.dial(t)} {
		began := time.Now()
		_, err := sdk.Get[answer](within(t, 500*time.Millisecond), c, "orders", "/")
		if took := time.Since(began); took > 5*time.Second || err == nil {
			t.Errorf("%s: %v after %s", name, err, took)
		}
		if code := lift.CodeOf(err); code != lift.DeadlineExceeded && code != lift.NoSidecar {
			t.Errorf("%s: %v", name, err)
		}
	}
	s.signal(t, syscall.SIGCONT)
	mustCall(t, client)
}

func TestBrokenConfigIsRefusedStandalone(t *testing.T) {
	t.Parallel()
	s := launchSidecar(t, filepath.Join(t.TempDir(), "lift.sock"), "services:\n  orders: {from: static, endpoint: [\"a:1\"]}\n  b: {from: nowhere}\n", bin.TestExtension)
	if code := s.exited(t); code != 1 {
		t.Errorf("exit code %d", code)
	}
	s.says(t, "lift.yaml:2:", "lift.yaml:3:", "endpoints", "nowhere")
	if _, err := net.Dial("unix", s.socket); err == nil {
		t.Error("somebody listens")
	}
}
