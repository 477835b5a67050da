package config

import (
	"strings"
	"testing"
)

func TestDoorProblems(t *testing.T) {
	for _, tt := range []struct {
		name, text, says string
		broken           []bool // each service
	}{
		{"a port for everybody", "plain: [\"0.0.0.0:4140\"]\nservices: {a: {from: static, endpoints: [\"h:1\"]}}",
			`lift.yaml:1:9: plain[0]: "0.0.0.0:4140" is not valid; 0.0.0.0 is not on the loopback; want 127.0.0.1 or [::1]`, []bool{true}},
		{"a path without unix:", "plain: [/tmp/p.sock]", "want unix:/path/of/a.sock, or an address of the loopback", nil},
		{"one twice", "plain: [\"127.0.0.1:1\", \"127.0.0.1:1\"]", "lift.yaml:1:8: plain: the address 127.0.0.1:1 is used by plain already; give each its own address", nil},
		{"the API's socket", "socket: /run/lift.sock\nplain: [\"unix:/run/lift.sock\"]", "the address unix:/run/lift.sock is used by socket already", nil},
		{"an API for everybody", "api: [\"0.0.0.0:4141\"]", "want an address of the loopback with a port", nil},
		{"an API on a path", "api: [\"unix:/tmp/l.sock\"]", "the path of the unix socket stands under socket", nil},
		{"the API's address", "api: [\"127.0.0.1:1\"]\nplain: [\"127.0.0.1:1\"]", "lift.yaml:2:8: plain: the address 127.0.0.1:1 is used by api already", nil},
		{"two services on one", "services:\n  a: {from: static, endpoints: [\"h:1\"], listen: \"127.0.0.1:1\"}\n  b: {from: static, endpoints: [\"h:1\"], listen: \"127.0.0.1:1\"}",
			"lift.yaml:3:49: services.b.listen: the address 127.0.0.1:1 is used by services.a.listen already", []bool{false, true}},
		{"a service's for everybody", "services:\n  a: {from: static, endpoints: [\"h:1\"], listen: \"10.0.0.1:1\"}", "services.a.listen: \"10.0.0.1:1\" is not valid; 10.0.0.1 is not on the loopback", []bool{true}},
		{"in defaults", "defaults: {listen: \"127.0.0.1:1\"}", "defaults.listen: this key is for single services; move it to services.NAME.listen", nil},
	} {
		t.Run(tt.name, func(t *testing.T) {
			c, problems := Parse("lift.yaml", []byte(tt.text), env())
			if len(problems) != 1 || !strings.Contains(problems.Error(), tt.says) {
				t.Errorf("got %v\nwant %s", problems, tt.says)
			}
			for i, want := range tt.broken {
				if got := c.Services[i].Broken != nil; got != want {
					t.Errorf("service %s broken: %v", c.Services[i].Name, c.Services[i].Broken)
				}
			}
		})
	}
}
