package sdk_test

import (
	"context"
	"errors"
	"net"
	"path/filepath"
	"reflect"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"google.golang.org/grpc/test/bufconn"

	"github.com/liftmesh/lift"
	lines "github.com/liftmesh/lift/internal/session"
	"github.com/liftmesh/lift/registry"
	"github.com/liftmesh/lift/sdk"
	"github.com/liftmesh/lift/sidecar"
)

// ledger is a registrar that writes down what is announced.
type ledger struct {
	mu   sync.Mutex
	held map[string]registry.Instance
	told int
	fail error
	hang bool
}

func (l *ledger) Register(ctx context.Context, i registry.Instance) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.fail != nil {
		return l.fail
	}
	if l.held == nil {
		l.held = map[string]registry.Instance{}
	}
	l.held[i.ID] = i
	l.told++
	return ctx.Err()
}

func (l *ledger) Deregister(ctx context.Context, id string) error {
	l.mu.Lock()
	hang := l.hang
	l.mu.Unlock()
	if hang {
		<-ctx.Done()
		return ctx.Err()
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	delete(l.held, id)
	return nil
}

func (l *ledger) has(id string) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	_, ok := l.held[id]
	return ok
}

// place is where sidecars come and go, in memory.
type place struct {
	t  *testing.T
	mu sync.Mutex
	at *bufconn.Listener
}

func (p *place) dial(ctx context.Context) (net.Conn, error) {
	p.mu.Lock()
	l := p.at
	p.mu.Unlock()
	return l.DialContext(ctx)
}

// open has a new sidecar come in the place of the last.
func (p *place) open(r registry.Registrar) *sidecar.Server {
	l := bufconn.Listen(64 << 10)
	p.mu.Lock()
	p.at = l
	p.mu.Unlock()
	srv, err := sidecar.On(l, sidecar.Config{Caller: newEngine(p.t, always(200, "")), Registrar: r})
	if err != nil {
		p.t.Fatal(err)
	}
	served := make(chan error, 1)
	go func() { served <- srv.Serve(context.Background()) }()
	p.t.Cleanup(func() {
		srv.Close()
		if err := <-served; err != nil {
			p.t.Error(err)
		}
	})
	return srv
}

func (p *place) client() (*sdk.Client, func()) {
	s, err := lines.Dial("", lines.Options{Dial: p.dial})
	if err != nil {
		p.t.Fatal(err)
	}
	stop := sync.OnceFunc(func() { _ = s.Close() })
	p.t.Cleanup(stop)
	return sdk.New(s), stop
}

var orders1 = registry.Instance{
	ID: "orders-1", Service: "orders", Addr: "10.0.0.7:8080", Zone: "z", Weight: 2, Tags: []string{"v2"}, Meta: map[string]string{"a": "b"},
	Check: registry.Check{HTTP: "http://10.0.0.7:8080/", Interval: 5 * time.Second, Timeout: time.Second, RemoveAfter: time.Minute},
}

