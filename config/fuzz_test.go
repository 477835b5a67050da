package config

import (
	"strings"
	"testing"
)

// values is a print without its comments' places, which differ from file to file.
func values(s string) string {
	var b strings.Builder
	for line := range strings.Lines(s) {
		if i := strings.LastIndex(line, "  # "); i >= 0 {
			line = line[:i]
		}
		if !strings.HasPrefix(line, "# ") {
			b.WriteString(strings.TrimRight(line, "\n") + "\n")
		}
	}
	return b.String()
}

// Whatever the file: no panic; every problem in it has a position and one line;
// what is valid fits the JSON Schema, prints, and reads again as the same.
func FuzzParse(f *testing.F) {
	for _, seed := range []string{
		"", "a", "\x00", "\uFEFF", "- - -", "{", "a: *b", "a: &a [*a]", "? : ", "--- \n...\n---", "%YAML 9.9", "a: !!binary x",
		"socket: /a\nlog: {level: debug}\nsocket_mode: 0660\nsocket_group: x",
		"services: {a: {from: static, endpoints: [\"h:1;zone=a;weight=2;tag=x\", \"[::1]:80\"]}}",
		"defaults: {timeout: 1.5s, attempt_timeout: 100us, retry: {budget: {ratio: 1e-7}}, breaker: {open_for: 10ms..1h}}",
		"services: {a: {from: static, endpoints: [\"${A}:1\"]}}\nenvironments: {e: {services: {a: {warm: ${N:-3}}}}}",
		"services:\n  a:\n    from: static\n    endpoints:\n    - $${x}:1\n    - \"\\u2028:1\"\n    balancer: {strategy: round_robin}\n",
		"services: {a: {from: dns, dns: {name: a.b., port: 80, servers: [10.0.0.2]}}, b: {from: dns, dns: {name: _a._tcp.b, type: srv}}}",
		"services: {a: {from: static, endpoints: [\"h:1\"], tls: {verify: false}}, b: {from: static, endpoints: [\"h:1\"], tls: false, host: h, path_prefix: /p}}",
		"services: {a: {from: url, url: \"https://h.example.com:8443/a/\", tls: {verify: false}}, b: {from: url, url: \"http://[::1]/\", host: x}}",
		"limits: {header: 1KiB, body: 1GiB}\nlambda: {init_wait: 0s}\ndefaults: {connections: {max: 256, whole: 1B}}",
	} {
		f.Add(seed, "", "1")
		f.Add(seed, "e", "a: [b]")
	}
	for _, m := range mistakes() {
		f.Add(m.text, "", "h")
		f.Add(m.fixed, "e", "")
	}
	schema := resolved(f)
	f.Fuzz(func(t *testing.T, text, environment, variable string) {
		lookup := env("LIFT_ENV", environment, "A", variable, "N", "2")
		c, problems := Parse("f", []byte(text), lookup)
		for _, p := range problems {
			if p.Line < 1 || p.Column < 1 || p.What == "" || strings.ContainsAny(p.Error(), "\r\n") {
				t.Fatalf("problem without a position, or of more than one line: %#v", p)
			}
		}
		if len(problems) == 0 && c.Broken != nil {
			t.Fatalf("broken without a problem: %v", c.Broken)
		}
		if v, ok := instance(text); ok && len(problems) == 0 {
			if err := schema.Validate(v); err != nil {
				t.Fatalf("valid, and not by the schema: %v", err)
			}
		}
		if c.Broken != nil {
			return
		}
		first := printed(t, c)
		if strings.Contains(first, masked) {
			return
		}
		again, problems := Parse("f", []byte(first), env())
		if err := problems.Err(); err != nil {
			t.Fatalf("what was printed does not load: %v\n%s", err, first)
		}
		for _, s := range c.services {
			if s.broken != nil {
				return
			}
		}
		if second := printed(t, again); values(first) != values(second) {
			t.Fatalf("printed\n%s\nread again\n%s", first, second)
		}
	})
}
