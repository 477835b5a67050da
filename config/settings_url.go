package config

import "github.com/liftmesh/lift/mesh"

// urlSettings go with from: url.
func urlSettings() []setting[mesh.ServiceConfig] {
	type sc = mesh.ServiceConfig
	return []setting[sc]{
		{rule{
			path: "url", kind: text, own: true, with: "url", check: checkURL,
			means: "with from: url, where the service is: scheme, host and port, and what stands before each call's path",
			why:   "required with from: url; see [Upstreams](upstreams.md)",
		}, func(s *sc, d datum) {
			if t, err := parseURL(d.text); err == nil && t.endpoint() == "" {
				s.Lookup = t.name
			}
		}},
	}
}
