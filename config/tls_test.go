package config

import (
	"crypto/tls"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/liftmesh/lift/internal/certtest"
)

// withFiles writes a lift.yaml and the certificates that it names beside it.
func withFiles(t *testing.T, text string) (path string) {
	t.Helper()
	dir := t.TempDir()
	a := certtest.New(t, "ca")
	client, other := a.Issue(nil, "client"), a.Issue(nil, "other")
	for name, from := range map[string]string{"ca.pem": a.File, "client.pem": client.CertFile, "client.key": client.KeyFile, "other.key": other.KeyFile} {
		content, err := os.ReadFile(from)
		if err == nil {
			err = os.WriteFile(filepath.Join(dir, name), content, 0o600)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	path = filepath.Join(dir, "lift.yaml")
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func TestTLSArrives(t *testing.T) {
	path := withFiles(t, `
defaults: {tls: {ca: ca.pem}}
services:
  full: {from: static, endpoints: ["h:1"], tls: {cert: client.pem, key: client.key, server_name: payments.internal, min_version: 1.3, verify: false}}
  common: {from: static, endpoints: ["h:1"]}
  none: {from: static, endpoints: ["h:1"], tls: false}
  "yes": {from: static, endpoints: ["h:1"], tls: true}
  empty: {from: static, endpoints: ["h:1"], tls: {}}
  byname: {from: dns, dns: {name: orders.internal., port: 443}}
  byhost: {from: dns, dns: {name: orders.internal., port: 443}, host: shop.example.com}
  bysrv: {from: dns, dns: {name: _a._tcp.internal., type: srv}}
environments:
  plain: {defaults: {tls: false}}
`)
	dir := filepath.Dir(path)
	c, problems := Load(path, env())
	if err := problems.Err(); err != nil {
		t.Fatal(err)
	}
	names := map[string]string{"full": "payments.internal", "byname": "orders.internal"}
	for _, s := range c.Services {
		got := s.Transport.TLS
		if s.Name == "none" {
			if got != nil {
				t.Errorf("none: %v", got)
			}
			continue
		}
		if got == nil || len(got.CA) != 1 || got.CA[0] != dir+"/ca.pem" || got.ServerName != names[s.Name] {
			t.Errorf("%s: %+v", s.Name, got)
			continue
		}
		switch full := s.Name == "full"; {
		case full && (got.Cert != dir+"/client.pem" || got.Key != dir+"/client.key" || got.MinVersion != tls.VersionTLS13 || !got.InsecureSkipVerify),
			!full && (got.Cert != "" || got.Key != "" || got.MinVersion != tls.VersionTLS12 || got.InsecureSkipVerify):
			t.Errorf("%s: %v %v %v %v", s.Name, got.Cert, got.Key, got.MinVersion, got.InsecureSkipVerify)
		}
	}
	print1 := printed(t, c)
	for _, want := range []string{"    tls: false  # ", "    tls:\n      ca: \"ca.pem\"  # "} {
		if !strings.Contains(print1, want) {
			t.Errorf("no %q in\n%s", want, print1)
		}
	}
	again, problems := Parse(path, []byte(print1), env())
	if err := problems.Err(); err != nil || values(printed(t, again)) != values(print1) {
		t.Errorf("read again: %v\n%s", err, printed(t, again))
	}

	c, problems = Load(path, env("LIFT_ENV", "plain"))
	for _, s := range c.Services {
		if on := s.Name == "full" || s.Name == "yes" || s.Name == "empty"; (s.Transport.TLS != nil) != on || len(problems) > 0 {
			t.Errorf("plain: %s: %v, %v", s.Name, s.Transport.TLS, problems)
		}
	}
}

// What is wrong with a file breaks the service that names it, and no other.
func TestTLSProblems(t *testing.T) {
	path := withFiles(t, `
services:
  a: {from: static, endpoints: ["h:1"], tls: {ca: none.pem}}
  b: {from: static, endpoints: ["h:1"], tls: {ca: client.key}}
  c: {from: static, endpoints: ["h:1"], tls: {cert: client.pem, key: other.key}}
  d: {from: static, endpoints: ["h:1"], tls: {cert: client.pem}}
  e: {from: static, endpoints: ["h:1"], tls: {cert: client.pem, key: "${KEY_FILE}"}}
  f: {from: static, endpoints: ["h:1"], tls: {server_name: "h:1", min_version: 1.1, verify: no}}
  g: {from: static, endpoints: ["h:1"], tls: [ca.pem]}
  h: {from: static, endpoints: ["h:1"], tls: {cacert: ca.pem}}
  i: {from: static, endpoints: ["h:1"], tls: "true"}
  sound: {from: static, endpoints: ["h:1"], tls: {ca: ca.pem}}
`)
	dir := filepath.Dir(path) + "/"
	c, problems := Load(path, env("KEY_FILE", "none.key"))
	want := []string{
		`3:51: services.a.tls.ca: none.pem: there is no such file; is it in the package, and is its path right?`,
		`4:51: services.b.tls.ca: client.key: it holds no certificate; want PEM (-----BEGIN CERTIFICATE-----)`,
		`5:70: services.c.tls.key: other.key: the key is not that of the first certificate in client.pem, or cannot be read (tls: private key does not match public key); want the two that were issued together`,
		`6:53: services.d.tls.cert: tls.cert needs tls.key; set both or neither`,
		`7:70: services.e.tls.key: ***: there is no such file; is it in the package, and is its path right?`,
		`8:60: services.f.tls.server_name: "h:1" is not valid; want a name such as orders.example.com, or an IP address, without port`,
		`8:80: services.f.tls.min_version: 1.1 is not a valid value; want 1.2 or 1.3; did you mean 1.2?`,
		`8:93: services.f.tls.verify: "no" is neither true nor false; write false`,
		`9:46: services.g.tls: this is a list; want true or false, without quotes`,
		`10:47: services.h.tls.cacert: unknown key "cacert"; did you mean cert?`,
		`11:46: services.i.tls: "true" is in quotes; write true`,
	}
	var got []string
	for _, p := range problems {
		got = append(got, strings.ReplaceAll(strings.TrimPrefix(p.Error(), path+":"), dir, ""))
	}
	if g, w := strings.Join(got, "\n"), strings.Join(want, "\n"); g != w {
		t.Errorf("got\n%s\n\nwant\n%s", g, w)
	}
	for _, s := range c.Services {
		if (s.Broken == nil) != (s.Name == "sound") {
			t.Errorf("%s: broken by %v", s.Name, s.Broken)
		}
	}
}
