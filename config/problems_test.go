package config

import (
	"strings"
	"testing"
)

// Each text's problems, all of them, in order, in full.
func TestProblems(t *testing.T) {
	for name, test := range map[string]struct {
		text string
		env  Lookup
		want []string
	}{
		"unknown, near": {"sokcet: /x", env(), []string{
			`1:1: sokcet: unknown key "sokcet"; did you mean socket?`,
		}},
		"unknown, elsewhere": {"defaults: {attempts: 3}", env(), []string{
			`1:12: defaults.attempts: unknown key "attempts"; attempts stands under retry`,
		}},
		"unknown, far": {"defaults: {balancer: {zone_aware: true}}", env(), []string{
			`1:23: defaults.balancer.zone_aware: unknown key "zone_aware"; known here: strategy`,
		}},
		"not built": {"services: {a: {from: eureka, endpoints: [h:1]}}", env(), []string{
			`1:22: services.a.from: "eureka" is not known here; want static or dns or url or consul or cloudmap or lambda`,
		}},
		"own": {"defaults: {endpoints: [h:1]}", env(), []string{
			`1:12: defaults.endpoints: this is each service's own; move it to services.NAME.endpoints`,
		}},
		"twice": {"socket: /a\nlog: {level: info, level: warn}\nsocket: /b", env(), []string{
			`2:20: log.level: the key is there twice, first on line 2; remove one`,
			`3:1: socket: the key is there twice, first on line 1; remove one`,
		}},
		"types": {"socket: 5\nlog: info\ndefaults: {warm: \"1\", timeout: [], retry: {attempts: 1.5, budget: {ratio: yes}}}\nlimits:\n  peers:\n", env(), []string{
			`1:9: socket: this is a number; want a text (in quotes, if it looks like a number)`,
			`2:6: log: this is text; want a mapping of level, format`,
			`3:18: defaults.warm: this is text; want a whole number from 0 to 16, without quotes`,
			`3:32: defaults.timeout: this is a list; want a duration, such as 2s`,
			`3:54: defaults.retry.attempts: this is a number; want a whole number from 1 to 10, without quotes`,
			`3:75: defaults.retry.budget.ratio: this is text; want a number from 0 to 1, without quotes`,
			`5:9: limits.peers: this is no value; want a whole number from 1 to 16384, without quotes`,
		}},
		"units and ranges": {"defaults: {timeout: 2, attempt_timeout: 2d, retry: {attempts: 0, budget: {ratio: 1.5}}, breaker: {open_for: 5s}}\nlimits: {header: 64, body: 64KB, peers: 010}\nsocket_mode: \"0060\"", env(), []string{
			`1:21: defaults.timeout: "2" is no duration with a unit; want a duration such as 2s`,
			`1:41: defaults.attempt_timeout: "2d" is no duration with a unit; want a duration such as 1s`,
			`1:63: defaults.retry.attempts: "0" is out of range; want 1 to 10`,
			`1:82: defaults.retry.budget.ratio: "1.5" is out of range; want 0 to 1`,
			`1:109: defaults.breaker.open_for: "5s" is no range of durations; want two with their units, such as 1s..60s`,
			`2:18: limits.header: "64" is no size with a unit; want B, KiB, MiB or GiB, such as 64KiB`,
			`2:28: limits.body: "64KB" is no size with a unit; want B, KiB, MiB or GiB, such as 4MiB`,
			`2:41: limits.peers: "010" is no whole number; want one from 1 to 16384`,
			`3:14: socket_mode: "0060" keeps the owner out; want at least "0600"`,
		}},
		"choice": {"defaults: {balancer: {strategy: roundrobin}}", env(), []string{
			`1:33: defaults.balancer.strategy: "roundrobin" is not known here; want least_request or round_robin; did you mean round_robin?`,
		}},
		"contradictions": {"defaults: {timeout: 1s, attempt_timeout: 2s}\nservices:\n  a: {from: static, endpoints: [\"h:1\"]}\n  b: {from: static, endpoints: [\"h:1\"], timeout: 500ms, attempt_timeout: 1ms, connections: {max: 4, max_idle_count: 8}}", env(), []string{
			`1:42: defaults.attempt_timeout: attempt_timeout (2s) is above timeout (1s); want at most as much`,
			`4:117: services.b.connections.max_idle_count: connections.max_idle_count (8) is above connections.max (4); want at most as much`,
		}},
		"no second fault for one": {"defaults: {timeout: 2, attempt_timeout: 3s}", env(), []string{
			`1:21: defaults.timeout: "2" is no duration with a unit; want a duration such as 2s`,
		}},
		"endpoints": {"services:\n  a: {from: static, endpoints: [x, \"h:0\", \"h:1;weight=0\"]}\n  b: {from: static, endpoints: []}\n  c: {endpoints: \"h:1\"}\n  d: {}", env(), []string{
			`2:33: services.a.endpoints[0]: "x" is not right; want host:port, such as 10.0.1.7:8080 or [::1]:8080`,
			`2:36: services.a.endpoints[1]: "h:0" is not right; "0" is no port; want 1 to 65535`,
			`2:43: services.a.endpoints[2]: "h:1;weight=0" is not right; weight "0": want a whole number from 1 to 1000`,
			`3:32: services.b.endpoints: the list is empty; want one entry at least`,
			`4:18: services.c.endpoints: this is text; want a list, such as ["10.0.1.7:8080"]`,
			`5:3: services.d: from is missing; want from: static or dns or url or consul or cloudmap or lambda, and what goes with it`,
		}},
		"dns": {"services:\n  a: {from: dns, dns: {name: a b, port: 0, type: aaaa, servers: [dns.internal]}}\n  b: {from: dns}\n  c: {from: dns, dns: {name: c, type: srv, port: 80}, endpoints: [\"h:1\"]}\n  d: {from: static, endpoints: [\"h:1\"], dns: {name: d}}\n  e: {from: dns, dns: {name: 10.0.0.1, servers: []}}\ndefaults: {dns: {type: srv}}", env(), []string{
			`2:30: services.a.dns.name: "a b" is not right; want letters, digits, dashes and underscores between dots, such as orders.internal`,
			`2:41: services.a.dns.port: "0" is out of range; want 1 to 65535`,
			`2:50: services.a.dns.type: "aaaa" is not known here; want a or srv`,
			`2:66: services.a.dns.servers[0]: "dns.internal" is not right; want an IP address with its port, such as 10.0.0.2:53 or [fd00::2]:53`,
			`3:3: services.b: dns.name is missing; want the name to ask for with from: dns, such as dns: {name: orders.internal, port: 8080}`,
			`3:3: services.b: dns.port is missing; want the port of the addresses, such as port: 8080, or type: srv`,
			`4:50: services.c.dns.port: dns.port goes with type: a; SRV records say their ports; remove it`,
			`4:66: services.c.endpoints: endpoints goes with from: static, and from is dns; remove one of the two`,
			`5:53: services.d.dns.name: dns.name goes with from: dns, and from is static; remove one of the two`,
			`6:30: services.e.dns.name: "10.0.0.1" is not right; this is an address; want a name, or from: static for addresses`,
			`6:49: services.e.dns.servers: the list is empty; want one entry at least`,
			`7:12: defaults.dns: this is each service's own; move it to services.NAME.dns`,
		}},
		"host and prefix": {"services:\n  a: {from: static, endpoints: [\"h:1\"], host: \"https://h/\", path_prefix: prod}\n  b: {from: static, endpoints: [\"h:1\"], host: \"h:x\", path_prefix: /a/../b}\ndefaults: {host: h}", env(), []string{
			`2:47: services.a.host: "https://h/" is not right; want a host, or host:port, such as orders.example.com, without scheme and path; IPv6 in brackets, other scripts in their xn-- form`,
			`2:74: services.a.path_prefix: "prod" is not right; want a path that begins with a slash and does not end in one, such as /prod`,
			`3:47: services.b.host: "h:x" is not right; "x" is no port; want 1 to 65535`,
			`3:67: services.b.path_prefix: "/a/../b" is not right; want no empty segments, and neither . nor .. as one`,
			`4:12: defaults.host: this is each service's own; move it to services.NAME.host`,
		}},
		"names of services": {"services:\n  Orders: {from: static, endpoints: [\"h:1\"]}\n  lift: {from: static, endpoints: [\"h:1\"]}\n  pay: {from: static, endpoints: [\"h:1\"]}\n  PAY: {from: static, endpoints: [\"h:1\"]}\n  -A: {from: static, endpoints: [\"h:1\"]}", env(), []string{
			`2:3: services.Orders: the name has upper-case letters; write orders; calls find it in any case`,
			`3:3: services.lift: this name is Lift's own; choose another`,
			`5:3: services.PAY: the service pay is there already, on line 4, and names that differ only in case are one name; remove one`,
			`6:3: services.-A: no name for a service; want lower-case letters, digits, dots, dashes or underscores, such as orders, as it stands where a host's name does`,
		}},
		"variables": {"socket: ${DIR}/x\nlog: {level: \"${LEVEL:-loud}\", format: \"${1}\"}\nsocket_group: ${open", env(), []string{
			`1:9: socket: the variable DIR is not set; set it, or write ${DIR:-default}`,
			`2:14: log.level: "loud" is not known here; want debug or info or warn or error`,
			`2:40: log.format: "1" is no name of a variable; want ${NAME}, ${NAME:-default}, or $${ for a plain ${`,
			`3:15: socket_group: ${ without its }; want ${NAME}, ${NAME:-default}, or $${ for a plain ${`,
		}},
		"a variable that overrides": {"socket: /x", env("LIFT_LOG_LEVEL", "loud"), []string{
			`$LIFT_LOG_LEVEL: log.level: "loud" is not known here; want debug or info or warn or error`,
		}},
		"references": {"defaults: &d {timeout: 2s}\nservices:\n  a: *d\n  b: {<<: *d, from: static, endpoints: [\"h:1\"]}\n  c: {from: !!str static, endpoints: [\"h:1\"]}", env(), []string{
			`1:11: defaults: anchors (&name) are not read; remove it; what services share stands under defaults`,
			`3:6: services.a: aliases (*name) are not read; write the value out, or put it under defaults`,
			`4:7: services.b: merge keys (<<) are not read; what services share stands under defaults`,
			`5:13: services.c.from: tags (!!str) are not read; remove it`,
		}},
		"a service twice": {"services:\n  a: {from: static, endpoints: [\"h:1\"]}\n  a: {}\n", env(), []string{
			`3:3: services.a: the key is there twice, first on line 2; remove one`,
		}},
		"odd keys": {"{[a]: 1, ? {b: 1} : 2, 3: 4}", env(), []string{
			`1:2: this key is a list; want a word`,
			`1:12: this key is a mapping; want a word`,
			`1:24: 3: unknown key "3"; known here: socket, socket_mode, socket_group, api, plain, proxy, log, limits, lambda, drain, registry, register, defaults, services, environments`,
		}},
		"not a mapping":  {"- a", env(), []string{`1:1: this is a list; want a mapping of socket, socket_mode, socket_group, api, plain, proxy, log, limits, lambda, drain, registry, register, defaults, services, environments`}},
		"empty":          {"# nothing\n", env(), []string{`1:1: the file is empty; want at least services:`}},
		"two documents":  {"socket: /a\n---\nsocket: /b", env(), []string{`2:1: a second document begins; want one; environments: holds what differs between stages`}},
		"not YAML":       {"socket: /a\n  log: [", env(), []string{`2:3: not YAML: mapping values are not allowed in this context; look at this line and those beside it (indentation, colons, brackets, quotes)`}},
		"no environment": {"environments: {dev: {}, prod: {}}", env("LIFT_ENV", "prdo"), []string{`1:15: environments: LIFT_ENV is "prdo", and there is no such environment; add it, if only as prdo: {}, or unset LIFT_ENV; known: dev, prod`}},
		"overlay": {"environments:\n  prod: {environments: {}, defaults: {timeout: 1s, attempt_timeout: 2s}}", env("LIFT_ENV", "prod"), []string{
			`2:10: environments.prod.environments: unknown key "environments"; known here: socket, socket_mode, socket_group, api, plain, proxy, log, limits, lambda, drain, registry, register, defaults, services`,
			`2:69: environments.prod.defaults.attempt_timeout: attempt_timeout (2s) is above timeout (1s); want at most as much`,
		}},
		"socket": {"socket: lift.sock", env(), []string{`1:9: socket: "lift.sock" is not right; want an absolute path, such as /tmp/lift/lift.sock`}},
	} {
		t.Run(name, func(t *testing.T) {
			_, problems := Parse("f", []byte(test.text), test.env)
			var got []string
			for _, p := range problems {
				got = append(got, strings.TrimPrefix(p.Error(), "f:"))
			}
			if g, w := strings.Join(got, "\n"), strings.Join(test.want, "\n"); g != w {
				t.Errorf("of\n%s\n\ngot\n%s\n\nwant\n%s", test.text, g, w)
			}
		})
	}
}

func TestSecretsStayOutOfMessages(t *testing.T) {
	const secret = "hunter2!"
	_, problems := Parse("f", []byte(`
socket: ${DB_PASSWORD}
log: {level: "${API_TOKEN}"}
defaults: {timeout: "${MY_SECRET}", retry: {budget: {ratio: "${SIGNING_KEY}"}}}
services: {a: {from: static, endpoints: ["${API_TOKEN}"]}}
`), env("DB_PASSWORD", secret, "API_TOKEN", secret, "MY_SECRET", secret, "SIGNING_KEY", secret))
	if len(problems) != 5 {
		t.Errorf("want 5 problems, got %v", problems)
	}
	if strings.Contains(problems.Err().Error(), "hunter2") {
		t.Errorf("a secret shows: %v", problems)
	}
}
