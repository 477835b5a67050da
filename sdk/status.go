package sdk

import (
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/liftmesh/lift"
)

// statusBodyLimit is how much of an answer's body a StatusError keeps, in bytes.
const statusBodyLimit = 8 << 10

// StatusError is an answer to a JSON call whose status is not 2xx: the service
// was reached and said no. When Lift has tried again, it is the last answer.
type StatusError struct {
	Service string
	Method  string
	// Path is the path and query that were asked for. Error does not show the
	// query, nor the body, since it ends up in logs.
	Path   string
	Status int
	Header http.Header
	// Body is the beginning of the answer's body: 8 KiB at most.
	Body []byte
	// Endpoint is the address that answered, "" if it is not known.
	Endpoint string
	// Attempts is the record of what was tried, in order; the last one is the answer.
	// nil if it is not known.
	Attempts []lift.AttemptRecord
}

// Error is one line: what was asked of whom, the status, who answered, how often the
// call was tried, and what the earlier attempts died of.
func (e *StatusError) Error() string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s: %s %s: answered %d", e.Service, e.Method, withoutQuery(e.Path), e.Status)
	if text := http.StatusText(e.Status); text != "" {
		b.WriteString(" " + text)
	}
	if e.Endpoint != "" {
		b.WriteString(" by " + clip(e.Endpoint, causeLimit))
	}
	if n := len(e.Attempts); n > 1 {
		fmt.Fprintf(&b, " in attempt %d", n)
		writeCauses(&b, e.Attempts[:n-1], "lift: "+e.Service+": ")
	}
	return b.String()
}

// causeLimit is how many bytes of one attempt's cause are shown, causesShown how many
// of the earlier attempts: the last ones, since the first ones are told most often.
const (
	causeLimit  = 120
	causesShown = 3
)

// writeCauses says what attempts died of; less is what their errors begin with and
// stands there already.
func writeCauses(b *strings.Builder, earlier []lift.AttemptRecord, less string) {
	skipped := max(0, len(earlier)-causesShown)
	b.WriteString(" (")
	if skipped > 0 {
		fmt.Fprintf(b, "%d before; ", skipped)
	}
	for i := range earlier[skipped:] {
		a := &earlier[skipped+i]
		if i > 0 {
			b.WriteString("; ")
		}
		b.WriteString(clip(a.Endpoint.Addr, causeLimit) + ": " + clip(strings.TrimPrefix(a.Cause(), less), causeLimit))
	}
	b.WriteString(")")
}

// clip returns at most so many bytes of s, and whole characters.
func clip(s string, most int) string {
	if len(s) <= most {
		return s
	}
	for most > 0 && !utf8.RuneStart(s[most]) {
		most--
	}
	return s[:most] + "..."
}

// withoutQuery returns a path for logs, where a query may be a secret.
func withoutQuery(path string) string {
	path, _, _ = strings.Cut(path, "?")
	return path
}

// newStatusError reads as much of the answer as it keeps, and ends it.
func newStatusError(x *exchange, resp *lift.Response) *StatusError {
	e := &StatusError{
		Service: x.call.Service,
		Method:  x.call.Method,
		Path:    x.call.Path,
		Status:  resp.Status,
		Header:  headerOf(resp.Header),
	}
	if r, err := resp.Body.Reader(); err == nil {
		// What breaks off here takes nothing from what the status says.
		e.Body, _ = io.ReadAll(io.LimitReader(r, statusBodyLimit))
	}
	_ = resp.Body.Close()
	e.Attempts = slices.Clone(x.record())
	if n := len(e.Attempts); n > 0 {
		e.Endpoint = e.Attempts[n-1].Endpoint.Addr
	}
	return e
}
