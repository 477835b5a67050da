package config

import (
	"reflect"
	"strings"
	"testing"

	"github.com/liftmesh/lift/registry/cloudmap"
)

func TestCloudMapArrives(t *testing.T) {
	c := sound1(t, `
services:
  orders: {from: cloudmap, cloudmap: {namespace: shop.local}}
  all: {from: cloudmap, cloudmap: {namespace: shop, service: billing, health: ALL, attributes: ["version=2", "stage=a=b"], port: 8080}, auth: {region: eu-north-1}}
  fake: {from: cloudmap, cloudmap: {namespace: shop, endpoint: "http://127.0.0.1:5000"}}
`, env("AWS_REGION", "eu-west-1", "AWS_LAMBDA_RUNTIME_API", "127.0.0.1:9001"))
	for i, want := range []struct {
		lookup string
		c      cloudmap.Config
	}{
		{"", cloudmap.Config{Endpoint: "https://data-servicediscovery.eu-west-1.amazonaws.com", Namespace: "shop.local", Health: cloudmap.Healthy, Attributes: map[string]string{}}},
		{"billing", cloudmap.Config{Endpoint: "https://data-servicediscovery.eu-north-1.amazonaws.com", Namespace: "shop", Health: cloudmap.All, Port: 8080, Attributes: map[string]string{"version": "2", "stage": "a=b"}}},
		{"", cloudmap.Config{Endpoint: "http://127.0.0.1:5000", Namespace: "shop", Health: cloudmap.Healthy, Attributes: map[string]string{}}},
	} {
		s := &c.Services[i]
		r, ok := s.Registry.(*cloudmap.Registry)
		if !ok || s.Lookup != want.lookup || r.Signer == nil || !r.Freezes {
			t.Fatalf("%s: %+v", s.Name, s)
		}
		got := cloudmap.Config{Endpoint: r.Endpoint, Namespace: r.Namespace, Health: r.Health, Attributes: r.Attributes, Port: r.Port}
		if !reflect.DeepEqual(got, want.c) {
			t.Errorf("%s: %+v, want %+v", s.Name, got, want.c)
		}
	}
	again := sound1(t, printed(t, c), env("AWS_REGION", "eu-west-1"))
	for i := range c.Services {
		if c.Services[i].Marks != again.Services[i].Marks {
			t.Errorf("%s: what is printed is another service", c.Services[i].Name)
		}
	}
	if r := again.Services[0].Registry.(*cloudmap.Registry); r.Freezes {
		t.Error("freezes outside of Lambda")
	}
}

func TestCloudMapProblems(t *testing.T) {
	_, problems := Parse("f", []byte(`services:
  a: {from: cloudmap}
  b: {from: cloudmap, cloudmap: {namespace: "a b", health: well, attributes: [version], port: 0, endpoint: "ftp://x"}}
  c: {from: cloudmap, cloudmap: {namespace: shop}}
  d: {from: static, endpoints: ["h:1"], cloudmap: {namespace: shop}}
`), env())
	wantProblems(t, problems,
		`2:3: services.a: cloudmap.namespace is missing; with from: cloudmap write the namespace, such as cloudmap: {namespace: shop.local}`,
		`3:45: services.b.cloudmap.namespace: "a b" is not valid; want a name without spaces and slashes, such as shop.local`,
		`3:60: services.b.cloudmap.health: "well" is not a valid value; want HEALTHY, HEALTHY_OR_ELSE_ALL or ALL`,
		`3:79: services.b.cloudmap.attributes[0]: "version" is not valid; want NAME=VALUE, such as version=2`,
		`3:95: services.b.cloudmap.port: 0 is out of range; want 1 to 65535`,
		`3:108: services.b.cloudmap.endpoint: "ftp://x" is not valid; scheme "ftp" is not spoken; want https or http`,
		`4:45: services.c: the region is not known; set auth.region, such as region: eu-west-1, or AWS_REGION where this is checked; Lambda sets AWS_REGION itself`,
		`5:63: services.d.cloudmap.namespace: cloudmap.namespace needs from: cloudmap, and from is static; remove it, or write from: cloudmap`,
	)
	_, problems = Parse("f", []byte("services: {a: {from: cloudmap, cloudmap: {namespace: x}}}"), env("AWS_ENDPOINT_URL_SERVICEDISCOVERY", "nowhere"))
	if len(problems) != 1 || !strings.Contains(problems[0].Error(), "AWS_ENDPOINT_URL_SERVICEDISCOVERY is not the URL of an API") {
		t.Error(problems)
	}
}