func TestRegister(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := &place{t: t}
		l := &ledger{}
		srv := p.open(l)
		client, stop := p.client()
		if err := client.Register(t.Context(), orders1); err != nil {
			t.Fatal(err)
		}
		if got := l.held["orders-1"]; !reflect.DeepEqual(got, orders1) {
			t.Errorf("got %+v, want %+v", got, orders1)
		}
		if err := client.Deregister(t.Context(), "orders-1"); err != nil || l.has("orders-1") {
			t.Errorf("it is still there: %v", err)
		}
		if err := client.Deregister(t.Context(), "nobody"); err != nil {
			t.Errorf("what is not there: %v", err)
		}

		// Errors: the instance's, the registry's.
		err := client.Register(t.Context(), registry.Instance{ID: "x", Service: "y", Addr: ":80"})
		wantCode(t, err, lift.InvalidCall)
		// Nobody has the sidecar ask another host, nor permits it to himself.
		for _, check := range []registry.Check{
			{HTTP: "http://169.254.169.254/latest/"},
			{HTTP: "http://169.254.169.254/latest/", Host: "169.254.169.254"},
			{TCP: "127.0.0.1:22", Host: "127.0.0.1"},
		} {
			evil := orders1
			evil.Check = check
			err := client.Register(t.Context(), evil)
			wantCode(t, err, lift.InvalidCall)
			if err == nil || !strings.Contains(err.Error(), "want the instance's own, 10.0.0.7") || l.has("orders-1") {
				t.Errorf("%+v: %v", check, err)
			}
		}
		l.fail = errors.New("permission denied")
		err = client.Register(t.Context(), orders1)
		if e := wantCode(t, err, lift.Unavailable); !strings.Contains(e.Error(), "permission denied") || e.Service != "orders" {
			t.Errorf("got %v", err)
		}
		l.fail = nil

		// A program that has gone is taken back, not at once.
		if err := client.Register(t.Context(), orders1); err != nil {
			t.Fatal(err)
		}
		stop()
		time.Sleep(9 * time.Second)
		if !l.has("orders-1") {
			t.Error("taken back at once")
		}
		time.Sleep(2 * time.Second)
		if l.has("orders-1") {
			t.Error("it is announced though its program has gone")
		}

		// One that comes back in time stays; the drain takes it back.
		first, stop := p.client()
		if err := first.Register(t.Context(), orders1); err != nil {
			t.Fatal(err)
		}
		stop()
		second, _ := p.client()
		if err := second.Register(t.Context(), orders1); err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Minute)
		if !l.has("orders-1") {
			t.Error("taken back though its program has come again")
		}
		srv.Announce()
		synctest.Wait()
		if l.has("orders-1") {
			t.Error("it is announced though the sidecar is about to go")
		}
		err = second.Register(t.Context(), orders1)
		wantCode(t, err, lift.Draining)
		if err := srv.Drain(t.Context()); err != nil {
			t.Error(err)
		}
	})
}

// A sidecar that comes anew is told again, without a call.
func TestRegisterOutlivesTheSidecar(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := &place{t: t}
		old := p.open(&ledger{})
		client, _ := p.client()
		if err := client.Register(t.Context(), orders1); err != nil {
			t.Fatal(err)
		}
		old.Close()
		time.Sleep(time.Minute)
		l := &ledger{fail: errors.New("not yet")}
		p.open(l)
		time.Sleep(5 * time.Second)
		l.mu.Lock()
		l.fail = nil
		l.mu.Unlock()
		time.Sleep(2 * time.Second)
		if !l.has("orders-1") {
			t.Error("the new sidecar does not know of it")
		}
		time.Sleep(time.Hour)
		if l.told != 1 {
			t.Errorf("it was told %d times", l.told)
		}
		if err := client.Deregister(t.Context(), "orders-1"); err != nil || l.has("orders-1") {
			t.Errorf("it is still there: %v", err)
		}
		if err := client.Register(t.Context(), orders1); err != nil || !l.has("orders-1") {
			t.Errorf("it is not there: %v", err)
		}
	})
}

// A registry that hangs holds the drain for a while, not for ever.
func TestRegisterWhereTheRegistryHangs(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := &place{t: t}
		l := &ledger{hang: true}
		srv := p.open(l)
		client, _ := p.client()
		if err := client.Register(t.Context(), orders1); err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		wantCode(t, client.Deregister(ctx, "orders-1"), lift.DeadlineExceeded)
		began := time.Now()
		if err := srv.Drain(t.Context()); err != nil || time.Since(began) > 6*time.Second {
			t.Errorf("the drain took %s, %v", time.Since(began), err)
		}
	})
}

func TestRegisterWithoutARegistry(t *testing.T) {
	socket := filepath.Join(t.TempDir(), "lift.sock")
	serve(t, socket, newEngine(t, always(200, "")))
	err := dial(t, socket).Register(t.Context(), orders1)
	if e := wantCode(t, err, lift.Misconfigured); !strings.Contains(e.Error(), "lift.yaml") {
		t.Errorf("got %v", err)
	}
	wantCode(t, sdk.New(newEngine(t, always(200, ""))).Register(t.Context(), orders1), lift.Misconfigured)
}
