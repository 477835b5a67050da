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
			path: "register.service", kind: text, check: registeredName, derived: "none: nothing is announced",
			means: "standalone, the name under which the program beside Lift is announced in Consul, and taken back as a drain begins",
			why:   "who is called need not know of Consul; see [Consul](consul.md#announce-a-program)",
		}, nil},
		{rule{
			path: "register.port", kind: whole, low: "1", high: "65535", derived: "required with register.service",
			means: "the port that the program listens on",
			why:   "nobody else knows it",
		}, nil},
		{rule{
			path: "register.address", kind: text, check: hostAlone, derived: "the address by which this machine reaches Consul, or others if Consul is on it",
			means: "the host by which others reach the program",
			why:   "a container's is not known before it runs",
		}, nil},
		{rule{
			path: "register.id", kind: text, check: registeredID, derived: "service-address-port",
			means: "the id of the instance, one that no other has",
			why:   "a program that comes back at the same place takes its old entry's",
		}, nil},
		{rule{
			path: "register.tags", kind: list, check: consulName, derived: "none",
			means: "the tags of the instance",
			why:   "so that callers can choose by consul.tags",
		}, nil},
		{rule{
			path: "register.zone", kind: text, check: consulName, derived: "none",
			means: "the availability zone id, such as use1-az1",
			why:   "callers that mind zones prefer their own",
		}, nil},
		{rule{
			path: "register.weight", kind: whole, low: "1", high: "65535", derived: "`1`",
			means: "the instance's share relative to others",
			why:   "a machine of twice the size takes twice the calls",
		}, nil},
		{rule{
			path: "register.check.http", kind: text, check: probeURL, derived: "none",
			means: "a path on the port, or a whole URL, that answers 2xx while the program is well; Lift asks it, Consul does not",
			why:   "a program can be up and not well",
		}, nil},
		{rule{
			path: "register.check.tcp", kind: text, check: checkAddr, derived: "the port on 127.0.0.1, without check.http",
			means: "host:port that takes connections while the program is well",
			why:   "each program that can be called does",
		}, nil},
		{rule{
			path: "register.check.interval", kind: duration, low: "1s", high: "1h", derived: "`10s`",
			means: "how often it is asked; after three times as long without a word from Lift the instance counts as dead",
			why:   "the examples of Consul's documentation",
		}, nil},
		{rule{
			path: "register.check.remove_after", kind: duration, low: "1m", high: "720h", derived: "`1h`",
			means: "how long an instance may be not well before Consul forgets it",
			why:   "for machines that go without a word; one that is well again later is announced again",
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
	i.Check.TCP = s
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
	i.Check.HTTP = s
	return i.Validate()
}
