package config

import (
	"errors"
	"strings"
	"unicode"

	"github.com/liftmesh/lift/auth/sigv4"
	"github.com/liftmesh/lift/mesh"
	"github.com/liftmesh/lift/registry/cloudmap"
)

// cloudmapSettings go with from: cloudmap.
func cloudmapSettings() []setting[mesh.ServiceConfig] {
	type sc = mesh.ServiceConfig
	return []setting[sc]{
		{rule{
			path: "cloudmap.namespace", kind: text, own: true, with: "cloudmap", check: cloudmapName, sample: "shop.local",
			means: "name of the namespace in AWS Cloud Map",
			why:   "required with from: cloudmap; see [AWS](aws.md)",
		}, nil}, // together they make a cloudmap.Config, see reader.cloudmap
		{rule{
			path: "cloudmap.service", kind: text, own: true, with: "cloudmap", check: cloudmapName, derived: "the service's name here", sample: "orders",
			means: "the service's name in that namespace",
			why:   "most services have the same name in both",
		}, func(s *sc, d datum) { s.Lookup = d.text }},
		{rule{
			path: "cloudmap.health", kind: choice, choices: []string{string(cloudmap.Healthy), string(cloudmap.HealthyOrElseAll), string(cloudmap.All)}, own: true, with: "cloudmap", preset: string(cloudmap.Healthy),
			means: "which instances are endpoints: the healthy ones, the healthy ones or all of them if none is healthy, or all",
			why:   "an instance that fails its own check would fail calls too; instances without a check count as healthy",
		}, nil},
		{rule{
			path: "cloudmap.attributes", kind: list, own: true, with: "cloudmap", check: cloudmapAttribute, derived: "none", sample: "version=2",
			means: "attributes that an instance must have, all of them, each NAME=VALUE",
			why:   "tells versions or stages of one service apart",
		}, nil},
		{rule{
			path: "cloudmap.port", kind: whole, low: "1", high: "65535", own: true, with: "cloudmap", derived: "what each instance is registered with", sample: "8080",
			means: "port of instances that are registered without AWS_INSTANCE_PORT",
			why:   "services with A records alone have no port",
		}, nil},
		{rule{
			path: "cloudmap.endpoint", kind: text, own: true, with: "cloudmap", check: checkAPI, derived: "AWS_ENDPOINT_URL_SERVICEDISCOVERY, else the region's public one", sample: "https://data-servicediscovery.eu-west-1.amazonaws.com",
			means: "URL of Cloud Map's discovery API",
			why:   "for VPC endpoints with their own name, and for fakes",
		}, nil},
	}
}

func cloudmapName(s string) error {
	if len(s) > 1024 || strings.ContainsFunc(s, func(r rune) bool { return unicode.IsSpace(r) || r == '/' }) {
		return errors.New("want a name without spaces and slashes, such as shop.local")
	}
	return nil
}

func cloudmapAttribute(s string) error {
	if name, value, ok := strings.Cut(s, "="); !ok || name == "" || value == "" || len(name) > 255 || len(value) > 1024 {
		return errors.New("want NAME=VALUE, such as version=2")
	}
	return nil
}

// cloudmap is how Cloud Map is asked for a service, but for what the process gives.
// whole: nothing else is wrong with the service.
func (r *reader) cloudmap(s *service, whole bool) *cloudmap.Config {
	d, ok := s.values["cloudmap.namespace"]
	if !ok || !whole {
		return nil
	}
	api := r.api(s, "data-servicediscovery", "cloudmap.endpoint", "AWS_ENDPOINT_URL_SERVICEDISCOVERY", d)
	if api == "" {
		return nil
	}
	c := &cloudmap.Config{
		Endpoint: api, Namespace: d.text, Health: cloudmap.Health(s.values["cloudmap.health"].text),
		Port: int(s.values["cloudmap.port"].ns), Attributes: map[string]string{}, Freezes: r.freezes(),
	}
	for _, item := range s.values["cloudmap.attributes"].items {
		name, value, _ := strings.Cut(item, "=")
		c.Attributes[name] = value
	}
	return c
}

// cloudmapRegistry is who serves a service, by Cloud Map.
func (s *service) cloudmapRegistry(p *process) *cloudmap.Registry {
	c := *s.cloudmap
	c.Now, c.Signer = p.now, p.signer(s, sigv4.ServiceDiscovery, s.values["auth.region"].text)
	return cloudmap.New(c)
}
