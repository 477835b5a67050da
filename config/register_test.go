package config

import (
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/liftmesh/lift/registry"
)

func TestRegisterArrives(t *testing.T) {
	for text, want := range map[string]registry.Instance{
		`{service: orders, port: 8080, address: 10.0.1.7}`: {
			ID: "orders-10.0.1.7-8080", Service: "orders", Addr: "10.0.1.7:8080",
			Check: registry.Check{TCP: "127.0.0.1:8080", Host: "127.0.0.1", RemoveAfter: time.Hour},
		},
		`{service: orders, port: 8080, address: "fd00::7", check: {http: /healthz, interval: 5s, remove_after: 2m}}`: {
			ID: "orders-fd00::7-8080", Service: "orders", Addr: "[fd00::7]:8080",
			Check: registry.Check{HTTP: "http://127.0.0.1:8080/healthz", Host: "127.0.0.1", Interval: 5 * time.Second, RemoveAfter: 2 * time.Minute},
		},
		`{service: orders, port: 8080, address: orders.internal, id: one, zone: z1, weight: 3, tags: [v2], check: {tcp: "10.0.0.9:1"}}`: {
			ID: "one", Service: "orders", Addr: "orders.internal:8080", Zone: "z1", Weight: 3, Tags: []string{"v2"},
			Check: registry.Check{TCP: "10.0.0.9:1", Host: "10.0.0.9", RemoveAfter: time.Hour},
		},
	} {
		c := sound1(t, "register: "+text+"\nservices: {}\n", env())
		if c.Register == nil || c.Consul() == nil {
			t.Errorf("%s: nothing is announced", text)
			continue
		}
		got, err := c.Register.Instance(t.Context(), c.Consul())
		if err != nil || !reflect.DeepEqual(got, want) {
			t.Errorf("%s: %v\n%+v\nwant\n%+v", text, err, got, want)
		}
	}
	c := sound1(t, "register: {service: orders, port: 8080}\nservices: {}\n", env())
	if i, err := c.Register.Instance(t.Context(), c.Consul()); err == nil && (strings.HasPrefix(i.Addr, "127.") || !strings.HasSuffix(i.Addr, ":8080")) {
		t.Errorf("the address is %s", i.Addr)
	}
	c = sound1(t, "register: {service: orders, port: 8080}\nservices: {}\n", env("AWS_LAMBDA_RUNTIME_API", "x"))
	if c.Register != nil || len(c.Warnings) != 1 {
		t.Errorf("inside Lambda: %+v, %q", c.Register, c.Warnings)
	}
	if c := sound1(t, "services: {}\n", env()); c.Register != nil || c.Consul() != nil {
		t.Error("announces what nobody wanted")
	}
}

// What is wrong with it breaks no service.
func TestRegisterProblems(t *testing.T) {
	for text, want := range map[string]string{
		`{port: 8080}`:                                            `register: register.service is missing; write the name to announce, such as register: {service: orders}`,
		`{service: orders}`:                                       `register: register.port is missing; write the port that the program listens on, such as register: {port: 8080}`,
		`{service: a.b, port: 8080}`:                              `register.service: "a.b" is not valid; the service "a.b": up to 63 letters, digits, - and _ are allowed`,
		`{service: a, port: 8080, address: "::"}`:                 `register.address: "::" is not valid; the address "[::]:1": others cannot reach this host; name the one by which they can`,
		`{service: a, port: 8080, id: a b}`:                       `register.id: "a b" is not valid; the id "a b": up to 128 letters, digits and -._:@ are allowed`,
		`{service: a, port: 8080, check: {http: x}}`:              `register.check.http: "x" is not valid; the check: http "x": a whole URL is needed, such as "http://10.0.0.7:8080/healthz"`,
		`{service: a, port: 8080, check: {tcp: x}}`:               `register.check.tcp: "x" is not valid; the check: tcp "x": host:port is needed, such as "10.0.0.7:8080"`,
		`{service: a, port: 8080, check: {http: /x, tcp: "h:1"}}`: `register.check.tcp: check.http and check.tcp are both set; remove one of the two`,
		`{service: a, prot: 8080, port: 1}`:                       `register.prot: unknown key "prot"; did you mean port?`,
		`{service: a, port: 8080, check: {interval: 1ms}}`:        `register.check.interval: "1ms" is out of range; want 1s to 1h`,
	} {
		c, problems := Parse("f", []byte("register: "+text+"\nservices: {a: {from: static, endpoints: [\"h:1\"]}}\n"), env())
		if len(problems) != 1 || !strings.HasSuffix(problems[0].Error(), ": "+want) || problems[0].Line != 1 {
			t.Errorf("%s: %v\nwant %s", text, problems, want)
		}
		if c.Broken != nil || c.Services[0].Broken != nil || c.Register != nil {
			t.Errorf("%s breaks %v, %v", text, c.Broken, c.Services[0].Broken)
		}
	}
}
