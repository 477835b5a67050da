package config

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// mistake is what people write, what they are told - all of it - and what they
// have when they do as they are told, which is accepted without another word.
type mistake struct{ name, text, want, fixed string }

func mistakes() []mistake {
	const rest = "\nservices: {s: {from: static, endpoints: [\"h:1\"]}}"
	service := func(inside string) string { return "services:\n  a: {" + inside + "}" }
	static := func(endpoints string) string { return service("from: static, endpoints: [" + endpoints + "]") }
	return []mistake{
		// These were taken as they stood.
		{
			"$NAME", static(`"$HOST:8080"`),
			`2:33: services.a.endpoints[0]: $HOST is not read as a variable; write ${HOST}, or $$HOST for the text $HOST`,
			static(`"${HOST}:8080"`),
		},
		{
			"$NAME as text", service(`from: static, endpoints: ["h:1"], path_prefix: /$metadata`),
			`2:54: services.a.path_prefix: $metadata is not read as a variable; write ${metadata}, or $$metadata for the text $metadata`,
			service(`from: static, endpoints: ["h:1"], path_prefix: /$$metadata`),
		},
		{
			"a variable as a default", static(`"h:${P:-${Q}}"`),
			`2:33: services.a.endpoints[0]: the default of ${P} holds another variable; write plain text as the default, such as ${P:-text}`,
			static(`"h:${P:-80}"`),
		},
		{
			"an endpoint twice", static(`"h:1", "h:2", "H.:1;weight=2"`),
			`2:47: services.a.endpoints[2]: "h:1" is there twice, first in entry 0; remove one, or give each its own address and id`,
			static(`"h:1", "h:2"`),
		},
		{
			"an address twice, with two ids", static(`"[::1]:1;id=x", "[0:0::1]:1;id=y"`),
			`2:49: services.a.endpoints[1]: "[::1]:1" is there twice, first in entry 0; remove one, or give each its own address and id`,
			static(`"[::1]:1;id=x", "[::1]:2;id=y"`),
		},
		{
			"an id twice", static(`"h:1;id=x", "h:2;id=x"`),
			`2:45: services.a.endpoints[1]: "x" is there twice, first in entry 0; remove one, or give each its own address and id`,
			static(`"h:1;id=x", "h:2;id=y"`),
		},
		{
			"no services", "socket: /x",
			` warning: services: there are no services, so every call fails with unknown_service; add one, such as services: {orders: {from: static, endpoints: ["10.0.1.7:8080"]}}`,
			"socket: /x\n" + `services: {orders: {from: static, endpoints: ["10.0.1.7:8080"]}}`,
		},
		{
			"a token file that is not there", `registry: {consul: {token: {file: none}}}` + rest,
			`1:35: warning: registry.consul.token.file: the token's file none does not exist; check the path, or write the file before Lift calls Consul`,
			`registry: {consul: {token: {file: mistakes_test.go}}}` + rest,
		},
		{
			"a folder as the token file", `registry: {consul: {token: {file: .}}}` + rest,
			`1:35: warning: registry.consul.token.file: the token's file . is a directory; check the path, or write the file before Lift calls Consul`, "",
		},
		{
			"sigv4 without a region", service(`from: static, endpoints: ["h:1", "x.lambda-url.eu-west-1.on.aws:443"], auth: {sigv4: lambda}`),
			`2:92: services.a.auth.sigv4: the region to sign for is not known, and the host does not tell it; set auth.region, such as region: eu-west-1, or AWS_REGION where this is checked; Lambda sets AWS_REGION itself`,
			service(`from: static, endpoints: ["h:1"], auth: {sigv4: lambda, region: eu-west-1}`),
		},
		{
			"sigv4 without a region, by name", service(`from: url, url: "https://api.example.com", auth: {sigv4: execute-api}`),
			`2:64: services.a.auth.sigv4: the region to sign for is not known, and the host does not tell it; set auth.region, such as region: eu-west-1, or AWS_REGION where this is checked; Lambda sets AWS_REGION itself`,
			service(`from: url, url: "https://abc.execute-api.eu-west-1.amazonaws.com", auth: {sigv4: execute-api}`),
		},
		{
			"no address", static(`"999.0.0.1:80"`),
			`2:33: services.a.endpoints[0]: "999.0.0.1:80" is not valid; "999.0.0.1" is not a valid IP address (an IPv4 address has four numbers from 0 to 255)`,
			static(`"99.0.0.1:80"`),
		},
		{
			"no address in a URL", service(`from: url, url: "http://999.0.0.1/"`),
			`2:23: services.a.url: "http://999.0.0.1/" is not valid; its host: "999.0.0.1" is not a valid IP address (an IPv4 address has four numbers from 0 to 255)`, "",
		},
		{
			"no address as a name", service(`from: dns, dns: {name: 999.0.0.1, port: 1}`),
			`2:30: services.a.dns.name: "999.0.0.1" is not valid; "999.0.0.1" is not a valid IP address (an IPv4 address has four numbers from 0 to 255)`, "",
		},

		// These were told in words that did not help.
		{"a huge number", "limits: {peers: 99999999999999999999}" + rest, `1:17: limits.peers: 99999999999999999999 is out of range; want 1 to 16384`, "limits: {peers: 16384}" + rest},
		{"a huge size", "limits: {body: 99999999999999999999GiB}" + rest, `1:16: limits.body: "99999999999999999999GiB" is out of range; want 1KiB to 64MiB`, "limits: {body: 64MiB}" + rest},
		{"a fraction", "limits: {peers: 1.5}" + rest, `1:17: limits.peers: 1.5 is not a whole number; want a whole number from 1 to 16384`, "limits: {peers: 2}" + rest},
		{"octal", "limits: {peers: 010}" + rest, `1:17: limits.peers: 010 begins with 0, which YAML 1.1 takes for octal; write 10`, "limits: {peers: 10}" + rest},
		{"hexadecimal", "limits: {peers: 0x10}" + rest, `1:17: limits.peers: "0x10" is not written in digits alone; write 16`, "limits: {peers: 16}" + rest},
		{"an exponent", "limits: {peers: 1e3}" + rest, `1:17: limits.peers: "1e3" is not written in digits alone; write 1000`, "limits: {peers: 1000}" + rest},
		{"a thousands separator", "limits: {peers: 1_000}" + rest, `1:17: limits.peers: "1_000" is not written in digits alone; write 1000`, "limits: {peers: 1000}" + rest},
		{"a negative number", "limits: {peers: -1}" + rest, `1:17: limits.peers: -1 is out of range; want 1 to 16384`, "limits: {peers: 1}" + rest},
		{"a number in quotes", `limits: {peers: "5"}` + rest, `1:17: limits.peers: "5" is in quotes; write 5`, "limits: {peers: 5}" + rest},
		{"a decimal comma", `defaults: {retry: {budget: {ratio: "0,5"}}}` + rest, `1:36: defaults.retry.budget.ratio: "0,5" is not a number; write 0.5`, `defaults: {retry: {budget: {ratio: 0.5}}}` + rest},
		{"infinity", `defaults: {retry: {budget: {ratio: .inf}}}` + rest, `1:36: defaults.retry.budget.ratio: ".inf" is not a number; want a number from 0 to 1`, ""},
		{"a negative duration", "defaults: {timeout: -3s}" + rest, `1:21: defaults.timeout: "-3s" is negative; want a duration from 1ms to 1h, such as 2s`, "defaults: {timeout: 2s}" + rest},
		{"a duration without a unit", "defaults: {timeout: 30}" + rest, `1:21: defaults.timeout: 30 has no unit; write 30s or 30ms`, "defaults: {timeout: 30s}" + rest},
		{"a duration with a space", "defaults: {timeout: 30 s}" + rest, `1:21: defaults.timeout: "30 s" is not a duration with a unit (us, ms, s, m or h); write 30s`, "defaults: {timeout: 30s}" + rest},
		{"a size with a decimal unit", "limits: {body: 5MB}" + rest, `1:16: limits.body: "5MB" is not a size with a unit (B, KiB, MiB or GiB); write 5MiB`, "limits: {body: 5MiB}" + rest},
		{"a size with a short unit", "limits: {body: 5m}" + rest, `1:16: limits.body: "5m" is not a size with a unit (B, KiB, MiB or GiB); write 5MiB`, "limits: {body: 5MiB}" + rest},
		{"a negative size", "limits: {body: -5MiB}" + rest, `1:16: limits.body: "-5MiB" is negative; want a size from 1KiB to 64MiB, such as 4MiB`, "limits: {body: 4MiB}" + rest},
		{"an old word for true", "proxy: yes" + rest, `1:8: proxy: "yes" is neither true nor false; write true`, "proxy: true" + rest},
		{"a number for text", "socket_group: 1000" + rest, `1:15: socket_group: this is a number, not text; put it in quotes: "1000"`, `socket_group: "1000"` + rest},
		{
			"a tab", "services:\n  a:\n\tfrom: static",
			`3:1: there is a tab in the indentation, where YAML takes spaces only; replace the tab by spaces`,
			"services:\n  a:\n    from: static\n    endpoints: [\"h:1\"]",
		},
		{
			"a tab behind spaces", "services:\n  a:\n    from: static\n  \tendpoints: [\"h:1\"]",
			`4:3: there is a tab in the indentation, where YAML takes spaces only; replace the tab by spaces`,
			"services:\n  a:\n    from: static\n    endpoints: [\"h:1\"]",
		},
		{"text for a list", "plain: 127.0.0.1:4140" + rest, `1:8: plain: this is text, not a list; write plain: ["127.0.0.1:4140"]`, `plain: ["127.0.0.1:4140"]` + rest},
		{"a number for a list", "plain: 4140" + rest, `1:8: plain: this is a number, not a list; write plain: ["127.0.0.1:4140"]`, `plain: ["127.0.0.1:4140"]` + rest},
		{"a variable for a list", service("from: static, endpoints: \"${HOST}:80\""), `2:32: services.a.endpoints: this is text, not a list; write endpoints: ["${HOST}:80"]`, static(`"${HOST}:80"`)},
		{
			"commas", static(`"h:1,weight=2"`),
			`2:33: services.a.endpoints[0]: "h:1,weight=2" is not valid; its parts are separated by semicolons; write "h:1;weight=2"`, static(`"h:1;weight=2"`),
		},
		{
			"two endpoints in one text", static(`"h:1, h:2"`),
			`2:33: services.a.endpoints[0]: "h:1, h:2" is not valid; this is more than one endpoint; write one entry for each: "h:1", "h:2"`, static(`"h:1", "h:2"`),
		},
		{
			"commas without quotes", static(`10.0.1.7:8080,weight=2`),
			`2:47: services.a.endpoints[1]: "weight=2" is not valid; this is a part of an endpoint; write it behind the address and a semicolon: 10.0.1.7:8080;weight=2`, static(`10.0.1.7:8080;weight=2`),
		},
		{"an endpoint without port", static(`h`), `2:33: services.a.endpoints[0]: "h" is not valid; the port is missing; want host:port, such as h:8080`, static(`"h:8080"`)},
		{"a URL as an endpoint", static(`"http://h:1/"`), `2:33: services.a.endpoints[0]: "http://h:1/" is not valid; want host:port alone: h:1`, static(`"h:1"`)},
		{
			"Kubernetes", service("from: k8s"),
			`2:13: services.a.from: "k8s" is not one of static, dns, url, consul, cloudmap, lambda; with Kubernetes use from: dns and the name of a headless service, such as dns: {name: orders.default.svc.cluster.local, port: 8080}`,
			service("from: dns, dns: {name: orders.default.svc.cluster.local, port: 8080}"),
		},
		{
			"a flat port", service("from: dns, port: 8080, dns: {name: orders.internal}"),
			`2:18: services.a.port: unknown key "port"; port stands under dns`,
			service("from: dns, dns: {name: orders.internal, port: 8080}"),
		},
		{
			"a flat port with static", static(`"h:1"], port: 8080, warm: [`),
			`2:41: services.a.port: unknown key "port"; the port is a part of each endpoint: endpoints: ["10.0.1.7:8080"]`,
			static(`"10.0.1.7:8080"`),
		},
		{
			"a flat port with url", service(`from: url, url: http://orders.internal, port: 8080`),
			`2:47: services.a.port: unknown key "port"; the port is a part of the URL: url: http://orders.internal:8080`,
			service(`from: url, url: http://orders.internal:8080`),
		},
		{
			"a flat port alone", service(`port: 8080`),
			`2:7: services.a.port: unknown key "port"; port stands under cloudmap or under dns`, "",
		},
		{"a key of services at the top", "timeout: 1s" + rest, `1:1: timeout: unknown key "timeout"; timeout stands under defaults or services.NAME`, "defaults: {timeout: 1s}" + rest},
		{"a key of the top in a service", service(`from: static, endpoints: ["h:1"], socket: /x`), `2:41: services.a.socket: unknown key "socket"; socket stands at the top of the file`, ""},
		{"no space after a colon, in braces", service(`from:static, endpoints: ["h:1"]`), `2:7: services.a.from:static: a space is missing after the colon; write from: static`, static(`"h:1"`)},
		{"no space after a colon", "services:\n  a:\n    from:static\n    endpoints: [\"h:1\"]", `3:10: a space is missing after the colon; write from: static`, static(`"h:1"`)},
		{"no space after a colon, below", "services:\n  a:\n    endpoints: [\"h:1\"]\n    from:static # who\n    timeout: 1s", `4:10: a space is missing after the colon; write from: static`, static(`"h:1"`)},
		{"no space after a colon, alone", "services:\n  a:\n    from:static", `3:5: services.a: a space is missing after the colon; write from: static`, ""},
		{"no space before braces", "services:\n  a:{from: static}\n  b: {}", `2:3: services.a:{from: a space is missing after the colon; write a: ...`, ""},
		{"a variable as a key", "services:\n  ${X}: {from: static, endpoints: [\"h:1\"]}", `2:3: services: the key "${X}" holds a variable, and variables are read in values only; write the key out`, rest},
		{"a variable without quotes in brackets", "services:\n  a: {from: static,\n    endpoints: [${HOST}:80]}", `3:17: a variable without quotes inside {...} or [...], where YAML reads its braces as its own; put the value in quotes, such as "${HOST}"`, static(`"${HOST}:80"`)},
		{"a reserved character", "socket_group: @app" + rest, `1:15: a value cannot begin with @ in YAML; put it in quotes: "@app"`, ""},
		{"nothing", "", `1:1: the file is empty; begin with services: {orders: {from: static, endpoints: ["10.0.1.7:8080"]}}`, firstService},
	}
}

