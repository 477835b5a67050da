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
			means: "whether the endpoints speak TLS; `true` and `{}` are all the defaults below, and naming one of those keys is `true` too",
			why:   "a load balancer or gateway has certificates, an instance behind it often none; see [Upstreams](upstreams.md)",
		}, nil}, // all together make a transport.TLS, see reader.tls
		{rule{
			path: "tls.ca", kind: text, derived: "the system's authorities", check: anyPath,
			means: "file of PEM certificates, one of which has to vouch for the endpoints; this path, as those below, begins at the folder of lift.yaml",
			why:   "an authority of one's own needs no place in the system's list, and trusts nobody else",
		}, nil},
		{rule{
			path: "tls.cert", kind: text, derived: "none", check: anyPath,
			means: "file of our own certificate, those that vouch for it behind it (PEM); read again when it has changed",
			why:   "for endpoints that want to know who calls (mTLS); goes with tls.key",
		}, nil},
		{rule{
			path: "tls.key", kind: text, derived: "none", check: anyPath,
			means: "file of that certificate's private key (PEM, not encrypted)",
			why:   "goes with tls.cert",
		}, nil},
		{rule{
			path: "tls.server_name", kind: text, derived: "host, else with from: dns the name, else the endpoint's host", check: transport.CheckServerName,
			means: "the name that the endpoints' certificate has to be for, and that is asked for (SNI)",
			why:   "where instances are reached by address and their certificate is for a name",
		}, nil},
		{rule{
			path: "tls.min_version", kind: choice, choices: []string{"1.2", "1.3"}, preset: "1.2",
			means: "the lowest version of TLS that is spoken",
			why:   "RFC 8996 retires what is below 1.2",
		}, nil},
		{rule{
			path: "tls.verify", kind: toggle, preset: "true",
			means: "`false` takes any certificate of anybody for the endpoint's, and is logged once",
			why:   "to try something out; for certificates of one's own there is tls.ca",
		}, nil},
	}
}

// anyPath is the check of a path: what there is tells whether it is right.
func anyPath(string) error { return nil }

// tls makes how a service's endpoints are spoken to, nil for plain. It tells of
// files that cannot be used.
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
			r.tell(d.origin, "services."+s.name+"."+pair[0], pair[0]+" goes with "+pair[1], "name both files or neither")
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

// badFile tells of a file that TLS cannot use, at the key that names it.
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
