package config

import (
	"fmt"
	"strings"
	"testing"

	"github.com/liftmesh/lift/mesh"
)

// Which change of a file touches what.
func TestMarks(t *testing.T) {
	const before = `
services:
  orders: {from: static, endpoints: ["a:1"], timeout: 1s, listen: 127.0.0.1:4201}
  billing: {from: dns, dns: {name: b, port: 1}}
`
	read := func(text string) map[string]mesh.Marks {
		t.Helper()
		c, problems := Parse("lift.yaml", []byte(text), func(string) (string, bool) { return "", false })
		if len(problems) > 0 {
			t.Fatal(problems)
		}
		marks := map[string]mesh.Marks{}
		for _, s := range c.Services {
			marks[s.Name] = s.Marks
		}
		return marks
	}
	old := read(before)
	for _, tt := range []struct {
		name, orders string // how it is written now
		more         string // at the end of the file
		want         string // what has changed of orders: all, source, transport
	}{
		{"nothing", `{from: static, endpoints: ["a:1"], timeout: 1s, listen: 127.0.0.1:4201}`, "", ""},
		{"another order, a comment", `{timeout: 1s, listen: 127.0.0.1:4201, endpoints: ["a:1"], from: static} # ours`, "", ""},
		{"a default that is said", `{from: static, endpoints: ["a:1"], timeout: 1s, listen: 127.0.0.1:4201, warm: 0}`, "", ""},
		{"listen", `{from: static, endpoints: ["a:1"], timeout: 1s, listen: 127.0.0.1:4202}`, "", ""},
		{"what is of the process alone", `{from: static, endpoints: ["a:1"], timeout: 1s}`, "log: {level: warn}\ndrain: {max: 1s}\n", ""},
		{"timeout", `{from: static, endpoints: ["a:1"], timeout: 2s}`, "", "all"},
		{"a default for all", `{from: static, endpoints: ["a:1"], timeout: 1s}`, "defaults: {breaker: {consecutive: 7}}\n", "all"},
		{"an endpoint", `{from: static, endpoints: ["a:1", "b:1"], timeout: 1s}`, "", "all source"},
		{"two that look like one", `{from: static, endpoints: ["a:1;tag=x y"], timeout: 1s}`, "", "all source"},
		{"another source", `{from: dns, dns: {name: a, port: 1}, timeout: 1s}`, "", "all source"},
		{"connections", `{from: static, endpoints: ["a:1"], timeout: 1s, connections: {max: 3}}`, "", "all transport"},
		{"host", `{from: static, endpoints: ["a:1"], timeout: 1s, host: a}`, "", "all transport"},
		{"everything", `{from: static, endpoints: ["b:1"], timeout: 3s, host: a}`, "", "all source transport"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			now := read(fmt.Sprintf("services:\n  orders: %s\n  billing: {from: dns, dns: {name: b, port: 1}}\n%s", tt.orders, tt.more))
			got := ""
			for _, m := range []struct{ name, a, b string }{
				{"all", old["orders"].All, now["orders"].All},
				{"source", old["orders"].Source, now["orders"].Source},
				{"transport", old["orders"].Transport, now["orders"].Transport},
			} {
				if m.a == "" {
					t.Errorf("%s has no mark", m.name)
				}
				if m.a != m.b {
					got = strings.TrimSpace(got + " " + m.name)
				}
			}
			if got != tt.want {
				t.Errorf("changed: %q, want %q", got, tt.want)
			}
			if same := now["billing"] == old["billing"]; same != (tt.name != "a default for all") {
				t.Errorf("billing is the same: %v", same)
			}
		})
	}
}

// It is paid at each start, inside Lambda too.
func BenchmarkMarks(b *testing.B) {
	c, _ := Parse("lift.yaml", []byte("services: {orders: {from: static, endpoints: [\"a:1\"]}}"), func(string) (string, bool) { return "", false })
	table := serviceSettings()
	b.ReportAllocs()
	for b.Loop() {
		c.services[0].marks(table, c.globals)
	}
}

// Where Consul is concerns those that come from there.
func TestMarksOfRegistries(t *testing.T) {
	read := func(address string) []mesh.ServiceConfig {
		t.Helper()
		c, problems := Parse("lift.yaml", fmt.Appendf(nil, "registry: {consul: {address: %q}}\nservices: {a: {from: static, endpoints: [\"a:1\"]}, b: {from: consul}}", address),
			func(string) (string, bool) { return "", false })
		if len(problems) > 0 {
			t.Fatal(problems)
		}
		return c.Services
	}
	old, now := read("http://10.0.0.1:8500"), read("http://10.0.0.2:8500")
	if old[0].Marks != now[0].Marks {
		t.Error("a service of another source is touched")
	}
	if old[1].Marks.Source == now[1].Marks.Source || old[1].Marks.All == now[1].Marks.All || old[1].Marks.Transport != now[1].Marks.Transport {
		t.Error("a service of that source is not, or its connections are")
	}
}