func TestMistakes(t *testing.T) {
	lookup := env("HOST", "orders.internal")
	for _, m := range mistakes() {
		t.Run(m.name, func(t *testing.T) {
			c, problems := Parse("f", []byte(m.text), lookup)
			all := append(problems, c.Warnings...).Error()
			if got, _, _ := strings.Cut(strings.TrimPrefix(all, "f:"), "\n"); got != m.want {
				t.Errorf("%s\nis told\n%s\nwant\n%s", m.text, got, m.want)
			}
			if m.fixed == "" {
				return
			}
			if c, problems := Parse("f", []byte(m.fixed), lookup); len(problems)+len(c.Warnings) > 0 || c.Broken != nil {
				t.Errorf("what was told to write is not accepted:\n%s\n%v%v", m.fixed, problems, c.Warnings)
			}
		})
	}
}

// What a sample, a preset or a message shows is accepted where it stands.
func TestSamplesAreAccepted(t *testing.T) {
	for source, text := range otherSources() {
		_, example, _ := strings.Cut(text, "such as ")
		_, from, _ := strings.Cut(text, "from: ")
		from, _, _ = strings.Cut(from, " and")
		_, problems := Parse("f", []byte("services: {a: {from: "+from+", "+example+"}}"), env("AWS_REGION", "eu-west-1"))
		if err := problems.Err(); err != nil {
			t.Errorf("%s: %s: %v", source, text, err)
		}
	}
	for word, text := range otherProtocols() {
		rest := strings.TrimPrefix(text, "write ")
		protocol, more, secure := strings.Cut(rest, ", and ")
		protocol, _, _ = strings.Cut(protocol, " ")
		if protocol == "h2" {
			more, secure = "tls: true", true
		}
		text := "services: {a: {from: static, endpoints: [\"h:1\"], protocol: " + protocol
		if secure {
			text += ", " + more
		}
		if _, problems := Parse("f", []byte(text+"}}"), env()); len(problems) > 0 {
			t.Errorf("%s: %s: %v", word, text, problems)
		}
	}
}

