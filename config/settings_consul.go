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
			path: "consul.service", kind: text, own: true, with: "consul", check: consulName, derived: "the service's name here",
			means: "with from: consul, the service's name in Consul; its instances that pass all their checks are the endpoints",
			why:   "most are called the same in both",
		}, func(s *sc, d datum) { s.Lookup = d.text }},
		{rule{
			path: "consul.tags", kind: list, own: true, with: "consul", check: consulName, derived: "none",
			means: "the tags that an instance has to have, all of them",
			why:   "a version or a stage is often a tag",
		}, nil},
		{rule{
			path: "consul.query", kind: text, own: true, with: "consul", check: consulName, derived: "none",
			means: "the name of a prepared query, in place of service and tags",
			why:   "Consul fails over to other datacenters by it; see [Consul](consul.md)",
		}, func(s *sc, d datum) { s.Lookup = d.text }},
		{rule{
			path: "consul.datacenter", kind: text, own: true, with: "consul", check: consulName, derived: "registry.consul.datacenter",
			means: "the datacenter to ask",
			why:   "for a service that lives in another one",
		}, nil},
		{rule{
			path: "consul.namespace", kind: text, own: true, with: "consul", check: consulName, derived: "registry.consul.namespace",
			means: "the namespace to ask (Consul Enterprise)",
			why:   "as above",
		}, nil},
		{rule{
			path: "consul.partition", kind: text, own: true, with: "consul", check: consulName, derived: "registry.consul.partition",
			means: "the admin partition to ask (Consul Enterprise)",
			why:   "as above",
		}, nil},
	}
}

// consulGlobals say how Consul is reached. All together make a consul.Client, see
// reader.consul; what is wrong with them breaks the services that come from there.
func consulGlobals() []setting[Config] {
	return []setting[Config]{
		{rule{
			path: "registry.consul.address", kind: text, derived: "$CONSUL_HTTP_ADDR, else `" + consul.DefaultAddress + "`", check: consul.CheckAddress,
			means: "where Consul is: http://host:8500, https://host:8501 or unix:///path/of/a.sock, an agent or a server",
			why:   "beside a container there is an agent; inside Lambda there is none, so it has to be said",
		}, nil},
		{rule{
			path: "registry.consul.token.file", kind: text, derived: "$CONSUL_HTTP_TOKEN_FILE", check: anyPath,
			means: "file of the ACL token, read for each request, so that a renewed one takes effect; the path begins at the folder of lift.yaml",
			why:   "a token does not belong into lift.yaml",
		}, nil},
		{rule{
			path: "registry.consul.token.env", kind: text, derived: "$CONSUL_HTTP_TOKEN", check: consulVariable,
			means: "name of the variable that holds the ACL token; not together with token.file",
			why:   "as above",
		}, nil},
		{rule{
			path: "registry.consul.datacenter", kind: text, check: consulName, derived: "the agent's",
			means: "the datacenter to ask",
			why:   "an agent knows its own",
		}, nil},
		{rule{
			path: "registry.consul.namespace", kind: text, check: consulName, derived: "$CONSUL_NAMESPACE, else that of the token",
			means: "the namespace to ask (Consul Enterprise)",
			why:   "as Consul's own tools do",
		}, nil},
		{rule{
			path: "registry.consul.partition", kind: text, check: consulName, derived: "$CONSUL_PARTITION, else the agent's",
			means: "the admin partition to ask (Consul Enterprise)",
			why:   "as Consul's own tools do",
		}, nil},
		{rule{
			path: "registry.consul.wait", kind: duration, low: "10s", high: "10m", derived: "`5m`",
			means: "how long a blocking query may be held; where environments freeze none is",
			why:   "Consul's own default; below the time after which a proxy on the way cuts quiet requests",
		}, nil},
		{rule{
			path: "registry.consul.tls.ca", kind: text, derived: "the system's authorities", check: anyPath,
			means: "with an https address, file of PEM certificates, one of which has to vouch for Consul",
			why:   "Consul mostly has an authority of its own",
		}, nil},
		{rule{
			path: "registry.consul.tls.cert", kind: text, derived: "none", check: anyPath,
			means: "file of our own certificate (PEM), read for each connection",
			why:   "for a Consul that wants to know who asks (verify_incoming); goes with tls.key",
		}, nil},
		{rule{
			path: "registry.consul.tls.key", kind: text, derived: "none", check: anyPath,
			means: "file of that certificate's private key (PEM)",
			why:   "goes with tls.cert",
		}, nil},
		{rule{
			path: "registry.consul.tls.server_name", kind: text, derived: "the address's host", check: consulName,
			means: "the name that Consul's certificate has to be for",
			why:   "Consul's own are for server.DATACENTER.consul",
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
