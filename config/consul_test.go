package config

import (
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/liftmesh/lift/registry/consul"
)

func TestConsulArrives(t *testing.T) {
	c := sound1(t, `
registry:
  consul: {address: "https://consul.internal:8501", token: {file: secrets/consul}, datacenter: dc1, namespace: n1, partition: p1, wait: 1m, tls: {server_name: server.dc1.consul}}
services:
  orders: {from: consul}
  v2: {from: consul, consul: {service: shop-orders, tags: [v2, eu], datacenter: dc2, namespace: n2, partition: p2}}
  near: {from: consul, consul: {query: near-orders}}
  static: {from: static, endpoints: ["h:1"]}
`, env("CONSUL_HTTP_ADDR", "http://elsewhere:1", "CONSUL_HTTP_TOKEN", "of the environment"))
	lookups := map[string]string{"v2": "shop-orders", "near": "near-orders"}
	sources := map[string]consul.Source{
		"v2":   {Tags: []string{"v2", "eu"}, Datacenter: "dc2", Namespace: "n2", Partition: "p2"},
		"near": {Query: true},
	}
	var client *consul.Client
	for i := range c.Services {
		s := &c.Services[i]
		r, ok := s.Registry.(*consul.Registry)
		if s.Name == "static" {
			if ok {
				t.Error("static comes from Consul")
			}
			continue
		}
		if !ok || s.Lookup != lookups[s.Name] || !reflect.DeepEqual(r.Source(), sources[s.Name]) {
			t.Errorf("%s: %T, %q, %+v", s.Name, s.Registry, s.Lookup, r)
			continue
		}
		if client != nil && r.Client() != client {
			t.Errorf("%s has a client of its own", s.Name)
		}
		client = r.Client()
	}
	if client.Address != "https://consul.internal:8501" || client.Token != (consul.Token{File: "secrets/consul"}) || client.Datacenter != "dc1" ||
		client.Namespace != "n1" || client.Partition != "p1" || client.Wait != time.Minute || client.TLS.ServerName != "server.dc1.consul" || client.Freezes {
		t.Errorf("%+v", client.Config)
	}
	if got, want := c.Warnings.Error(), "lift.yaml:3:67: warning: registry.consul.token.file: the token's file secrets/consul does not exist; check the path, or write the file before Lift calls Consul"; got != want {
		t.Errorf("warned %s, want %s", got, want)
	}
	want := "registry:\n  consul:\n    address: \"https://consul.internal:8501\"  # lift.yaml:3\n    token:\n      file: \"secrets/consul\"  # lift.yaml:3\n"
	if got := printed(t, c); !strings.Contains(got, want) {
		t.Errorf("no %q in\n%s", want, got)
	}
}

func TestConsulOfTheEnvironment(t *testing.T) {
	const text = "services: {orders: {from: consul}}\n"
	for name, tt := range map[string]struct {
		text    string
		env     []string
		address string
		token   consul.Token
		freezes bool
		warns   string
	}{
		"nothing": {text, nil, consul.DefaultAddress, consul.Token{Source: "$CONSUL_HTTP_TOKEN"}, false, ""},
		"Consul's variables": {
			text, []string{"CONSUL_HTTP_ADDR", "consul:1", "CONSUL_HTTP_TOKEN", "t\n", "CONSUL_HTTP_SSL", "true"},
			"https://consul:1", consul.Token{Value: "t", Source: "$CONSUL_HTTP_TOKEN"}, false, "",
		},
		"a file before a value": {
			text, []string{"CONSUL_HTTP_TOKEN_FILE", "/f", "CONSUL_HTTP_TOKEN", "t"},
			consul.DefaultAddress, consul.Token{File: "/f"}, false, "the token's file /f does not exist",
		},
		"a variable of one's own": {
			"registry: {consul: {token: {env: SECRET}}}\n" + text, []string{"SECRET", "s", "CONSUL_HTTP_TOKEN", "t"},
			consul.DefaultAddress, consul.Token{Value: "s", Source: "$SECRET"}, false, "",
		},
		"inside Lambda": {
			text, []string{"AWS_LAMBDA_RUNTIME_API", "x", "CONSUL_HTTP_ADDR", "https://consul:1"},
			"https://consul:1", consul.Token{Source: "$CONSUL_HTTP_TOKEN"}, true, "",
		},
		"inside Lambda, loopback": {
			text, []string{"AWS_LAMBDA_RUNTIME_API", "x"},
			consul.DefaultAddress, consul.Token{Source: "$CONSUL_HTTP_TOKEN"}, true, "inside Lambda no Consul listens on",
		},
		"Managed Instances": {
			text, []string{"AWS_LAMBDA_RUNTIME_API", "x", "AWS_LAMBDA_INITIALIZATION_TYPE", "lambda-managed-instances"},
			consul.DefaultAddress, consul.Token{Source: "$CONSUL_HTTP_TOKEN"}, false, "inside Lambda no Consul listens on",
		},
	} {
		t.Run(name, func(t *testing.T) {
			c := sound1(t, tt.text, env(tt.env...))
			got := c.Services[0].Registry.(*consul.Registry).Client()
			if got.Address != tt.address || got.Token != tt.token || got.Freezes != tt.freezes {
				t.Errorf("%+v", got.Config)
			}
			if warned := c.Warnings.Error(); (warned != "") != (tt.warns != "") || !strings.Contains(warned, tt.warns) {
				t.Errorf("warned %q", warned)
			}
		})
	}
}

