package sdk

import (
	"errors"
	"fmt"
	"net/url"
	"strings"

	"github.com/liftmesh/lift"
)

// checkService returns an error if name cannot be a service's name. Only the sidecar
// knows which services there are.
func checkService(name string) error {
	if name == "" {
		return errors.New("the call names no service: write http://SERVICE/path")
	}
	for i := range len(name) {
		if c := name[i]; c <= ' ' || c == 0x7f || strings.IndexByte("/\\?#@:[]%<>\"{}|^`", c) >= 0 {
			return fmt.Errorf("%q is not the name of a service: it has a %q at byte %d", name, c, i)
		}
	}
	return nil
}

// checkPath returns an error if path cannot go into a request line as it is.
func checkPath(path string) error {
	if path == "" || path[0] != '/' {
		return fmt.Errorf("path %q does not start with a slash", path)
	}
	for i := range len(path) {
		if c := path[i]; c <= ' ' || c == 0x7f {
			return fmt.Errorf("path %q has an unescaped %q at byte %d: escape it (url.PathEscape, url.QueryEscape)", path, c, i)
		}
		if path[i] == '#' {
			return fmt.Errorf("path %q has a fragment: what follows # is not sent to a service", path)
		}
	}
	return nil
}

// target takes a URL apart into the service that it names, in canonical form, and
// the path and query as they go on the wire, escapes untouched.
func target(u *url.URL) (service, path string, err error) {
	if u == nil {
		return "", "", errors.New("the request has no URL: write http://SERVICE/path")
	}
	switch {
	case strings.EqualFold(u.Scheme, "https"):
		return "", "", fmt.Errorf("https://%s: Lift sets up TLS to a service (tls: in lift.yaml); write http://%s", u.Host, u.Host)
	case !strings.EqualFold(u.Scheme, "http"):
		return "", "", fmt.Errorf("the scheme %q is not supported; write http://SERVICE/path", u.Scheme)
	case u.User != nil:
		return "", "", fmt.Errorf("the URL of a call to %s holds credentials, which end up in logs: set an Authorization header", u.Hostname())
	}
	service = u.Hostname()
	if port := u.Port(); port != "" && port != "80" {
		return "", "", fmt.Errorf("http://%s names port %s, but the registry says where a service listens; write http://%s", u.Host, port, service)
	}
	if err := checkService(service); err != nil {
		return "", "", err
	}
	path = u.RequestURI()
	if err := checkPath(path); err != nil {
		return "", "", err
	}
	return lift.ServiceName(service), path, nil
}
