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
			`1:23: defaults.balancer.zone_aware: unknown key "zone_aware"; the keys here are strategy, hash`,
		}},
		"not built": {"services: {a: {from: eureka, endpoints: [h:1]}}", env(), []string{
			`1:22: services.a.from: "eureka" is not a valid value; want static, dns, url, consul, cloudmap or lambda`,
		}},
		"own": {"defaults: {endpoints: [h:1]}", env(), []string{
			`1:12: defaults.endpoints: this key is for single services; move it to services.NAME.endpoints`,
		}},
		"twice": {"socket: /a\nlog: {level: info, level: warn}\nsocket: /b", env(), []string{
			`2:20: log.level: this key is there twice, first on line 2; remove one`,
			`3:1: socket: this key is there twice, first on line 1; remove one`,
		}},
		"types": {"socket: 5\nlog: info\ndefaults: {warm: \"1\", timeout: [], retry: {attempts: 1.5, budget: {ratio: yes}}}\nlimits:\n  peers:\n", env(), []string{
			`1:9: socket: this is a number, not text; want a text, such as /tmp/lift/lift.sock`,
			`2:6: log: this is text; want a mapping of level, format`,
			`3:18: defaults.warm: "1" is in quotes; write 1`,
			`3:32: defaults.timeout: this is a list; want a duration from 1ms to 1h, such as 2s`,
			`3:54: defaults.retry.attempts: 1.5 is not a whole number; want a whole number from 1 to 10`,
			`3:75: defaults.retry.budget.ratio: "yes" is not a number; want a number from 0 to 1`,
			`5:9: limits.peers: there is no value; want a whole number from 1 to 16384`,
		}},
		"units and ranges": {"defaults: {timeout: 2, attempt_timeout: 2d, retry: {attempts: 0, budget: {ratio: 1.5}}, breaker: {open_for: 5s}}\nlimits: {header: 64, body: 64KB, peers: 010}\nsocket_mode: \"0060\"", env(), []string{
			`1:21: defaults.timeout: 2 has no unit; write 2s or 2ms`,
			`1:41: defaults.attempt_timeout: "2d" is not a duration with a unit (us, ms, s, m or h); want a duration from 100us to 1h, such as 1s`,
			`1:63: defaults.retry.attempts: 0 is out of range; want 1 to 10`,
			`1:82: defaults.retry.budget.ratio: 1.5 is out of range; want 0 to 1`,
			`1:109: defaults.breaker.open_for: "5s" is not a range of durations; want two durations with their units, such as 1s..60s`,
			`2:18: limits.header: 64 has no unit; write 64KiB`,
			`2:28: limits.body: "64KB" is not a size with a unit (B, KiB, MiB or GiB); write 64KiB`,
			`2:41: limits.peers: 010 begins with 0, which YAML 1.1 takes for octal; write 10`,
			`3:14: socket_mode: "0060" does not let the owner read and write; want at least "0600"`,
		}},
		"choice": {"defaults: {balancer: {strategy: roundrobin}}", env(), []string{
			`1:33: defaults.balancer.strategy: "roundrobin" is not a valid value; want least_request, round_robin or consistent_hash; did you mean round_robin?`,
		}},
		"contradictions": {"defaults: {timeout: 1s, attempt_timeout: 2s}\nservices:\n  a: {from: static, endpoints: [\"h:1\"]}\n  b: {from: static, endpoints: [\"h:1\"], timeout: 500ms, attempt_timeout: 1ms, connections: {max: 4, max_idle_count: 8}}", env(), []string{
			`1:42: defaults.attempt_timeout: attempt_timeout (2s) is above timeout (1s); lower the first or raise the second`,
			`4:117: services.b.connections.max_idle_count: connections.max_idle_count (8) is above connections.max (4); lower the first or raise the second`,
		}},
		"no second fault for one": {"defaults: {timeout: 2, attempt_timeout: 3s}", env(), []string{
			`1:21: defaults.timeout: 2 has no unit; write 2s or 2ms`,
		}},
		"endpoints": {"services:\n  a: {from: static, endpoints: [x, \"h:0\", \"h:1;weight=0\"]}\n  b: {from: static, endpoints: []}\n  c: {endpoints: \"h:1\"}\n  d: {}", env(), []string{
			`2:33: services.a.endpoints[0]: "x" is not valid; the port is missing; want host:port, such as x:8080`,
			`2:36: services.a.endpoints[1]: "h:0" is not valid; "0" is not a port; want 1 to 65535`,
			`2:43: services.a.endpoints[2]: "h:1;weight=0" is not valid; weight "0": want a whole number from 1 to 1000`,
			`3:32: services.b.endpoints: the list is empty; write endpoints: ["10.0.1.7:8080"], or remove the key`,
			`4:18: services.c.endpoints: this is text, not a list; write endpoints: ["h:1"]`,
			`5:3: services.d: from is missing; write from: static, dns, url, consul, cloudmap or lambda, and the keys that go with it`,
		}},
		"dns": {"services:\n  a: {from: dns, dns: {name: a b, port: 0, type: aaaa, servers: [dns.internal]}}\n  b: {from: dns}\n  c: {from: dns, dns: {name: c, type: srv, port: 80}, endpoints: [\"h:1\"]}\n  d: {from: static, endpoints: [\"h:1\"], dns: {name: d}}\n  e: {from: dns, dns: {name: 10.0.0.1, servers: []}}\ndefaults: {dns: {type: srv}}", env(), []string{
			`2:30: services.a.dns.name: "a b" is not valid; want letters, digits, dashes and underscores between dots, such as orders.internal`,
			`2:41: services.a.dns.port: 0 is out of range; want 1 to 65535`,
			`2:50: services.a.dns.type: "aaaa" is not a valid value; want a or srv`,
			`2:66: services.a.dns.servers[0]: "dns.internal" is not valid; want an IP address with its port, such as 10.0.0.2:53 or [fd00::2]:53`,
			`3:3: services.b: dns.name is missing; with from: dns write the name to look up, such as dns: {name: orders.internal, port: 8080}`,
			`3:3: services.b: dns.port is missing; write the port of the addresses, such as dns: {port: 8080}, or dns: {type: srv}`,
			`4:50: services.c.dns.port: dns.port needs type: a; SRV records hold their ports; remove it`,
			`4:66: services.c.endpoints: endpoints needs from: static, and from is dns; remove it, or write from: static`,
			`5:53: services.d.dns.name: dns.name needs from: dns, and from is static; remove it, or write from: dns`,
			`6:30: services.e.dns.name: "10.0.0.1" is not valid; this is an address; want a name, or from: static for addresses`,
			`6:49: services.e.dns.servers: the list is empty; write servers: ["10.0.0.2:53"], or remove the key`,
			`7:12: defaults.dns: this key is for single services; move it to services.NAME.dns`,
		}},
		"host and prefix": {"services:\n  a: {from: static, endpoints: [\"h:1\"], host: \"https://h/\", path_prefix: prod}\n  b: {from: static, endpoints: [\"h:1\"], host: \"h:x\", path_prefix: /a/../b}\ndefaults: {host: h}", env(), []string{
			`2:47: services.a.host: "https://h/" is not valid; want a host, or host:port, such as orders.example.com, without scheme and path; IPv6 in brackets, other scripts in their xn-- form`,
			`2:74: services.a.path_prefix: "prod" is not valid; want a path that begins with a slash and does not end in one, such as /prod`,
			`3:47: services.b.host: "h:x" is not valid; "x" is not a port; want 1 to 65535`,
			`3:67: services.b.path_prefix: "/a/../b" is not valid; want no empty segments, and neither . nor .. as one`,
			`4:12: defaults.host: this key is for single services; move it to services.NAME.host`,
		}},
		"names of services": {"services:\n  Orders: {from: static, endpoints: [\"h:1\"]}\n  lift: {from: static, endpoints: [\"h:1\"]}\n  pay: {from: static, endpoints: [\"h:1\"]}\n  PAY: {from: static, endpoints: [\"h:1\"]}\n  -A: {from: static, endpoints: [\"h:1\"]}", env(), []string{
			`2:3: services.Orders: the name has upper-case letters; write orders; calls find it in any case`,
			`3:3: services.lift: the name lift is reserved for Lift itself; choose another name`,
			`5:3: services.PAY: the service pay is there already, on line 4, and names that differ only in case are one name; remove one`,
			`6:3: services.-A: "-A" is not a valid name for a service; want lower-case letters, digits, dots, dashes and underscores, such as orders, because it stands where a host's name does`,
		}},
		"variables": {"socket: ${DIR}/x\nlog: {level: \"${LEVEL:-loud}\", format: \"${1}\"}\nsocket_group: ${open", env(), []string{
			`1:9: socket: the variable DIR is not set; set it, or write ${DIR:-default}`,
			`2:14: log.level: "loud" is not a valid value; want debug, info, warn or error`,
			`2:40: log.format: "1" is not the name of a variable; want ${NAME} or ${NAME:-default}, or $${ for the text ${`,
			`3:15: socket_group: there is a ${ without its }; want ${NAME} or ${NAME:-default}, or $${ for the text ${`,
		}},
		"a variable that overrides": {"socket: /x", env("LIFT_LOG_LEVEL", "loud"), []string{
			`$LIFT_LOG_LEVEL: log.level: "loud" is not a valid value; want debug, info, warn or error`,
		}},
		"references": {"defaults: &d {timeout: 2s}\nservices:\n  a: *d\n  b: {<<: *d, from: static, endpoints: [\"h:1\"]}\n  c: {from: !!str static, endpoints: [\"h:1\"]}", env(), []string{
			`1:11: defaults: anchors (&name) are not read; remove it, and put what services share under defaults`,
			`3:6: services.a: aliases (*name) are not read; write the value out, or put it under defaults`,
			`4:7: services.b: merge keys (<<) are not read; put what services share under defaults`,
			`5:13: services.c.from: tags (!!str) are not read; remove it`,
		}},
		"a service twice": {"services:\n  a: {from: static, endpoints: [\"h:1\"]}\n  a: {}\n", env(), []string{
			`3:3: services.a: this key is there twice, first on line 2; remove one`,
		}},
		"odd keys": {"{[a]: 1, ? {b: 1} : 2, 3: 4}", env(), []string{
			`1:2: this key is a list; want a word`,
			`1:12: this key is a mapping; want a word`,
			`1:24: 3: unknown key "3"; the keys here are socket, socket_mode, socket_group, api, plain, proxy, log, limits, lambda, drain, registry, register, defaults, services, environments`,
		}},
		"not a mapping":  {"- a", env(), []string{`1:1: this is a list; want a mapping of socket, socket_mode, socket_group, api, plain, proxy, log, limits, lambda, drain, registry, register, defaults, services, environments`}},
		"empty":          {"# nothing\n", env(), []string{`1:1: the file holds nothing but comments; begin with services: {orders: {from: static, endpoints: ["10.0.1.7:8080"]}}`}},
		"two documents":  {"socket: /a\n---\nsocket: /b", env(), []string{`2:1: a second document begins here; keep one; put what differs between stages under environments`}},
		"not YAML":       {"socket: /a\n  log: [", env(), []string{`2:3: not valid YAML: mapping values are not allowed in this context; check the indentation, colons, brackets and quotes of this line and of those beside it`}},
		"no environment": {"environments: {dev: {}, prod: {}}", env("LIFT_ENV", "prdo"), []string{`1:15: environments: LIFT_ENV is "prdo", and the file has no environment of that name; choose dev or prod, add environments: {prdo: {}}, or unset LIFT_ENV`}},
		"overlay": {"environments:\n  prod: {environments: {}, defaults: {timeout: 1s, attempt_timeout: 2s}}", env("LIFT_ENV", "prod"), []string{
			`2:10: environments.prod.environments: unknown key "environments"; environments stands at the top of the file`,
			`2:69: environments.prod.defaults.attempt_timeout: attempt_timeout (2s) is above timeout (1s); lower the first or raise the second`,
		}},
		"socket": {"socket: lift.sock", env(), []string{`1:9: socket: "lift.sock" is not valid; want an absolute path, such as /tmp/lift/lift.sock`}},
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
