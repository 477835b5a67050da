package config

import (
	"github.com/liftmesh/lift/mesh"
)

// sourceSettings are where a service's endpoints are learnt from, and what goes
// with from: static.
func sourceSettings() []setting[mesh.ServiceConfig] {
	type sc = mesh.ServiceConfig
	return []setting[sc]{
		{rule{
			path: "from", kind: choice, choices: []string{"static", "dns", "url", "consul", "cloudmap", "lambda"}, own: true,
			means: "where the endpoints come from",
			why:   "required: Lift must know who serves",
		}, nil}, // together with what goes with it, see service.registry
		{rule{
			path: "endpoints", kind: list, own: true, with: "static", check: endpoint, sample: "10.0.1.7:8080",
			means: "the endpoints, each host:port, followed by any of ;zone=ID ;weight=1..1000 ;id=ID ;tag=NAME",
			why:   "required with from: static",
		}, nil},
	}
}
