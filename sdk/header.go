package sdk

import (
	"fmt"
	"net/http"
	"strings"

	"github.com/liftmesh/lift"
)

func sameName(a, b string) bool { return strings.EqualFold(a, b) }

// isToken says whether s is a token of RFC 9110, section 5.6.2, which methods and
// field names have to be.
func isToken(s string) bool {
	for i := range len(s) {
		c := s[i]
		switch {
		case '0' <= c && c <= '9', 'a' <= c && c <= 'z', 'A' <= c && c <= 'Z':
		case strings.IndexByte("!#$%&'*+-.^_`|~", c) >= 0:
		default:
			return false
		}
	}
	return s != ""
}

func checkField(name, value string) error {
	if !isToken(name) {
		return fmt.Errorf("%q is not the name of a header field", name)
	}
	for i := range len(value) {
		// The value may be a secret: the error does not show it.
		if c := value[i]; (c < ' ' && c != '\t') || c == 0x7f {
			return fmt.Errorf("the value of header field %s has a %q at byte %d", name, c, i)
		}
	}
	return nil
}

// hopByHop are fields that speak of one connection and do not travel with a call
// (RFC 9110, section 7.6.1), and those that say how the body is framed, which
// the body itself knows. TE stays: gRPC servers ask for it.
func hopByHop(name string) bool {
	switch name {
	case "Connection", "Keep-Alive", "Proxy-Connection", "Proxy-Authorization", "Upgrade",
		"Transfer-Encoding", "Content-Length", "Host", "Trailer", "Expect":
		return true
	}
	return false
}

// fieldsOf returns h as fields, less what does not travel.
func fieldsOf(h http.Header) ([]lift.Field, error) {
	if len(h) == 0 {
		return nil, nil
	}
	named := h["Connection"] // further fields of this one hop
	fields := make([]lift.Field, 0, len(h)+2)
	for name, values := range h {
		if hopByHop(name) || (len(named) > 0 && listed(named, name)) {
			continue
		}
		for _, value := range values {
			if err := checkField(name, value); err != nil {
				return nil, err
			}
			fields = append(fields, lift.Field{Name: name, Value: value})
		}
	}
	return fields, nil
}

func listed(lists []string, name string) bool {
	for _, list := range lists {
		for item := range strings.SplitSeq(list, ",") {
			if sameName(strings.TrimSpace(item), name) {
				return true
			}
		}
	}
	return false
}

// headerOf returns fields as an [http.Header], names in their canonical form.
func headerOf(fields []lift.Field) http.Header {
	h := make(http.Header, len(fields))
	for i := range fields {
		key := http.CanonicalHeaderKey(fields[i].Name)
		h[key] = append(h[key], fields[i].Value)
	}
	return h
}