// A fault that is new in this file breaks one service, not the others.
func TestMistakesBreakOneServiceAlone(t *testing.T) {
	for _, inside := range []string{
		`from: static, endpoints: ["$HOST:1"]`, `from: static, endpoints: ["${P:-${Q}}:1"]`, `from: static, endpoints: ["h:1", "h:1"]`,
		`from: static, endpoints: ["999.0.0.1:1"]`, `from: static, endpoints: ["h:1"], auth: {sigv4: lambda}`,
	} {
		c, problems := Parse("f", []byte(`services: {sound: {from: static, endpoints: ["h:1"]}, a: {`+inside+`}}`), env())
		if len(problems) != 1 || c.Broken != nil || c.Services[0].Broken != nil || c.Services[1].Broken == nil {
			t.Errorf("%s: %v, all: %v, sound: %v, a: %v", inside, problems, c.Broken, c.Services[0].Broken, c.Services[1].Broken)
		}
	}
}

func TestEnvironmentThatIsAskedFor(t *testing.T) {
	path := filepath.Join(t.TempDir(), "lift.yaml")
	text := firstService + "\nenvironments: {dev: {}, prod: {defaults: {warm: 1}}}"
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	if c, problems := LoadEnvironment(path, "prod", env("LIFT_ENV", "dev")); len(problems) > 0 || c.Environment != "prod" || c.Services[0].Warm != 1 {
		t.Errorf("%q, %v", c.Environment, problems)
	}
	_, problems := LoadEnvironment(path, "stage", env("LIFT_ENV", "dev"))
	if got, want := problems.Error(), path+`:2:15: environments: the environment "stage" was asked for, and the file has none of that name; choose dev or prod, add environments: {stage: {}}, or do not ask for one`; got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
}

