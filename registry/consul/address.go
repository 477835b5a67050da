package consul

import (
	"errors"
	"net"
	"net/url"
	"strings"
)

// address is where Consul is.
type address struct {
	scheme string // http or https
	host   string // as requests name it, with its port
	prefix string // put before the API's paths; mostly ""
	path   string // of the unix socket, "" for TCP
}

var errAddress = errors.New("want http://host:8500, https://host:8501 or unix:///path/of/a.sock")

// CheckAddress returns why s is not an address of Consul, or nil.
func CheckAddress(s string) error {
	_, err := parseAddress(s)
	return err
}

func parseAddress(s string) (address, error) {
	if path, ok := strings.CutPrefix(s, "unix://"); ok {
		if !strings.HasPrefix(path, "/") {
			return address{}, errAddress
		}
		return address{scheme: "http", host: "localhost", path: path}, nil
	}
	if !strings.Contains(s, "://") {
		s = "http://" + s
	}
	u, err := url.Parse(s)
	switch {
	case err != nil, u.Scheme != "http" && u.Scheme != "https", u.Hostname() == "", strings.ContainsAny(u.Host, " @"):
		return address{}, errAddress
	case u.User != nil:
		return address{}, errors.New("the address contains a user; remove it, and put a token into the key token")
	case u.RawQuery != "" || u.Fragment != "":
		return address{}, errors.New("the address has something after its path; remove it: datacenter, namespace and partition have their own keys")
	}
	host := u.Host
	if u.Port() == "" {
		port := "8500"
		if u.Scheme == "https" {
			port = "8501"
		}
		host = net.JoinHostPort(u.Hostname(), port)
	}
	return address{scheme: u.Scheme, host: host, prefix: strings.TrimSuffix(u.Path, "/")}, nil
}

// String returns the address as people write it.
func (a address) String() string {
	if a.path != "" {
		return "unix://" + a.path
	}
	return a.scheme + "://" + a.host + a.prefix
}
