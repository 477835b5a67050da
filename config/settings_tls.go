package config

import (
	"crypto/tls"
	"errors"
	"path/filepath"
	"strings"

	"github.com/liftmesh/lift/mesh"
	"github.com/liftmesh/lift/transport"
)

// tlsSettings are how the endpoints prove who they are, and how we do.
func tlsSettings() []setting[mesh.ServiceConfig] {
	type sc = mesh.ServiceConfig
	return []setting[sc]{
		{rule{
			path: "tls", kind: toggle, derived: "`false`",
			means: "whether the endpoints speak TLS; `{}`, or any of the keys below, means `true`",
			why:   "a load balancer or gateway has certificates, an instance behind it often has none; see [Upstreams](upstreams.md)",
		}, nil}, // all together make a transport.TLS, see reader.tls
		{rule{
			path: "tls.ca", kind: text, derived: "the system's authorities", check: anyPath, sample: "ca.pem",
			means: "file of PEM certificates, one of which must have signed the endpoints'; the path, like those below, is relative to lift.yaml",
			why:   "your own authority need not be in the system's list, and no other is trusted then",
		}, nil},
		{rule{
			path: "tls.cert", kind: text, derived: "none", check: anyPath, sample: "client.pem",
			means: "file of Lift's own certificate, followed by its intermediates (PEM); read again when it changes",
			why:   "for endpoints that verify their clients (mTLS); needs tls.key",
		}, nil},
		{rule{
			path: "tls.key", kind: text, derived: "none", check: anyPath, sample: "client.key",
			means: "file of that certificate's private key (PEM, not encrypted)",
			why:   "needs tls.cert",
		}, nil},
		{rule{
			path: "tls.server_name", kind: text, derived: "host, else with from: dns the name, else the endpoint's host", check: transport.CheckServerName, sample: "orders.example.com",
			means: "the name that the endpoints' certificate must be valid for; it is also sent as SNI",
			why:   "for instances that are reached by address and have a certificate for a name",
		}, nil},
		{rule{
			path: "tls.min_version", kind: choice, choices: []string{"1.2", "1.3"}, preset: "1.2",
			means: "the lowest TLS version that is accepted",
			why:   "RFC 8996 retires everything below 1.2",
		}, nil},
		{rule{
			path: "tls.verify", kind: toggle, preset: "true",
			means: "whether the endpoints' certificates are checked; `false` accepts any certificate (insecure; logged once)",
			why:   "for a quick try; for certificates of your own use tls.ca",
		}, nil},
	}
}

// anyPath accepts each path; reading the file shows whether it is right.
func anyPath(string) error { return nil }

// tls makes the TLS settings of a service, nil for none. It reports files that
// cannot be used.
func (r *reader) tls(s *service) *transport.TLS {
	if s.values["tls"].text != "true" {
		for path := range s.values {
			if strings.HasPrefix(path, "tls.") {
				delete(s.values, path)
			}
		}
		return nil
	}
	for _, pair := range [][2]string{{"tls.cert", "tls.key"}, {"tls.key", "tls.cert"}} {
		d, ok := s.values[pair[0]]
		if _, both := s.values[pair[1]]; ok && !both {
			r.tell(d.origin, "services."+s.name+"."+pair[0], pair[0]+" needs "+pair[1], "set both or neither")
			return nil
		}
	}
	t := &transport.TLS{
		Cert: r.path(s.values["tls.cert"].text), Key: r.path(s.values["tls.key"].text), ServerName: s.serverName(),
		MinVersion: tls.VersionTLS12, InsecureSkipVerify: s.values["tls.verify"].text == "false",
	}
	if s.values["tls.min_version"].text == "1.3" {
		t.MinVersion = tls.VersionTLS13
	}
	if ca := s.values["tls.ca"].text; ca != "" {
		t.CA = []string{r.path(ca)}
	}
	if err := t.Load(); err != nil {
		r.badFile(s, err)
	}
	return t
}

// badFile reports a file that TLS cannot use, at the key that names it.
func (r *reader) badFile(s *service, err error) {
	at, said := s.values["tls"], "tls"
	bad, isFile := errors.AsType[*transport.FileError](err)
	for _, key := range []string{"tls.ca", "tls.cert", "tls.key"} {
		if d, ok := s.values[key]; ok && isFile && r.path(d.text) == bad.Path {
			at, said = d, key
			break
		}
	}
	what := err.Error()
	if isFile && at.secret {
		what = masked + ": " + bad.Err.Error()
	}
	r.tell(at.origin, "services."+s.name+"."+said, what, "")
}

// serverName is what the certificates have to be for, "" to go by the host.
func (s *service) serverName() string {
	if d, ok := s.values["tls.server_name"]; ok {
		return d.text
	}
	if _, host := s.values["host"]; !host && s.values["from"].text == "dns" && s.values["dns.type"].text == "a" {
		return strings.TrimSuffix(s.values["dns.name"].text, ".")
	}
	return ""
}

// path is a path of the file, from where the process stands.
func (r *reader) path(p string) string {
	if p == "" || filepath.IsAbs(p) {
		return p
	}
	return filepath.Join(filepath.Dir(r.file), p)
}
