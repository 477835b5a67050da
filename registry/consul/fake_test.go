package consul

import (
	"context"
	"encoding/json"
	"net"
	"net/http"
	"net/url"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/hashicorp/consul/api"

	"github.com/liftmesh/lift"
)

// fake is Consul's HTTP API as far as Lift uses it, over pipes, so that it runs
// in a bubble.
type fake struct {
	conns chan net.Conn
	began time.Time
	end   chan struct{}

	mu      sync.Mutex
	entries []*api.ServiceEntry
	index   uint64
	changed chan struct{}
	answer  http.HandlerFunc // instead of what follows, if set
	header  map[string]string
	asked   []asked
	streams bool
	out     int // requests that have not been answered
	held    int // of them, those that wait for a change
	open    int // connections
	skew    time.Duration
}

// asked is one request.
type asked struct {
	at    time.Duration
	path  string
	query url.Values
	token string
}

func newFake(t *testing.T, set ...lift.Endpoint) *fake {
	t.Helper()
	f := &fake{conns: make(chan net.Conn), began: time.Now(), end: make(chan struct{}), index: 7, changed: make(chan struct{}), header: map[string]string{}}
	f.entries = entriesOf(set)
	s := &http.Server{Handler: f, ReadHeaderTimeout: time.Hour, ConnState: func(_ net.Conn, state http.ConnState) {
		f.change(func() {
			switch state {
			case http.StateNew:
				f.open++
			case http.StateClosed, http.StateHijacked:
				f.open--
			}
		})
	}}
	done := make(chan struct{})
	go func() {
		defer close(done)
		_ = s.Serve(f)
	}()
	t.Cleanup(func() {
		close(f.end)
		<-done
		_ = s.Close()
	})
	return f
}

func (f *fake) Accept() (net.Conn, error) {
	select {
	case c := <-f.conns:
		return c, nil
	case <-f.end:
		return nil, net.ErrClosed
	}
}
func (f *fake) Close() error   { return nil }
func (f *fake) Addr() net.Addr { return &net.TCPAddr{} }

func (f *fake) dial(ctx context.Context, _, _ string) (net.Conn, error) {
	ours, theirs := net.Pipe()
	select {
	case f.conns <- theirs:
		return ours, nil
	case <-ctx.Done():
		return nil, ctx.Err()
	case <-f.end:
		return nil, net.ErrClosed
	}
}

// now reads clocks of which the wall's can be set apart.
func (f *fake) now() lift.Instant {
	f.mu.Lock()
	defer f.mu.Unlock()
	return lift.Instant{Wall: time.Now().Round(0).Add(f.skew), Mono: time.Since(f.began)}
}

func (f *fake) client(t *testing.T, change func(*Config)) *Client {
	t.Helper()
	c := Config{Dial: f.dial, Now: f.now, Rand: func() uint64 { return 0 }}
	if change != nil {
		change(&c)
	}
	client, err := New(c)
	if err != nil {
		t.Fatal(err)
	}
	return client
}

func (f *fake) change(what func()) {
	f.mu.Lock()
	defer f.mu.Unlock()
	what()
}

// set changes who serves, and lets waiting queries go.
func (f *fake) set(set ...lift.Endpoint) {
	f.change(func() {
		f.entries, f.answer = entriesOf(set), nil
		f.index++
		f.stir()
	})
}

// stir lets waiting queries go; the lock is held.
func (f *fake) stir() {
	close(f.changed)
	f.changed = make(chan struct{})
}

// fails answers everything so from now on, waiting queries too.
func (f *fake) fails(code int, body string) {
	f.change(func() {
		f.answer = func(w http.ResponseWriter, _ *http.Request) {
			w.WriteHeader(code)
			_, _ = w.Write([]byte(body))
		}
		f.stir()
	})
}

func (f *fake) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	f.mu.Lock()
	f.out++
	defer func() { f.change(func() { f.out-- }) }()
	f.asked = append(f.asked, asked{time.Since(f.began), r.URL.Path, r.URL.Query(), r.Header.Get("X-Consul-Token")})
	index, _ := strconv.ParseUint(r.URL.Query().Get("index"), 10, 64)
	if f.answer == nil && index >= f.index {
		wait, _ := time.ParseDuration(r.URL.Query().Get("wait"))
		changed := f.changed
		f.held++
		f.mu.Unlock()
		t := time.NewTimer(wait)
		defer t.Stop()
		select {
		case <-changed:
		case <-t.C:
		case <-r.Context().Done():
		}
		f.mu.Lock()
		f.held--
	}
	answer, entries, index, header := f.answer, f.entries, f.index, f.header
	f.mu.Unlock()
	if answer != nil {
		answer(w, r)
		return
	}
	w.Header().Set("X-Consul-Index", strconv.FormatUint(index, 10))
	w.Header().Set("X-Consul-KnownLeader", "true")
	w.Header().Set("X-Consul-LastContact", "0") // without it the library does not read the leader's
	if f.streams && r.URL.Query().Has("index") {
		w.Header().Set("X-Consul-KnownLeader", "false")
	}
	for k, v := range header {
		w.Header().Set(k, v)
	}
	var out any = entries
	if len(r.URL.Path) > 9 && r.URL.Path[:9] == "/v1/query" {
		all := make([]api.ServiceEntry, 0, len(entries))
		for _, e := range entries {
			all = append(all, *e)
		}
		out = api.PreparedQueryExecuteResponse{Nodes: all}
	}
	_ = json.NewEncoder(w).Encode(out)
}

// times are when the requests came, to the millisecond.
func (f *fake) times() (all []time.Duration) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, a := range f.asked {
		all = append(all, a.at.Round(time.Millisecond))
	}
	return all
}

// entriesOf is how Consul tells of endpoints.
func entriesOf(set []lift.Endpoint) []*api.ServiceEntry {
	all := make([]*api.ServiceEntry, 0, len(set))
	for _, ep := range set {
		host, port, err := net.SplitHostPort(ep.Addr)
		if err != nil {
			panic(err)
		}
		n, _ := strconv.Atoi(port)
		all = append(all, &api.ServiceEntry{
			Node: &api.Node{Node: "n1", Address: "192.0.2.1"},
			Service: &api.AgentService{
				ID: ep.ID, Service: "orders", Address: host, Port: n, Tags: ep.Tags,
				Weights: api.AgentWeights{Passing: max(ep.Weight, 1), Warning: 1},
			},
			Checks: api.HealthChecks{{CheckID: "serfHealth", Status: api.HealthPassing}},
		})
	}
	return all
}
