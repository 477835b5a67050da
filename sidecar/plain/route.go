package plain

import (
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"strconv"
	"strings"
	"time"

	"github.com/liftmesh/lift"
)

// maxTimeout is the most that Lift-Timeout can ask for.
const maxTimeout = 24 * time.Hour

// refuse is a fault of the request itself: nothing of it is sent.
func refuse(service string, status int, format string, args ...any) *fault {
	return &fault{err: &lift.Error{Code: lift.InvalidCall, Service: service, Err: fmt.Errorf(format, args...)}, status: status}
}

// form refuses what is no request to a service by name, whatever the service.
// stream: it came by HTTP/2.
func (s *Server) form(r *http.Request, stream bool) *fault {
	if s.cfg.Proxy && !stream && r.ProtoMajor == 1 && (r.URL.IsAbs() || r.URL.Host != "") {
		if f := absolute(r); f != nil {
			return f
		}
	}
	switch {
	case r.ProtoMajor != 1 && !stream:
		return refuse("", http.StatusHTTPVersionNotSupported, "the plain door speaks HTTP/1.1 and HTTP/2, not %s", clip(r.Proto))
	case r.Method == http.MethodConnect:
		return refuse("", http.StatusMethodNotAllowed, "CONNECT opens a tunnel, and this is no proxy: call http://SERVICE/path, set no HTTP_PROXY, or switch proxy on in lift.yaml")
	case r.URL.IsAbs() || r.URL.Host != "":
		return refuse("", http.StatusBadRequest, "the request names a whole URL, as for a proxy, and this is none: ask for a path, name the service by Host and set no HTTP_PROXY, or switch proxy on in lift.yaml")
	case !strings.HasPrefix(r.RequestURI, "/") && (r.RequestURI != "*" || r.Method != http.MethodOptions):
		return refuse("", http.StatusBadRequest, "the path %q has to start with a slash", clip(r.RequestURI))
	case upgrade(r) != "" && r.ContentLength != 0:
		return refuse("", http.StatusNotImplemented, "an upgrade to %q with a body is not carried; ask for it without", clip(r.Header.Get("Upgrade")))
	case stream:
		return streamForm(r)
	}
	return nil
}

// streamForm refuses what net/http lets pass of a request by HTTP/2 and not of one
// by HTTP/1.1, though two servers in a row could read it differently.
func streamForm(r *http.Request) *fault {
	hosts, lengths := r.Header["Host"], r.Header["Content-Length"]
	switch {
	case !token(r.Method):
		return refuse("", http.StatusBadRequest, "the method %q is none", clip(r.Method))
	case strings.ContainsFunc(r.Host, func(c rune) bool { return c <= ' ' || c > '~' || strings.ContainsRune("/\\?#@\"<>^`{|}", c) }):
		return refuse("", http.StatusBadRequest, "the authority %q is none", clip(r.Host))
	case len(hosts) > 1, len(hosts) == 1 && !strings.EqualFold(hosts[0], r.Host):
		return refuse("", http.StatusBadRequest, "the fields host and :authority name different hosts; leave host out")
	case len(lengths) > 1:
		return refuse("", http.StatusBadRequest, "the field content-length is there %d times; want it once", len(lengths))
	case len(lengths) == 1 && (strings.Trim(lengths[0], "0123456789") != "" || strconv.FormatInt(max(r.ContentLength, 0), 10) != lengths[0]):
		return refuse("", http.StatusBadRequest, "the content-length %q is not that of the body", clip(lengths[0]))
	}
	return nil
}

// token reports whether s is one (RFC 9110, section 5.6.2).
func token(s string) bool {
	return s != "" && !strings.ContainsFunc(s, func(c rune) bool {
		return (c < '0' || c > '9') && (c < 'A' || c > 'Z') && (c < 'a' || c > 'z') && !strings.ContainsRune("!#$%&'*+-.^_`|~", c)
	})
}

// service returns the canonical name of the service that a request is for; "" is Lift
// itself. own is the service that the listener is for, if it is one service's.
func service(r *http.Request, own string) (string, *fault) {
	wanted, ok, f := single(r, fieldService)
	switch {
	case f != nil:
		return "", f
	case ok && wanted == "":
		return "", refuse("", 0, "the field Lift-Service is empty; give it a service's name or leave it out")
	case own != "" && ok && lift.ServiceName(wanted) != lift.ServiceName(own):
		return "", refuse(own, 0, "the request asks for %q by Lift-Service, and this address is that of %q alone", clip(wanted), own)
	case own != "":
		return lift.ServiceName(own), nil
	case ok:
		return lift.ServiceName(wanted), nil
	}
	host := lift.ServiceName(hostname(r.Host))
	if host == "" || host == "lift" || host == "localhost" {
		return "", nil
	}
	if _, err := netip.ParseAddr(host); err == nil {
		return "", nil
	}
	return host, nil
}

// hostname is a Host without its port, which says nothing here: it is that of
// the door.
func hostname(host string) string {
	if h, _, err := net.SplitHostPort(host); err == nil {
		return h
	}
	return strings.TrimSuffix(strings.TrimPrefix(host, "["), "]")
}

// wishes reads what a request says to Lift about its call.
func wishes(r *http.Request, c *lift.Call) *fault {
	for name := range r.Header {
		if !strings.HasPrefix(name, "Lift-") {
			continue
		}
		value, _, f := single(r, name)
		if f != nil {
			return f
		}
		var err error
		switch name {
		case fieldService: // read already
		case fieldTimeout:
			c.Timeout, err = timeout(value)
		case fieldIdempotent:
			c.Idempotent, err = idempotence(value)
		case fieldTenant:
			c.Tenant = value
		default:
			err = fmt.Errorf("it is none that Lift knows; there are %s, %s, %s and %s", fieldService, fieldTimeout, fieldIdempotent, fieldTenant)
		}
		if err != nil {
			return refuse(c.Service, 0, "the field %s: %w", clip(name), err)
		}
	}
	return nil
}

func single(r *http.Request, name string) (value string, ok bool, f *fault) {
	switch values := r.Header[name]; len(values) {
	case 0:
		return "", false, nil
	case 1:
		return values[0], true, nil
	default:
		return "", false, refuse("", 0, "the field %s is there %d times; want it once", clip(name), len(values))
	}
}

func timeout(s string) (time.Duration, error) {
	d, err := time.ParseDuration(s)
	if err != nil {
		return 0, fmt.Errorf("%q is no duration with a unit; want one such as 250ms or 2s", clip(s))
	}
	if d < time.Millisecond || d > maxTimeout {
		return 0, fmt.Errorf("%q is out of range; want 1ms to 24h", clip(s))
	}
	return d, nil
}

func idempotence(s string) (lift.Idempotence, error) {
	switch s {
	case "true":
		return lift.Idempotent, nil
	case "false":
		return lift.NotIdempotent, nil
	}
	return lift.ByMethod, errors.New("want true or false")
}

// clip keeps an error's text short whatever it quotes.
func clip(s string) string {
	if len(s) > 80 {
		return s[:80] + "..."
	}
	return s
}
