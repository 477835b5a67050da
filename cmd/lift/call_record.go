package main

import (
	"fmt"
	"io"
	"net/http"
	"time"

	"github.com/liftmesh/lift"
)

// writeAttempts says of each attempt where it went and how it ended.
func writeAttempts(w io.Writer, attempts []lift.Attempt) {
	for i := range attempts {
		_, _ = fmt.Fprintln(w, attemptLine(i+1, &attempts[i]))
	}
}

// attemptLine is one attempt on one line:
//
//	attempt 1: 10.0.1.7:8080 failed 503 after 1.2ms, fresh, answered: <error>
func attemptLine(n int, a *lift.Attempt) string {
	outcome := a.Outcome.String()
	if a.Status != 0 {
		outcome += fmt.Sprintf(" %d", a.Status)
	}
	connection := "warm"
	if a.Fresh {
		connection = "fresh"
	}
	s := fmt.Sprintf("attempt %d: %s %s after %s, %s, %s", n, a.Endpoint.Addr, outcome, a.Duration().Round(10*time.Microsecond), connection, a.Reached)
	if a.Probe {
		s += ", probe"
	}
	if a.Err != nil {
		s += ": " + a.Err.Error()
	}
	return s
}

// writeHead writes the head of an answer.
func writeHead(w io.Writer, r *lift.Response) {
	_, _ = fmt.Fprintf(w, "< %d %s\n", r.Status, http.StatusText(r.Status))
	for _, h := range r.Header {
		_, _ = fmt.Fprintf(w, "< %s: %s\n", h.Name, h.Value)
	}
}