// Services in overlays alone are named by the warning.
func TestServicesOfAnEnvironment(t *testing.T) {
	c, problems := Parse("f", []byte("environments: {dev: {"+firstService+"}}"), env())
	if got, want := c.Warnings.Error(), "f: warning: services: there are no services, so every call fails with unknown_service; choose an environment that has some: dev"; got != want || len(problems) > 0 {
		t.Errorf("got  %s, %v\nwant %s", got, problems, want)
	}
	for _, sound := range []string{"register: {service: a, port: 1}", "environments: {dev: {" + firstService + "}}"} {
		if c, _ := Parse("f", []byte(sound), env("LIFT_ENV", map[bool]string{true: "dev"}[strings.HasPrefix(sound, "env")])); len(c.Warnings) > 0 {
			t.Errorf("%s: %v", sound, c.Warnings)
		}
	}
}

// Credentials that stand in the file are in no message and no excerpt.
func TestCredentialsAreNotRepeated(t *testing.T) {
	for _, inside := range []string{
		`from: static, endpoints: ["http://u:hunter2@h:1"]`, `from: static, endpoints: ["h:1"], host: "https://u:hunter2@h/"`,
		`from: url, url: "ftp://u:hunter2@h/"`, `from: url, url: "https://u:hunter2@h\\@evil"`, `from: dns, dns: {port: 1, name: "http://u:hunter2@h"}`,
		`from: static, endpoints: ["h:1"], listen: "tcp://u:hunter2@h:1"`, `from: lambda, function: "https://hunter2@h/"`,
	} {
		_, problems := Parse("f", []byte("services: {a: {"+inside+"}}"), env("AWS_REGION", "eu-west-1"))
		if len(problems) != 1 || strings.Contains(problems[0].Error()+problems[0].Excerpt, "hunter2") || problems[0].Remedy == "" {
			t.Errorf("%s: %+v", inside, problems)
		}
	}
}

// The file's line goes with each problem, unless it may hold a secret.
func TestExcerpts(t *testing.T) {
	_, problems := Parse("f", []byte("socket: \"/x\"\nlog: {levl: info}\r\nservices:\n  a: {from: url, url: \"https://u:hunter2@h/\"}\n  b: {from: dns, tls: 5}"), env())
	want := []string{"log: {levl: info}", "  a: {from: url, url: ***", "  b: {from: dns, tls: 5}"}
	for i, p := range problems {
		if i < len(want) && p.Excerpt != want[i] {
			t.Errorf("%v: %q, want %q", p, p.Excerpt, want[i])
		}
	}
	if len(problems) < 3 {
		t.Error(problems)
	}
}
