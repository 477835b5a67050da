package lifttest

import (
	"context"
	"log/slog"
	"math/rand/v2"
	"net"
	"net/http"
	"slices"
	"sync"
	"testing"
	"time"

	"google.golang.org/grpc"

	"github.com/liftmesh/lift"
	"github.com/liftmesh/lift/internal/pipenet"
	"github.com/liftmesh/lift/mesh"
	"github.com/liftmesh/lift/registry/registrytest"
	"github.com/liftmesh/lift/sdk"
	"github.com/liftmesh/lift/transport"
)

// Mesh is the engine of one test and the network around it. Safe for concurrent use.
type Mesh struct {
	t      testing.TB
	engine *mesh.Mesh
	client *sdk.Client
	out    *output

	file     string                        // path of the configuration, "" for none
	policies map[string]mesh.ServiceConfig // of the file's services, nil without a file

	mu       sync.Mutex
	services []mesh.ServiceConfig
	hosts    map[string]*Endpoint // by address
	frozen   time.Duration
	rand     *rand.PCG // the same in every run
}

// New returns a mesh without services, with the default policies; [FromConfig] takes
// those of a lift.yaml. The mesh ends with the test. Random choices are the same in
// every run. The engine logs to the test's output, and so does a handler that panics.
func New(t testing.TB) *Mesh {
	m := &Mesh{t: t, out: &output{to: t.Output()}, hosts: map[string]*Endpoint{}, rand: rand.NewPCG(1, 2)}
	m.engine = mesh.New(mesh.Options{
		Now: m.now, Rand: m.random, Dial: m.dial, Log: slog.New(slog.NewTextHandler(m.out, nil)),
	})
	m.client = sdk.New(m.engine, sdk.Clock(m.now))
	t.Cleanup(func() {
		m.engine.Close()
		m.mu.Lock()
		hosts := m.hosts
		m.hosts = map[string]*Endpoint{}
		m.mu.Unlock()
		for _, e := range hosts {
			e.host.Kill()
		}
		m.out.end() // handlers may still run
	})
	return m
}

// Option changes a service of the test.
type Option func(*options)

type options struct {
	endpoints int
	edit      []func(*mesh.ServiceConfig)
}

// Endpoints sets how many endpoints serve; the default is 1.
func Endpoints(n int) Option { return func(o *options) { o.endpoints = n } }

// Config changes how the service is called: timeouts, retries, the breaker. Fields that
// edit does not set have their defaults, or the values from [FromConfig]'s file.
func Config(edit func(*mesh.ServiceConfig)) Option {
	return func(o *options) { o.edit = append(o.edit, edit) }
}

// Service adds a service. handler answers the requests to all its endpoints. A
// [*grpc.Server] is a handler too, and the service is then called with gRPC. Service
// replaces a service of the same name. It returns once the engine knows the endpoints.
//
// A handler that panics breaks the connection, or the stream of HTTP/2: that call
// fails, and the test's output shows the panic with its stack. (A panic in a method of
// a [*grpc.Server] ends the test's process, as it ends a real server.)
func (m *Mesh) Service(name string, handler http.Handler, opts ...Option) *Service {
	m.t.Helper()
	cfg := m.config(name)
	name = cfg.Name
	o := options{endpoints: 1}
	for _, opt := range opts {
		opt(&o)
	}
	s := &Service{mesh: m, name: name, handler: handler, registry: &registrytest.Fake{}}
	for range o.endpoints {
		s.grow()
	}
	s.tell()
	cfg.From, cfg.Registry = "lifttest", s.registry
	if _, ok := handler.(*grpc.Server); ok {
		cfg.Transport.Protocol = transport.GRPC
	}
	for _, edit := range o.edit {
		edit(&cfg)
	}
	m.mu.Lock()
	m.services = append(slices.DeleteFunc(slices.Clone(m.services), func(other mesh.ServiceConfig) bool { return other.Name == name }), cfg)
	services := m.services
	m.mu.Unlock()
	if _, err := m.engine.Reload(services); err != nil {
		m.t.Fatalf("the service %q: %v", name, err)
	}
	s.await()
	return s
}

// Client returns the SDK's client of the mesh, the same one each time.
func (m *Mesh) Client() *sdk.Client { return m.client }

// Engine returns the engine itself, for what the client does not offer.
func (m *Mesh) Engine() *mesh.Mesh { return m.engine }

// Freeze moves the wall clock of engine and client forward by d, while the monotonic
// clock and timers stand still, as when a Lambda environment is frozen and thaws.
// Connections are not changed; see [Endpoint.HangUp].
func (m *Mesh) Freeze(d time.Duration) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.frozen += d
}

func (m *Mesh) now() lift.Instant {
	now := lift.Now()
	m.mu.Lock()
	defer m.mu.Unlock()
	now.Wall = now.Wall.Add(m.frozen)
	return now
}

func (m *Mesh) random() uint64 {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.rand.Uint64()
}

func (m *Mesh) dial(ctx context.Context, _, addr string) (net.Conn, error) {
	m.mu.Lock()
	e := m.hosts[addr]
	m.mu.Unlock()
	if e == nil {
		return nil, pipenet.Refused()
	}
	return e.dial(ctx)
}
