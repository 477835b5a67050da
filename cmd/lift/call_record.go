package main

import (
	"fmt"
	"io"
	"net/http"
	"strings"
	"time"

	"github.com/liftmesh/lift"
)

// writeAttempts writes a line for each attempt of a call that began at that time:
// where it went and how it ended.
func writeAttempts(w io.Writer, attempts []lift.AttemptRecord, began lift.Instant) {
	for i := range attempts {
		_, _ = fmt.Fprintln(w, attemptLine(i+1, &attempts[i], began))
	}
}

// attemptLine is one attempt on one line:
//
//	attempt 2 at 301ms: 10.0.0.1:80 failed 503 after 1.2ms, fresh, answered, picked: next in turn of 2: <error>
func attemptLine(n int, a *lift.AttemptRecord, began lift.Instant) string {
	var b strings.Builder
	fmt.Fprintf(&b, "attempt %d", n)
	if n > 1 {
		fmt.Fprintf(&b, " at %s", rounded(a.Began.Since(began)))
	}
	fmt.Fprintf(&b, ": %s %s", a.Endpoint.Addr, a.Outcome)
	if a.Status != 0 {
		fmt.Fprintf(&b, " %d", a.Status)
	}
	connection := "warm"
	if a.Fresh {
		connection = "fresh"
	}
	fmt.Fprintf(&b, " after %s, %s, %s", rounded(a.Duration()), connection, a.Reached)
	if a.Queued > 0 {
		fmt.Fprintf(&b, ", queued for %s", rounded(a.Queued))
	}
	if a.Sending > time.Millisecond { // a caller that keeps up is no news
		fmt.Fprintf(&b, ", request sent for %s", rounded(a.Sending))
	}
	if a.Probe {
		b.WriteString(", probe")
	}
	if a.Why != "" {
		fmt.Fprintf(&b, ", picked: %s", a.Why)
		if a.Candidates > 0 {
			fmt.Fprintf(&b, ", of %d", a.Candidates)
		}
	}
	if a.Err != nil {
		fmt.Fprintf(&b, ": %s", withoutPrefix(a.Err))
	}
	return b.String()
}

// writeHead writes the head and the trailer of an answer whose body has ended.
func writeHead(w io.Writer, r *lift.Response) {
	_, _ = fmt.Fprintf(w, "< %d %s\n", r.Status, http.StatusText(r.Status))
	writeFields(w, "< ", r.Header)
	writeFields(w, "< trailer ", r.Body.Trailer())
}

func writeFields(w io.Writer, before string, fields []lift.Field) {
	for _, f := range fields {
		_, _ = fmt.Fprintf(w, "%s%s: %s\n", before, f.Name, f.Value)
	}
}

func rounded(d time.Duration) time.Duration {
	if d > 100*time.Millisecond {
		return d.Round(time.Millisecond)
	}
	return d.Round(10 * time.Microsecond)
}
