package config

import "github.com/liftmesh/lift/mesh"

// urlSettings go with from: url.
func urlSettings() []setting[mesh.ServiceConfig] {
	type sc = mesh.ServiceConfig
	return []setting[sc]{
		{rule{
			path: "url", kind: text, own: true, with: "url", check: checkURL, pattern: "^[hH][tT][tT][pP][sS]?://[^/]", sample: "https://abc.execute-api.eu-west-1.amazonaws.com/prod",
			means: "where the service is: scheme, host and port, and the path that is put before each call's own",
			why:   "required with from: url; see [Upstreams](upstreams.md)",
		}, func(s *sc, d datum) {
			if t, err := parseURL(d.text); err == nil && t.endpoint() == "" {
				s.Lookup = t.name
			}
		}},
	}
}
