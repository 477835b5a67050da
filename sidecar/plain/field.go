package plain

import (
	"net/http"
	"slices"
	"strings"

	"github.com/liftmesh/lift"
)

// The fields of a request that are for Lift. They are taken out; what else
// begins with Lift- is refused, so that a slip of the pen is seen.
const (
	fieldService    = "Lift-Service"
	fieldTimeout    = "Lift-Timeout"
	fieldIdempotent = "Lift-Idempotent"
	fieldTenant     = "Lift-Tenant"
)

// fieldError is the field of an answer that names the code of Lift's own error.
// An instance's answer never brings it.
const fieldError = "Lift-Error"

// betweenHops reports whether a field speaks of one connection and does not
// travel (RFC 9110, section 7.6.1), or of how a message is framed, which is said
// anew. name is in its canonical form.
func betweenHops(name string) bool {
	switch name {
	case "Connection", "Keep-Alive", "Proxy-Connection", "Proxy-Authorization", "Te", "Upgrade",
		"Transfer-Encoding", "Content-Length", "Host", "Trailer", "Expect":
		return true
	}
	return false
}

// named reports whether a Connection field names the field.
func named(connection []string, name string) bool {
	for _, list := range connection {
		for one := range strings.SplitSeq(list, ",") {
			if http.CanonicalHeaderKey(strings.TrimSpace(one)) == name {
				return true
			}
		}
	}
	return false
}

// onward returns what of a request's header goes on to the service.
func onward(h http.Header) []lift.Field {
	connection := h["Connection"]
	fields := make([]lift.Field, 0, len(h)+1)
	for name, values := range h {
		if betweenHops(name) || strings.HasPrefix(name, "Lift-") || connection != nil && named(connection, name) {
			continue
		}
		for _, v := range values {
			fields = append(fields, lift.Field{Name: name, Value: v})
		}
	}
	return fields
}

// trailing is the same for the fields behind a body.
func trailing(h http.Header) []lift.Field {
	var fields []lift.Field
	for name, values := range h {
		if betweenHops(name) {
			continue
		}
		for _, v := range values {
			fields = append(fields, lift.Field{Name: name, Value: v})
		}
	}
	return fields
}

// announced lists the names of a request's trailers for its Trailer field.
func announced(h http.Header) string {
	names := make([]string, 0, len(h))
	for name := range h {
		if !betweenHops(name) {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	return strings.Join(names, ", ")
}

// giveBack writes the header of an answer into h, and returns its length as it
// was told, for answers that have one and no body.
func giveBack(h http.Header, fields []lift.Field) (length string) {
	var connection []string
	for i := range fields {
		if strings.EqualFold(fields[i].Name, "Connection") {
			connection = append(connection, fields[i].Value)
		}
	}
	for i := range fields {
		name := http.CanonicalHeaderKey(fields[i].Name)
		switch {
		case name == "Content-Length":
			length = fields[i].Value
		case betweenHops(name), name == fieldError, connection != nil && named(connection, name):
		default:
			h[name] = append(h[name], fields[i].Value)
		}
	}
	// An answer goes as it came: net/http would add its own.
	for _, name := range []string{"Date", "Content-Type"} {
		if _, ok := h[name]; !ok {
			h[name] = nil
		}
	}
	return length
}
