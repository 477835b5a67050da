package config

import (
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/liftmesh/lift/registry/consul"
)

const consulAt = "registry.consul"

// usesConsul reports whether something needs Consul, or the file configures it.
func usesConsul(c *Config) bool {
	if c.Register != nil {
		return true
	}
	for path, d := range c.globals {
		if strings.HasPrefix(path, consulAt+".") && !d.origin.isDefault() {
			return true
		}
	}
	return slices.ContainsFunc(c.services, func(s *service) bool { return s.values["from"].text == "consul" })
}

// consul reads how Consul is reached; nil if something is wrong with that. Defaults
// are those of Consul's own tools.
func (r *reader) consul(g layer) *consul.Config {
	outer := r.from
	r.from = "consul"
	defer func() { r.from = outer }()
	told := len(r.problems)
	c := consul.Config{
		Address:    g[consulAt+".address"].text,
		Datacenter: g[consulAt+".datacenter"].text, Namespace: g[consulAt+".namespace"].text, Partition: g[consulAt+".partition"].text,
		Wait: time.Duration(g[consulAt+".wait"].ns),
		TLS: consul.TLS{
			CA: r.path(g[consulAt+".tls.ca"].text), ServerName: g[consulAt+".tls.server_name"].text,
			Cert: r.path(g[consulAt+".tls.cert"].text), Key: r.path(g[consulAt+".tls.key"].text),
		},
		Freezes: r.freezes(),
	}
	r.consulToken(g, &c)
	r.consulTLS(g, c.TLS)
	if c.Address == "" {
		c.Address = r.consulAddress()
	}
	client, err := consul.New(c)
	if err != nil { // what the file says has been checked
		r.problems = append(r.problems, Problem{File: "$CONSUL_HTTP_ADDR", Path: consulAt + ".address", What: "the address is not valid", Remedy: err.Error(), Source: "consul"})
	}
	if len(r.problems) > told {
		return nil
	}
	if r.lambda() && client.Loopback() {
		r.warn(g[consulAt+".address"].origin, consulAt+".address", "inside Lambda no Consul listens on "+c.Address, "set an address in the VPC, such as http://consul.internal:8500")
	}
	return &c
}

// consulAddress is what the environment says.
func (r *reader) consulAddress() string {
	address := r.variableText("CONSUL_HTTP_ADDR")
	if secured, err := strconv.ParseBool(r.variableText("CONSUL_HTTP_SSL")); err == nil && secured && address != "" && !strings.Contains(address, "://") {
		address = "https://" + address
	}
	return address
}

// consulToken says where the token is. A file that is not there yet is a warning,
// because some are written only when the process runs, and on other machines than
// that which checks.
func (r *reader) consulToken(g layer, c *consul.Config) {
	file, inFile := g[consulAt+".token.file"]
	variable, inEnv := g[consulAt+".token.env"]
	switch {
	case inFile && inEnv:
		r.tell(variable.origin, consulAt+".token.env", "token.file and token.env are both set", "remove one of the two")
	case inFile:
		c.Token.File = r.path(file.text)
		if wrong := unusable(c.Token.File); wrong != "" {
			r.warn(file.origin, consulAt+".token.file", "the token's file "+shown(file)+" "+wrong, "check the path, or write the file before Lift calls Consul")
		}
	case inEnv:
		c.Token.Value, c.Token.Source = r.variableText(variable.text), "$"+variable.text
		if c.Token.Value == "" {
			r.tell(variable.origin, consulAt+".token.env", "$"+variable.text+" is not set", "set it to the token")
		}
	case r.variableText("CONSUL_HTTP_TOKEN_FILE") != "":
		c.Token.File = r.variableText("CONSUL_HTTP_TOKEN_FILE")
		if wrong := unusable(c.Token.File); wrong != "" {
			r.warnings = append(r.warnings, Problem{
				File: "$CONSUL_HTTP_TOKEN_FILE", Path: consulAt + ".token.file", What: "the token's file " + c.Token.File + " " + wrong,
				Remedy: "check the path, or write the file before Lift calls Consul", Warning: true, Source: "consul",
			})
		}
	default:
		c.Token.Value, c.Token.Source = strings.TrimSpace(r.variableText("CONSUL_HTTP_TOKEN")), "$CONSUL_HTTP_TOKEN"
	}
}

// consulTLS reports files that cannot be used.
func (r *reader) consulTLS(g layer, t consul.TLS) {
	for _, pair := range [][2]string{{"cert", "key"}, {"key", "cert"}} {
		d, ok := g[consulAt+".tls."+pair[0]]
		if _, both := g[consulAt+".tls."+pair[1]]; ok && !both {
			r.tell(d.origin, consulAt+".tls."+pair[0], "tls."+pair[0]+" needs tls."+pair[1], "set both or neither")
			return
		}
	}
	for key, part := range map[string]consul.TLS{"ca": {CA: t.CA}, "cert": {Cert: t.Cert, Key: t.Key}} {
		d, ok := g[consulAt+".tls."+key]
		if err := part.Check(); ok && err != nil {
			r.tell(d.origin, consulAt+".tls."+key, "the file cannot be used", err.Error())
		}
	}
}

func (r *reader) variableText(name string) string {
	value, _ := r.lookup(name)
	return value
}

// lambda and freezes report whether this is for a Lambda environment, and whether
// it is one that freezes, which those of Managed Instances do not.
func (r *reader) lambda() bool { return r.variableText("AWS_LAMBDA_RUNTIME_API") != "" }
func (r *reader) freezes() bool {
	return r.lambda() && r.variableText("AWS_LAMBDA_INITIALIZATION_TYPE") != "lambda-managed-instances"
}

// consulSource is which instances of a service in Consul are meant.
func (s *service) consulSource() consul.Source {
	return consul.Source{
		Tags: s.values["consul.tags"].items, Datacenter: s.values["consul.datacenter"].text,
		Namespace: s.values["consul.namespace"].text, Partition: s.values["consul.partition"].text,
		Query: s.values["consul.query"].text != "",
	}
}

// consulClient is the one client for Consul of all services, nil if there is none.
func (c *Config) consulClient() *consul.Client {
	if c.viaConsul == nil {
		return nil
	}
	via := *c.viaConsul
	via.Now = c.process.now
	client, err := consul.New(via)
	if err != nil {
		return nil // it has been made before
	}
	return client
}
