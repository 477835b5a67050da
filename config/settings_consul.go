package config

import (
	"errors"

	"github.com/liftmesh/lift/mesh"
	"github.com/liftmesh/lift/registry/consul"
)

// consulSettings go with from: consul.
func consulSettings() []setting[mesh.ServiceConfig] {
	type sc = mesh.ServiceConfig
	return []setting[sc]{
		{rule{
			path: "consul.service", kind: text, own: true, with: "consul", check: consulName, derived: "the service's name here", sample: "shop-orders",
			means: "the service's name in Consul; its instances that pass all their checks are the endpoints",
			why:   "most services have the same name in both",
		}, func(s *sc, d datum) { s.Lookup = d.text }},
		{rule{
			path: "consul.tags", kind: list, own: true, with: "consul", check: consulName, derived: "none", sample: "v2",
			means: "tags that an instance must have, all of them",
			why:   "a tag often holds a version or a stage",
		}, nil},
		{rule{
			path: "consul.query", kind: text, own: true, with: "consul", check: consulName, derived: "none", sample: "near-orders",
			means: "name of a prepared query, in place of service and tags",
			why:   "Consul uses it to fail over to other datacenters; see [Consul](consul.md)",
		}, func(s *sc, d datum) { s.Lookup = d.text }},
		{rule{
			path: "consul.datacenter", kind: text, own: true, with: "consul", check: consulName, derived: "registry.consul.datacenter", sample: "dc2",
			means: "datacenter to ask",
			why:   "for a service in another datacenter",
		}, nil},
		{rule{
			path: "consul.namespace", kind: text, own: true, with: "consul", check: consulName, derived: "registry.consul.namespace", sample: "shop",
			means: "namespace to ask (Consul Enterprise)",
			why:   "for a service in another namespace",
		}, nil},
		{rule{
			path: "consul.partition", kind: text, own: true, with: "consul", check: consulName, derived: "registry.consul.partition", sample: "shop",
			means: "admin partition to ask (Consul Enterprise)",
			why:   "for a service in another partition",
		}, nil},
	}
}

// consulGlobals say how Consul is reached. All together make a consul.Client, see
// reader.consul; what is wrong with them breaks the services that come from there.
func consulGlobals() []setting[Config] {
	return []setting[Config]{
		{rule{
			path: "registry.consul.address", kind: text, derived: "$CONSUL_HTTP_ADDR, else `" + consul.DefaultAddress + "`", check: consul.CheckAddress, sample: "http://consul.internal:8500",
			means: "where Consul is: http://host:8500, https://host:8501 or unix:///path/of/a.sock, an agent or a server",
			why:   "beside a container there usually is an agent; inside Lambda there is none, so set the address",
		}, nil},
		{rule{
			path: "registry.consul.token.file", kind: text, derived: "$CONSUL_HTTP_TOKEN_FILE", check: anyPath, sample: "/run/secrets/consul-token",
			means: "file that holds the ACL token, read for each request, so that a renewed token takes effect; the path is relative to lift.yaml",
			why:   "keeps the token out of lift.yaml",
		}, nil},
		{rule{
			path: "registry.consul.token.env", kind: text, derived: "$CONSUL_HTTP_TOKEN", check: consulVariable, sample: "CONSUL_TOKEN",
			means: "name of the variable that holds the ACL token; not together with token.file",
			why:   "keeps the token out of lift.yaml",
		}, nil},
		{rule{
			path: "registry.consul.datacenter", kind: text, check: consulName, derived: "the agent's", sample: "dc1",
			means: "datacenter to ask",
			why:   "an agent knows its own",
		}, nil},
		{rule{
			path: "registry.consul.namespace", kind: text, check: consulName, derived: "$CONSUL_NAMESPACE, else that of the token", sample: "shop",
			means: "namespace to ask (Consul Enterprise)",
			why:   "as Consul's own tools do",
		}, nil},
		{rule{
			path: "registry.consul.partition", kind: text, check: consulName, derived: "$CONSUL_PARTITION, else the agent's", sample: "shop",
			means: "admin partition to ask (Consul Enterprise)",
			why:   "as Consul's own tools do",
		}, nil},
		{rule{
			path: "registry.consul.wait", kind: duration, low: "10s", high: "10m", derived: "`5m`", sample: "5m",
			means: "how long a blocking query may be held open; none is where environments freeze",
			why:   "Consul's own default, and below the time after which proxies cut quiet requests",
		}, nil},
		{rule{
			path: "registry.consul.tls.ca", kind: text, derived: "the system's authorities", check: anyPath, sample: "consul-ca.pem",
			means: "with an https address: file of PEM certificates, one of which must have signed Consul's",
			why:   "most Consul clusters have their own authority",
		}, nil},
		{rule{
			path: "registry.consul.tls.cert", kind: text, derived: "none", check: anyPath, sample: "client.pem",
			means: "file of Lift's own certificate (PEM), read for each connection",
			why:   "for a Consul that verifies its clients (verify_incoming); needs tls.key",
		}, nil},
		{rule{
			path: "registry.consul.tls.key", kind: text, derived: "none", check: anyPath, sample: "client.key",
			means: "file of that certificate's private key (PEM)",
			why:   "needs tls.cert",
		}, nil},
		{rule{
			path: "registry.consul.tls.server_name", kind: text, derived: "the address's host", check: consulName, sample: "server.dc1.consul",
			means: "the name that Consul's certificate must be valid for",
			why:   "Consul's own certificates are for server.DATACENTER.consul",
		}, nil},
	}
}

// consulName is the check of what Consul calls by name.
func consulName(s string) error {
	if !only(s, "._-:@") || s == "." || s == ".." {
		return errors.New("want a name as Consul has it: letters, digits and . _ - : @")
	}
	return nil
}

func consulVariable(s string) error {
	if !variableName(s) {
		return errors.New("want the name of a variable, such as CONSUL_HTTP_TOKEN, not the token")
	}
	return nil
}
