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
			path: "from", kind: choice, choices: []string{"static", "dns", "url", "consul", "cloudmap", "lambda"}, own: true, meant: otherSources(),
			means: "where the endpoints come from",
			why:   "required: Lift must know who serves",
		}, nil}, // together with what goes with it, see service.registry
		{rule{
			path: "endpoints", kind: list, own: true, with: "static", check: endpoint, names: endpointNames, pattern: endpointPattern, sample: "10.0.1.7:8080",
			means: "the endpoints, each host:port, followed by any of ;zone=ID ;weight=1..1000 ;id=ID ;tag=NAME",
			why:   "required with from: static",
		}, nil},
	}
}

const endpointPattern = `^\s*[^;,\s]+:[1-9][0-9]{0,4}\s*(;\s*((zone|id|tag)=[^;]+|weight=\+?[0-9]+\s*))*;?$`

// otherSources is what people write who know where their endpoints are and not
// what Lift calls that.
func otherSources() map[string]string {
	const (
		kubernetes = "with Kubernetes use from: dns and the name of a headless service, such as dns: {name: orders.default.svc.cluster.local, port: 8080}"
		web        = "write from: url and the URL, such as url: https://orders.example.com"
		fixed      = `write from: static and the endpoints, such as endpoints: ["10.0.1.7:8080"]`
		srv        = "write from: dns and the name of the records, such as dns: {name: _orders._tcp.internal, type: srv}"
	)
	return map[string]string{
		"k8s": kubernetes, "kubernetes": kubernetes, "headless": kubernetes,
		"http": web, "https": web, "rest": web, "gateway": web, "apigateway": web, "alb": web,
		"list": fixed, "fixed": fixed, "hosts": fixed, "endpoints": fixed, "ip": fixed,
		"srv": srv, "a": "write from: dns and the name, such as dns: {name: orders.internal, port: 8080}",
		"function": "write from: lambda and the function, such as function: orders:live", "aws_lambda": "write from: lambda and the function, such as function: orders:live",
		"servicediscovery": "write from: cloudmap and the namespace, such as cloudmap: {namespace: shop.local}",
	}
}