// What is wrong with Consul breaks the services that come from there, and no
// other.
func TestConsulProblems(t *testing.T) {
	const services = "services: {a: {from: consul}, b: {from: static, endpoints: [\"h:1\"]}}\n"
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "empty.pem"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	for text, want := range map[string]string{
		`{address: "ftp://a"}`:                   `registry.consul.address: "ftp://a" is not valid; want http://host:8500, https://host:8501 or unix:///path/of/a.sock`,
		`{address: "http://u:p@a"}`:              `registry.consul.address: the text *** is not valid; the address contains a user; remove it, and put a token into the key token`,
		`{addrss: a}`:                            `registry.consul.addrss: unknown key "addrss"; did you mean address?`,
		`{token: secret}`:                        `registry.consul.token: this is text; want a mapping of file, env`,
		`{token: {file: f, env: E}}`:             `registry.consul.token.env: token.file and token.env are both set; remove one of the two`,
		`{token: {env: "a-b"}}`:                  `registry.consul.token.env: "a-b" is not valid; want the name of a variable, such as CONSUL_HTTP_TOKEN, not the token`,
		`{token: {env: NONE}}`:                   `registry.consul.token.env: $NONE is not set; set it to the token`,
		`{tls: {cert: c}}`:                       `registry.consul.tls.cert: tls.cert needs tls.key; set both or neither`,
		`{tls: {key: c}}`:                        `registry.consul.tls.key: tls.key needs tls.cert; set both or neither`,
		`{tls: {ca: none.pem}}`:                  `registry.consul.tls.ca: the file cannot be used; the certificates to trust: open ` + dir + `/none.pem: no such file or directory`,
		`{tls: {ca: empty.pem}}`:                 `registry.consul.tls.ca: the file cannot be used; the certificates to trust: ` + dir + `/empty.pem contains no PEM certificate`,
		`{tls: {cert: none.pem, key: none.pem}}`: `registry.consul.tls.cert: the file cannot be used; the certificate to show: open ` + dir + `/none.pem: no such file or directory`,
		`{wait: 5s}`:                             `registry.consul.wait: "5s" is out of range; want 10s to 10m`,
		`{datacenter: "a b"}`:                    `registry.consul.datacenter: "a b" is not valid; want a name as Consul has it: letters, digits and . _ - : @`,
		`{address: "a:1", address: "b:1"}`:       `registry.consul.address: this key is there twice, first on line 1; remove one`,
	} {
		c, problems := Parse(filepath.Join(dir, "lift.yaml"), []byte("registry: {consul: "+text+"}\n"+services), env())
		if len(problems) != 1 || !strings.HasSuffix(problems[0].Error(), ": "+want) || problems[0].Line != 1 {
			t.Errorf("%s: %v\nwant %s", text, problems, want)
		}
		if c.Broken != nil || c.Services[0].Broken == nil || c.Services[1].Broken != nil {
			t.Errorf("%s breaks all: %v, a: %v, b: %v", text, c.Broken, c.Services[0].Broken, c.Services[1].Broken)
		}
	}
	c, problems := Parse("f", []byte(services), env("CONSUL_HTTP_ADDR", "ftp://a"))
	if len(problems) != 1 || problems[0].File != "$CONSUL_HTTP_ADDR" || c.Services[0].Broken == nil || c.Services[1].Broken != nil {
		t.Errorf("got %v", problems)
	}
	if _, problems := Parse("f", []byte("registry: {consol: {}}\n"+services), env()); len(problems) != 1 || problems[0].Source != "" {
		t.Errorf("got %v", problems)
	}
	_, problems = Parse("f", []byte("services: {a: {from: consul, consul: {query: q, service: s, tags: [t]}}, b: {from: consul, consul: {service: a/b}}, c: {from: static, endpoints: [\"h:1\"], consul: {service: a}}}"), env())
	want := []string{
		"f:1:58: services.a.consul.service: consul.service and consul.query are both set, and the query selects by itself; remove one of the two",
		"f:1:67: services.a.consul.tags: consul.tags and consul.query are both set, and the query selects by itself; remove one of the two",
		`f:1:110: services.b.consul.service: "a/b" is not valid; want a name as Consul has it: letters, digits and . _ - : @`,
		"f:1:173: services.c.consul.service: consul.service needs from: consul, and from is static; remove it, or write from: consul",
	}
	if got := problems.Error(); got != strings.Join(want, "\n") {
		t.Errorf("got\n%s", got)
	}
}
