package config

import (
	"strings"
	"testing"
	"time"

	"github.com/liftmesh/lift/registry/dns"
	"github.com/liftmesh/lift/transport"
)

func TestParseURL(t *testing.T) {
	for s, want := range map[string]target{
		"https://abc.execute-api.eu-west-1.amazonaws.com/prod": {true, "abc.execute-api.eu-west-1.amazonaws.com", "abc.execute-api.eu-west-1.amazonaws.com", 443, "/prod"},
		"https://h":                  {true, "h", "h", 443, ""},
		"HTTPS://H.Example.COM:443/": {true, "h.example.com", "h.example.com", 443, ""},
		"https://h:8443/a/b/":        {true, "h:8443", "h", 8443, "/a/b"},
		"http://h/a%2Fb":             {false, "h", "h", 80, "/a%2Fb"},
		"http://127.0.0.1:8080/":     {false, "127.0.0.1:8080", "127.0.0.1", 8080, ""},
		"https://[fd00::7]:443":      {true, "[fd00::7]", "fd00::7", 443, ""},
		"http://[::1]:8080":          {false, "[::1]:8080", "::1", 8080, ""},
		"http://localhost":           {false, "localhost", "localhost", 80, ""},
	} {
		if got, err := parseURL(s); err != nil || got != want {
			t.Errorf("%s: %+v, %v; want %+v", s, got, err, want)
		}
	}
	for s, says := range map[string]string{
		"":                      "with its scheme",
		"h/prod":                "with its scheme",
		"//h":                   "with its scheme",
		"h:8080":                "with its scheme",
		"ftp://h":               `scheme "ftp" is not spoken`,
		"://h":                  `scheme "" is not spoken`,
		"wss://h/x":             "want https",
		"ws://h/x":              "want http",
		"https://":              "its host: want a host",
		"https:///prod":         "its host: want a host",
		"https://h:0":           `its host: "0" is not a port`,
		"https://h:port":        `its host: "port" is not a port`,
		"https://h:":            `its host: "" is not a port`,
		"https://h:70000":       `its host: "70000" is not a port`,
		"https://::1":           "its host: want a host",
		"https://a b/":          "its host: want a host",
		"https://bücher.de":     "xn--",
		"https://u:hunter2@h/":  "credentials",
		"https://u@h":           "credentials",
		"https://h/a?b=c":       "query",
		"https://h?":            "query",
		"https://h/a#b":         "fragment",
		"https://h/a#b?c":       "fragment",
		"https://h/a/../b":      "its path: ",
		"https://h/a b":         "its path: ",
		"https://h/%zz":         "its path: ",
		"https://h\\@evil.com/": "credentials",
	} {
		if got, err := parseURL(s); err == nil || !strings.Contains(err.Error(), says) || strings.Contains(err.Error(), "hunter2") {
			t.Errorf("%s: %+v, %v; want %q", s, got, err, says)
		}
	}
}

