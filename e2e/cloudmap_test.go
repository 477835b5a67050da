//go:build e2e && linux

package e2e_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"net"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/liftmesh/lift"
	"github.com/liftmesh/lift/auth/sigv4"
	"github.com/liftmesh/lift/auth/sigv4/sigv4test"
	"github.com/liftmesh/lift/emulator"
	"github.com/liftmesh/lift/registry/cloudmap"
	"github.com/liftmesh/lift/registry/registrytest"
	"github.com/liftmesh/lift/sdk"
)

const motoVersion = "5.2.5"

// theMoto finds moto once for all tests: the python of a virtual environment that
// has it.
var theMoto = sync.OnceValues(func() (string, error) {
	return installPython("moto@"+motoVersion, "moto[server]=="+motoVersion)
})

// motoServer is moto behind a guard that verifies what moto does not: signatures.
type motoServer struct {
	t     *testing.T
	url   string // moto itself, for registering
	addr  string // the guard
	deaf  atomic.Bool
	asked atomic.Int32 // whole sets
	names atomic.Int32
}

func startMoto(t *testing.T) *motoServer {
	t.Helper()
	python, err := theMoto()
	if errors.Is(err, errNoPython) {
		t.Skip(err)
	}
	if err != nil {
		t.Fatal(err)
	}
	own := ownAddr(t)
	host, port, _ := net.SplitHostPort(own)
	m := &motoServer{t: t, url: "http://" + own}
	process := startChild(t, []string{"HOME=" + t.TempDir()}, python, "-m", "moto.server", "-H", host, "-p", port)
	waitFor(t, "moto serves", func() bool {
		if !process.running() {
			t.Fatal("moto has ended")
		}
		c, err := net.Dial("tcp", own)
		if err == nil {
			_ = c.Close()
		}
		return err == nil
	})
	to, _ := url.Parse(m.url)
	proxy := httputil.NewSingleHostReverseProxy(to)
	guard := &sigv4test.Guard{
		Status: http.StatusBadRequest,
		Next: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if strings.HasSuffix(r.Header.Get("X-Amz-Target"), ".DiscoverInstances") {
				m.asked.Add(1)
			}
			proxy.ServeHTTP(w, r)
		}),
		Verifier: sigv4test.Verifier{Service: "servicediscovery", Region: "eu-west-1", Keys: func() []sigv4test.Key {
			if m.deaf.Load() {
				return nil
			}
			return []sigv4test.Key{awsKey}
		}},
	}
	s := httptest.NewServer(guard)
	t.Cleanup(s.Close)
	m.addr = s.Listener.Addr().String()
	return m
}

// does runs one operation that registers something.
func (m *motoServer) does(operation string, in map[string]any) (out map[string]any) {
	m.t.Helper()
	body, _ := json.Marshal(in)
	req, _ := http.NewRequestWithContext(within(m.t, patience), http.MethodPost, m.url+"/", bytes.NewReader(body))
	req.Header.Set("Content-Type", "application/x-amz-json-1.1")
	req.Header.Set("X-Amz-Target", "Route53AutoNaming_v20170314."+operation)
	req.Header.Set("Authorization", "AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/20260101/eu-west-1/servicediscovery/aws4_request, SignedHeaders=host, Signature=00") // by which moto knows where to
	resp, err := http.DefaultTransport.RoundTrip(req)
	if err != nil {
		m.t.Fatal(err)
	}
	defer resp.Body.Close()
	text, _ := io.ReadAll(resp.Body)
	if resp.StatusCode != http.StatusOK {
		m.t.Fatalf("%s: %s %s", operation, resp.Status, text)
	}
	if len(text) > 0 && json.Unmarshal(text, &out) != nil {
		m.t.Fatalf("%s: %s", operation, text)
	}
	return out
}

// motoService is a service in a namespace of its own.
type motoService struct {
	*motoServer
	namespace, id string
	has           map[string]bool
}

func (m *motoServer) service() *motoService {
	m.t.Helper()
	s := &motoService{motoServer: m, namespace: fmt.Sprintf("shop%d", m.names.Add(1)), has: map[string]bool{}}
	m.does("CreateHttpNamespace", map[string]any{"Name": s.namespace})
	for _, n := range m.does("ListNamespaces", nil)["Namespaces"].([]any) {
		if n := n.(map[string]any); n["Name"] == s.namespace {
			s.id = m.does("CreateService", map[string]any{"Name": "orders", "NamespaceId": n["Id"]})["Service"].(map[string]any)["Id"].(string)
		}
	}
	return s
}

