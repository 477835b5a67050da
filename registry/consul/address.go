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
	prefix string // before the API's paths, "" mostly
	path   string // of the unix socket, "" for TCP
}

var errAddress = errors.New("want http://host:8500, https://host:8501 or unix:///path/of/a.sock")

// CheckAddress tells what is wrong with an address of Consul, nil if nothing is.
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
		return address{}, errors.New("want no user in it; a token goes into token")
	case u.RawQuery != "" || u.Fragment != "":
		return address{}, errors.New("want nothing after the path; datacenter, namespace and partition have keys of their own")
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

// String is the address as people write it.
func (a address) String() string {
	if a.path != "" {
		return "unix://" + a.path
	}
	return a.scheme + "://" + a.host + a.prefix
}
