package lifttest

import (
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/liftmesh/lift"
	"github.com/liftmesh/lift/config"
	"github.com/liftmesh/lift/mesh"
	"github.com/liftmesh/lift/transport"
)

// FromConfig is [New] with the policies of a lift.yaml: each service of the test has
// the timeouts, retries, breaker, balancer, limits, protocol, host and path prefix from
// the file. Variables, $LIFT_ENV among them, come from the environment; set them with
// t.Setenv.
//
// How a service is found, reached and signed for in production (from, endpoints, url,
// function, dns, consul, cloudmap, tls, auth, registry) is not used: the test's
// endpoints serve it, and speak without TLS. Problems in these keys, such as a file
// that only production has, are logged. Any other problem of the file fails the test,
// and so does [Mesh.Service] with a name that is not in the file.
func FromConfig(t testing.TB, path string) *Mesh {
	t.Helper()
	cfg, problems := config.Load(path, os.LookupEnv)
	var wrong config.Problems
	for _, p := range problems {
		switch {
		case p.Warning, p.Environment != "" && p.Environment != cfg.Environment:
		case unused(p):
			t.Logf("lifttest: not used here, and not valid here: %v", p)
		default:
			wrong = append(wrong, p)
		}
	}
	if len(wrong) > 0 {
		t.Fatalf("lifttest.FromConfig: the configuration is not valid:\n%v", wrong)
	}
	m := New(t)
	m.file, m.policies = path, make(map[string]mesh.ServiceConfig, len(cfg.Services))
	for _, s := range cfg.Services {
		m.policies[s.Name] = policies(s)
	}
	return m
}

// unused reports whether p concerns a key that tests do not use.
func unused(p config.Problem) bool {
	path := p.Path
	if rest, ok := strings.CutPrefix(path, "environments."+p.Environment+"."); ok && p.Environment != "" {
		path = rest
	}
	if p.Service != "" {
		if rest, ok := strings.CutPrefix(path, "services."+p.Service); ok {
			if rest == "" {
				return strings.HasSuffix(p.What, " is missing") || strings.Contains(p.What, "region")
			}
			path = strings.TrimPrefix(rest, ".")
		}
	}
	path = strings.TrimPrefix(path, "defaults.")
	key, _, _ := strings.Cut(path, ".")
	key, _, _ = strings.Cut(key, "[")
	return slices.Contains([]string{
		"from", "endpoints", "url", "function", "dns", "consul", "cloudmap", "lambda", "tls", "auth", "listen",
		"registry", "register", "socket", "socket_mode", "socket_group", "api", "plain",
	}, key)
}

// policies returns the part of a service's configuration that tests use.
func policies(s mesh.ServiceConfig) mesh.ServiceConfig {
	if s.Adapt != nil { // made the call one to the API of AWS, by its own host
		s.Transport.Host, s.Transport.PathPrefix = "", ""
	}
	s.Broken, s.Registry, s.Lookup, s.Marks = nil, nil, "", mesh.Marks{}
	s.Sign, s.Adapt, s.Transport.TLS = nil, nil, nil
	switch s.Transport.Protocol {
	case transport.H2:
		s.Transport.Protocol = transport.H2C
	case transport.Auto:
		s.Transport.Protocol = transport.HTTP
	}
	return s
}

// config returns the configuration of the service with that name, without its registry.
func (m *Mesh) config(name string) mesh.ServiceConfig {
	m.t.Helper()
	name = lift.ServiceName(name)
	if m.policies == nil {
		return mesh.ServiceConfig{Name: name}
	}
	s, ok := m.policies[name]
	if !ok {
		names := make([]string, 0, len(m.policies))
		for name := range m.policies {
			names = append(names, name)
		}
		slices.Sort(names)
		m.t.Fatalf("lifttest: %s has no service %q; it has %s", m.file, name, strings.Join(names, ", "))
	}
	return s
}