// set registers these instances, and no others.
func (s *motoService) set(set []lift.Endpoint) {
	s.t.Helper()
	for id := range s.has {
		s.does("DeregisterInstance", map[string]any{"ServiceId": s.id, "InstanceId": id})
		delete(s.has, id)
	}
	for _, ep := range set {
		host, port, _ := net.SplitHostPort(ep.Addr)
		s.has[ep.Key()] = true
		s.does("RegisterInstance", map[string]any{"ServiceId": s.id, "InstanceId": ep.Key(), "Attributes": map[string]string{
			"AWS_INSTANCE_IPV4": host, "AWS_INSTANCE_PORT": port, "weight": strconv.Itoa(max(ep.Weight, 1)),
		}})
	}
}

// The contract of registries, against moto.
func TestCloudMapContract(t *testing.T) { // not in parallel: the contract counts the process's goroutines
	m := startMoto(t)
	source := sigv4.NewSource(sigv4.SourceOptions{Lookup: func(name string) (string, bool) { v, ok := awsEnv()[name]; return v, ok }})
	registrytest.Run(t, func(_ *testing.T, first []lift.Endpoint) registrytest.Subject {
		s := m.service()
		s.set(first)
		return registrytest.Subject{
			Registry: cloudmap.New(cloudmap.Config{
				Endpoint: "http://" + m.addr, Namespace: s.namespace, Poll: 50 * time.Millisecond, Refetch: time.Second,
				Signer: sigv4.New(sigv4.Config{Service: sigv4.ServiceDiscovery, Region: "eu-west-1", Source: source}),
			}),
			Update: func(set []lift.Endpoint) {
				m.deaf.Store(false)
				s.set(set)
			},
			Fail: func(error) { m.deaf.Store(true) },
		}
	})
}

// A sidecar beside a container finds instances as they come and go.
func TestCloudMapStandalone(t *testing.T) {
	t.Parallel()
	m := startMoto(t)
	s := m.service()
	instances := startUpstreams(t, nil, "one", "two")
	one, two := lift.Endpoint{ID: "one", Addr: instances[0].Addr}, lift.Endpoint{ID: "two", Addr: instances[1].Addr}
	s.set([]lift.Endpoint{one})
	c := startSigning(t, fmt.Sprintf("services: {orders: {from: cloudmap, cloudmap: {namespace: %s, endpoint: \"http://%s\"}}}", s.namespace, m.addr)).dial(t)
	seen := func() string {
		got, err := sdk.Get[struct{ Instance string }](within(t, patience), c, "orders", "/")
		if err != nil {
			t.Fatal(err)
		}
		return got.Instance
	}
	if got := seen(); got != "one" {
		t.Errorf("answered by %q", got)
	}
	s.set([]lift.Endpoint{one, two})
	waitFor(t, "the new instance is called", func() bool { return seen() == "two" })
	told, err := c.Services(within(t, patience), "orders")
	if err != nil || len(told) != 1 || told[0].From != "cloudmap" || len(told[0].Endpoints) != 2 || told[0].Endpoints[0].ID != "one" {
		t.Errorf("%+v, %v", told, err)
	}
}

// Inside Lambda Cloud Map is asked beside invocations, and seldom.
func TestCloudMapInLambda(t *testing.T) {
	t.Parallel()
	m := startMoto(t)
	s := m.service()
	instances := startUpstreams(t, nil, "one", "two")
	s.set([]lift.Endpoint{{ID: "one", Addr: instances[0].Addr}})
	e := startLambda(t, fmt.Sprintf("services: {orders: {from: cloudmap, cloudmap: {namespace: %s, endpoint: \"http://%s\"}}}\n", s.namespace, m.addr), func(s *setUp) {
		maps.Copy(s.ExtensionEnv, awsEnv())
	})
	for range 5 {
		e.works()
	}
	if n := m.asked.Load(); n != 1 {
		t.Errorf("asked %d times within seconds", n)
	}
	if err := e.Freeze(); err != nil {
		t.Fatal(err)
	}
	s.set([]lift.Endpoint{{ID: "two", Addr: instances[1].Addr}})
	if n := m.asked.Load(); n != 1 {
		t.Errorf("asked %d times, the last within the freeze", n)
	}
	// Not so long that the guard finds the clock wrong.
	if err := e.Thaw(emulator.Gap{Length: time.Minute, MonotonicStands: true}); err != nil {
		t.Fatal(err)
	}
	waitFor(t, "the set is asked for again beside invocations", func() bool {
		e.works()
		return m.asked.Load() == 2
	})
}
