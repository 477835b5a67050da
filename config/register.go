package config

import (
	"cmp"
	"context"
	"fmt"
	"net"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/liftmesh/lift/registry"
	"github.com/liftmesh/lift/registry/consul"
)

// Registration is the instance that a standalone sidecar announces for the program
// beside it.
type Registration struct {
	instance registry.Instance // its host, and thus its id, may be empty
	port     string
}

// removeAfter is the default of register.check.remove_after.
const removeAfter = time.Hour

// registration reads register:. It returns nil if there is nothing to announce, if
// something is wrong, and inside Lambda, where register: has no effect.
func (r *reader) registration(g layer) *Registration {
	outer := r.from
	r.from = "register" // breaks no service
	defer func() { r.from = outer }()
	service, named := g["register.service"]
	var first datum
	for path, d := range g {
		if strings.HasPrefix(path, "register.") && (first.origin.line == 0 || d.origin.line < first.origin.line) {
			first = d
		}
	}
	port, known := g["register.port"]
	_, both := g["register.check.http"]
	tcp, ok := g["register.check.tcp"]
	switch {
	case first.origin.line == 0 || r.problems.byService(r.chosen)["from: register"] != nil:
		return nil
	case !named:
		r.tell(first.origin, "register", "register.service is missing", "write the name to announce, such as register: {service: orders}")
	case !known:
		r.tell(service.origin, "register", "register.port is missing", "write the port that the program listens on, such as register: {port: 8080}")
	case both && ok:
		r.tell(tcp.origin, "register.check.tcp", "check.http and check.tcp are both set", "remove one of the two")
	case r.lambda():
		r.warn(first.origin, "register", "nothing is announced inside Lambda, where nobody can reach the function by an address", "remove it, or move it to the environment of the containers")
	default:
		return &Registration{port: strconv.FormatInt(port.ns, 10), instance: registry.Instance{
			ID: g["register.id"].text, Service: service.text, Addr: strings.Trim(g["register.address"].text, "[]"), Zone: g["register.zone"].text,
			Weight: int(g["register.weight"].ns), Tags: g["register.tags"].items, Check: registeredCheck(g),
		}}
	}
	return nil
}

func registeredCheck(g layer) registry.Check {
	own := net.JoinHostPort("127.0.0.1", strconv.FormatInt(g["register.port"].ns, 10))
	c := registry.Check{
		HTTP: g["register.check.http"].text, TCP: g["register.check.tcp"].text,
		Interval: time.Duration(g["register.check.interval"].ns), RemoveAfter: cmp.Or(time.Duration(g["register.check.remove_after"].ns), removeAfter),
	}
	switch {
	case strings.HasPrefix(c.HTTP, "/"):
		c.HTTP = "http://" + own + c.HTTP
	case c.HTTP == "" && c.TCP == "":
		c.TCP = own
	}
	return anyHost(c)
}

// anyHost permits c to ask the host that it names. The operator writes the file and may
// name any host; a program that announces itself may only name its own.
func anyHost(c registry.Check) registry.Check {
	if u, err := url.Parse(c.HTTP); err == nil && c.HTTP != "" {
		c.Host = u.Hostname()
	} else if host, _, err := net.SplitHostPort(c.TCP); err == nil {
		c.Host = host
	}
	return c
}

// Instance returns the instance to announce. If no address is configured, it asks the
// system for one, and fails if there is none.
func (r *Registration) Instance(ctx context.Context, client *consul.Client) (registry.Instance, error) {
	i := r.instance
	if i.Addr == "" {
		ip, err := client.LocalIP(ctx)
		if err != nil {
			return i, fmt.Errorf("the address by which others reach this machine is not known; set register.address: %w", err)
		}
		i.Addr = ip.String()
	}
	if i.ID == "" {
		i.ID = i.Service + "-" + strings.Trim(strings.Map(idRune, i.Addr), "-") + "-" + r.port
	}
	i.Addr = net.JoinHostPort(i.Addr, r.port)
	return i, i.Validate()
}

// idRune keeps the characters that an id may contain.
func idRune(r rune) rune {
	if only(string(r), "-._:@") {
		return r
	}
	return '-'
}

// Consul returns the client for the Consul that the configuration names, nil if the
// configuration does not use Consul.
func (c *Config) Consul() *consul.Client { return c.consul }