func TestURLArrives(t *testing.T) {
	c := sound1(t, `
defaults: {tls: {min_version: 1.3}}
services:
  billing: {from: url, url: "https://abc.execute-api.eu-west-1.amazonaws.com/prod/"}
  private: {from: url, url: "https://vpce-1.execute-api.eu-west-1.vpce.amazonaws.com", host: abc.execute-api.eu-west-1.amazonaws.com, path_prefix: /v1, connections: {max_age: 1m}, tls: {server_name: x.example}, protocol: http}
  plain: {from: url, url: "http://10.0.0.7:8080/a", path_prefix: /a, tls: false}
  here: {from: url, url: "http://localhost:8080"}
environments:
  dev: {services: {billing: {url: "http://127.0.0.1:9000"}, private: {from: static, endpoints: ["h:1"]}}}
`, env())
	type want struct {
		lookup, host, prefix, server string
		secure                       bool
		port                         int // of DNS
		endpoint                     string
		age                          time.Duration
		protocol                     transport.Protocol
	}
	check := func(c *Config, name string, w want) {
		t.Helper()
		for i := range c.Services {
			s := &c.Services[i]
			if s.Name != name {
				continue
			}
			tr := s.Transport
			if s.Lookup != w.lookup || tr.Host != w.host || tr.PathPrefix != w.prefix || (tr.TLS != nil) != w.secure || tr.MaxAge != w.age || tr.Protocol != w.protocol || w.secure && tr.TLS.ServerName != w.server {
				t.Errorf("%s: %q %+v", name, s.Lookup, tr)
			}
			if r, ok := s.Registry.(*dns.Registry); ok {
				if r.Port != w.port {
					t.Errorf("%s: port %d", name, r.Port)
				}
			} else if got := endpointsOf(t, s); len(got) != 1 || got[0].Addr != w.endpoint {
				t.Errorf("%s: endpoints %v", name, got)
			}
		}
	}
	const api = "abc.execute-api.eu-west-1.amazonaws.com"
	check(c, "billing", want{lookup: api, host: api, prefix: "/prod", secure: true, port: 443, age: urlAge, protocol: transport.Auto})
	check(c, "private", want{lookup: "vpce-1.execute-api.eu-west-1.vpce.amazonaws.com", host: api, prefix: "/v1", secure: true, server: "x.example", port: 443, age: time.Minute, protocol: transport.HTTP})
	check(c, "plain", want{host: "10.0.0.7:8080", prefix: "/a", endpoint: "10.0.0.7:8080", age: urlAge, protocol: transport.HTTP})
	check(c, "here", want{host: "localhost:8080", endpoint: "localhost:8080", age: urlAge, protocol: transport.HTTP})
	print1 := printed(t, c)
	if again := sound1(t, print1, env()); values(printed(t, again)) != values(print1) {
		t.Errorf("read again:\n%s\nof\n%s", printed(t, again), print1)
	}
	text := strings.Replace(print1, "services:", "environments: {dev: {services: {billing: {url: \"http://127.0.0.1:9000\", tls: false, protocol: http, path_prefix: /x, host: h}}}}\nservices:", 1)
	c = sound1(t, text, env("LIFT_ENV", "dev"))
	check(c, "billing", want{host: "h", prefix: "/x", endpoint: "127.0.0.1:9000", age: urlAge, protocol: transport.HTTP})
}

func TestURLProblems(t *testing.T) {
	_, problems := Parse("f", []byte(`
services:
  a: {from: url}
  b: {from: url, url: "https://u:hunter2@h/"}
  c: {from: url, url: "https://h", tls: false}
  d: {from: url, url: "http://h", tls: {min_version: 1.3}}
  e: {from: url, url: "https://h/a", path_prefix: /b}
  f: {from: static, endpoints: ["h:1"], url: "https://h"}
  g: {from: url, url: "gopher://h"}
`), env())
	want := []string{
		`3:3: services.a: url is missing; with from: url write the URL, such as url: https://abc.execute-api.eu-west-1.amazonaws.com/prod`,
		`4:23: services.b.url: the text *** is not valid; the URL holds credentials, which would be written into logs; remove them, and have the caller send the header Authorization`,
		`5:41: services.c.tls: the scheme of url says otherwise about TLS; write https in url for TLS or http for none, and remove tls`,
		`6:40: services.d.tls: the scheme of url says otherwise about TLS; write https in url for TLS or http for none, and remove tls`,
		`7:51: services.e.path_prefix: url has a path too; keep the path in one of the two`,
		`8:46: services.f.url: url needs from: url, and from is static; remove it, or write from: url`,
		`9:23: services.g.url: "gopher://h" is not valid; scheme "gopher" is not spoken; want https or http`,
	}
	var got []string
	for _, p := range problems {
		got = append(got, strings.TrimPrefix(p.Error(), "f:"))
	}
	if g, w := strings.Join(got, "\n"), strings.Join(want, "\n"); g != w {
		t.Errorf("got\n%s\n\nwant\n%s", g, w)
	}
}

// Whatever a URL says: what is let through can be sent, and what is not is not
// repeated where it may hold a secret.
func FuzzParseURL(f *testing.F) {
	for _, s := range []string{"https://h/prod", "http://[::1]:80/a%2Fb/", "https://u:p@h", "https://h:443?x#y", "://", "http://localhost//"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		got, err := parseURL(s)
		if err != nil {
			return
		}
		scheme := map[bool]string{true: "https://", false: "http://"}[got.secure]
		if again, err := parseURL(scheme + got.host + got.prefix); err != nil || again != got {
			t.Errorf("%q is %+v, and read again %+v, %v", s, got, again, err)
		}
		if strings.ContainsAny(got.host+got.prefix, " @?#\r\n") || got.port < 1 || got.port > 65535 || got.name == "" {
			t.Errorf("%q is %+v", s, got)
		}
	})
}
