package config

import (
	"errors"
	"net"
	"net/url"
	"strings"

	"github.com/liftmesh/lift/registry"
)

// registerSettings are what a standalone sidecar announces in Consul of the program
// beside it. All together make a Registration, see reader.registration.
func registerSettings() []setting[Config] {
	return []setting[Config]{
		{rule{
			path: "register.service", kind: text, check: registeredName, derived: "none: nothing is announced", sample: "orders",
			means: "standalone: name under which Lift announces the program beside it in Consul; a drain takes it back",
			why:   "the program itself need not know of Consul; see [Consul](consul.md#announce-a-program)",
		}, nil},
		{rule{
			path: "register.port", kind: whole, low: "1", high: "65535", derived: "required with register.service", sample: "8080",
			means: "port on which the program listens",
			why:   "only its author knows it",
		}, nil},
		{rule{
			path: "register.address", kind: text, check: hostAlone, derived: "the address by which this machine reaches Consul, or others if Consul is on it", sample: "10.0.1.7",
			means: "host by which others reach the program",
			why:   "a container's address is not known before it runs",
		}, nil},
		{rule{
			path: "register.id", kind: text, check: registeredID, derived: "service-address-port", sample: "orders-1",
			means: "id of the instance; no other instance may have it",
			why:   "a program that restarts in the same place replaces its old entry",
		}, nil},
		{rule{
			path: "register.tags", kind: list, check: consulName, derived: "none", sample: "v2",
			means: "tags of the instance",
			why:   "callers can select by consul.tags",
		}, nil},
		{rule{
			path: "register.zone", kind: text, check: consulName, derived: "none", sample: "use1-az1",
			means: "availability zone id",
			why:   "callers can prefer their own zone",
		}, nil},
		{rule{
			path: "register.weight", kind: whole, low: "1", high: "65535", derived: "`1`",
			means: "the instance's share of calls, relative to others",
			why:   "a machine of twice the size can take twice the calls",
		}, nil},
		{rule{
			path: "register.check.http", kind: text, check: probeURL, derived: "none", sample: "/healthz",
			means: "a path on the port, or a whole URL, that answers 2xx while the program is healthy; Lift requests it, Consul does not",
			why:   "a program can run and still be unhealthy",
		}, nil},
		{rule{
			path: "register.check.tcp", kind: text, check: checkAddr, derived: "the port on 127.0.0.1, without check.http", sample: "127.0.0.1:8080",
			means: "host:port that accepts connections while the program is healthy",
			why:   "every program that can be called accepts connections",
		}, nil},
		{rule{
			path: "register.check.interval", kind: duration, low: "1s", high: "1h", derived: "`10s`", sample: "10s",
			means: "time between two checks; after three intervals without word from Lift, Consul takes the instance for dead",
			why:   "as in the examples of Consul's documentation",
		}, nil},
		{rule{
			path: "register.check.remove_after", kind: duration, low: "1m", high: "720h", derived: "`1h`", sample: "1h",
			means: "how long an instance may be unhealthy before Consul forgets it",
			why:   "for machines that vanish; an instance that recovers later is announced again",
		}, nil},
	}
}

// draft is an instance that is sound apart from what is not looked at.
func draft() registry.Instance {
	return registry.Instance{ID: "x", Service: "x", Addr: "x:1"}
}

func registeredName(s string) error {
	i := draft()
	i.Service = s
	return i.Validate()
}

func registeredID(s string) error {
	i := draft()
	i.ID = s
	return i.Validate()
}

func hostAlone(s string) error {
	i := draft()
	i.Addr = net.JoinHostPort(strings.Trim(s, "[]"), "1")
	return i.Validate()
}

func checkAddr(s string) error {
	i := draft()
	i.Check = anyHost(registry.Check{TCP: s})
	return i.Validate()
}

func probeURL(s string) error {
	if strings.HasPrefix(s, "/") {
		if _, err := url.ParseRequestURI(s); err != nil {
			return errors.New("want a path, such as /healthz")
		}
		return nil
	}
	i := draft()
	i.Check = anyHost(registry.Check{HTTP: s})
	return i.Validate()
}
