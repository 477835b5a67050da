package mesh

import (
	"context"
	"fmt"
	"log/slog"
	"maps"
	"math/rand/v2"
	"net"
	"runtime/debug"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/liftmesh/lift"
	"github.com/liftmesh/lift/transport"
)

// Options configures a [Mesh]. A zero field means its default.
type Options struct {
	// Services are the services that can be called. Of two with one name, the last one
	// is used.
	Services []ServiceConfig
	// Broken, if not nil, says what is wrong with the configuration as a whole. Every
	// call fails with it, whatever its service.
	Broken error
	// Connections is how many connections may be open at once, to all endpoints of all
	// services together; Connects is how many may be being opened. A call beyond that
	// waits as [transport.Config.Wait] says. Defaults [transport.DefaultConnections]
	// and [transport.DefaultConnects].
	Connections, Connects int
	// Now reads the clocks. Default [lift.Now].
	Now func() lift.Instant
	// Rand returns random bits; it must be safe for concurrent use. Default
	// [rand.Uint64].
	Rand func() uint64
	// Dial opens upstream connections. Default: TCP, no proxy.
	Dial func(ctx context.Context, network, addr string) (net.Conn, error)
	// Invocation returns the end of the current invocation, zero if there is none.
	// Default: always zero.
	Invocation func() time.Time
	// Log gets one line for each change of state. Default: discards them.
	Log *slog.Logger
	// OnEnd, if set, is called once for every call, at its true end: when its maker has
	// called [lift.Call.End] and no attempt of it runs any more. That includes calls that
	// no service took (unknown, misconfigured), and calls that a door refused by itself
	// (over a limit, malformed, draining). It must not block; its panics are contained.
	OnEnd lift.Observer
}

// Mesh is the data plane: it takes calls to services by name. It is a
// [lift.Caller], and works the same in a sidecar and inside an application.
// Safe for concurrent use.
type Mesh struct {
	o     Options
	slots *transport.Slots
	onEnd lift.Observer // Options.OnEnd, contained
	table atomic.Pointer[table]

	invocations atomic.Int64
	ctx         context.Context // of the watches
	stop        context.CancelFunc
	work        sync.WaitGroup

	reload sync.Mutex
	closed bool
}

// table holds the services that can be called; a reload replaces it as a whole.
type table struct {
	services map[string]*Service
	names    []string // sorted
	broken   error
}

func newTable(services map[string]*Service, broken error) *table {
	return &table{services: services, names: slices.Sorted(maps.Keys(services)), broken: broken}
}

// New starts the data plane: it watches the registries of all services. Close it to
// release its connections and goroutines.
func New(o Options) *Mesh {
	m := &Mesh{o: o.withDefaults(), slots: transport.NewSlots(o.Connections, o.Connects)}
	if o.OnEnd != nil {
		m.onEnd = m.tell
	}
	m.ctx, m.stop = context.WithCancel(context.Background())
	services := make(map[string]*Service, len(o.Services))
	for _, cfg := range o.Services {
		services[lift.ServiceName(cfg.Name)] = m.newService(cfg)
	}
	for _, s := range services {
		if s.config().Broken == nil {
			m.start(s)
		}
	}
	m.table.Store(newTable(services, o.Broken))
	return m
}

func (o Options) withDefaults() Options {
	if o.Now == nil {
		o.Now = lift.Now
	}
	if o.Rand == nil {
		o.Rand = rand.Uint64
	}
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	return o
}

// Names returns the names of the services, sorted.
func (m *Mesh) Names() []string { return slices.Clone(m.table.Load().names) }

// Service returns the service with that name, in any case, or nil.
func (m *Mesh) Service(name string) *Service {
	return m.table.Load().services[lift.ServiceName(name)]
}

// Observe implements [lift.Observed].
func (m *Mesh) Observe(c *lift.Call) {
	c.Service = lift.ServiceName(c.Service)
	c.Observe(m.o.Now, m.onEnd)
}

// tell reports a call's end to the observer, and contains its panics.
func (m *Mesh) tell(c *lift.Call, e lift.Ending) {
	defer func() {
		if p := recover(); p != nil {
			m.o.Log.Error("panic in the observer of calls, contained", "service", c.Service, "panic", fmt.Sprint(p), "stack", string(debug.Stack()))
		}
	}()
	m.o.OnEnd(c, e)
}

// Call implements [lift.Caller]: it sends the call down its service's stack.
func (m *Mesh) Call(c *lift.Call) (*lift.Response, error) {
	c.Began = m.o.Now()
	m.Observe(c)
	resp, err := m.send(c)
	switch {
	case m.onEnd == nil:
	case err != nil:
		c.Fail(err)
	default:
		c.Answered(resp, m.o.Now())
	}
	return resp, err
}

func (m *Mesh) send(c *lift.Call) (*lift.Response, error) {
	t := m.table.Load()
	if t.broken != nil {
		return nil, lift.Errorf(c, lift.Misconfigured, "%w", t.broken)
	}
	s := t.services[c.Service]
	if s == nil {
		return nil, t.unknown(c)
	}
	return s.Call(c)
}

func (t *table) unknown(c *lift.Call) error {
	if len(t.names) == 0 {
		return lift.Errorf(c, lift.UnknownService, "no service is configured; add %q under services: in lift.yaml", c.Service)
	}
	return lift.Errorf(c, lift.UnknownService, "no service %q is configured; the configured ones are %s", c.Service, known(t.names))
}

// known joins names, of many the first few.
func known(names []string) string {
	const most = 20
	if len(names) <= most {
		return strings.Join(names, ", ")
	}
	return strings.Join(names[:most], ", ") + ", ..."
}

// Warm waits for the first set of every service and opens the connections that
// its configuration wants warm, until ctx ends. It also reads the certificates that
// first TLS handshakes would wait for.
func (m *Mesh) Warm(ctx context.Context) {
	var wg sync.WaitGroup
	for _, s := range m.table.Load().services {
		if s.config().Broken == nil {
			wg.Go(func() { contained(s.log, func() { s.warm(ctx) }) })
		}
		wg.Go(func() { contained(s.log, s.prepare) })
	}
	wg.Wait()
}

// Invoked tells the mesh that an invocation begins; thawed says that the process was
// probably frozen before. After a thaw Invoked closes dead connections, and opens the
// warm ones of services in use again, until ctx or the mesh ends. No call depends on
// it. It does not block, and runs at most two goroutines for a service, however often
// it is called and however long the registry is silent.
func (m *Mesh) Invoked(ctx context.Context, thawed bool) {
	n := m.invocations.Add(1)
	if m.ctx.Err() != nil {
		return
	}
	for _, s := range m.table.Load().services {
		if s.config().Broken != nil {
			continue
		}
		s.invoked(n)
		if !thawed {
			continue
		}
		s.thawing.start(&m.work, s.log, func() {
			s.thaw()
			if n-s.used.Load() <= recent {
				s.warming.start(&m.work, s.log, func() { s.warm(ctx) })
			}
		})
	}
}

// recent is the number of invocations for which a service counts as in use after a
// call: its connections are then opened again after a thaw.
const recent = 3

// Close stops the watches, closes the connections once no call is in flight, and waits
// for the mesh's goroutines.
func (m *Mesh) Close() {
	m.reload.Lock()
	m.closed = true
	m.reload.Unlock()
	m.stop()
	m.work.Wait()
	for _, s := range m.table.Load().services {
		s.close()
	}
}
