package main

import (
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/liftmesh/lift"
)

// attemptLine is one attempt in the log line of its call.
type attemptLine struct {
	Endpoint string `json:"endpoint"`
	Why      string `json:"why"` // the endpoint was picked
	Outcome  string `json:"outcome"`
	Fresh    bool   `json:"fresh"` // on a connection opened for it
	Took     string `json:"took"`
	Queued   string `json:"queued,omitempty"`  // for a limit of this process
	Sending  string `json:"sending,omitempty"` // while the caller sent the request
	Status   int    `json:"status,omitempty"`
	Error    string `json:"error,omitempty"`
}

// attemptLines is all attempts of a call as one value: an array in JSON, where
// most readers keep only the last of several fields with one name.
type attemptLines []attemptLine

// linesOf returns one line for each attempt, not nil if there is none.
func linesOf(tried []lift.AttemptRecord) attemptLines {
	lines := make(attemptLines, len(tried))
	for i := range tried {
		lines[i] = lineOf(&tried[i])
	}
	return lines
}

func lineOf(a *lift.AttemptRecord) attemptLine {
	line := attemptLine{
		Endpoint: a.Endpoint.Addr, Why: a.Why, Outcome: a.Outcome.String(), Fresh: a.Fresh,
		Took: micros(a.Duration()), Status: a.Status,
	}
	if a.Queued > 0 {
		line.Queued = micros(a.Queued)
	}
	if a.Sending > 0 {
		line.Sending = micros(a.Sending)
	}
	if e, ok := errors.AsType[*lift.Error](a.Err); ok && e.Err != nil {
		line.Error = e.Err.Error() // the call's line names the service already
	} else if a.Err != nil {
		line.Error = a.Err.Error()
	}
	return line
}

func micros(d time.Duration) string { return d.Round(time.Microsecond).String() }

// String is the value in text logs.
func (l attemptLines) String() string {
	parts := make([]string, len(l))
	for i, a := range l {
		parts[i] = fmt.Sprintf("%s %s after %s (%s)", a.Endpoint, a.Outcome, a.Took, a.Why)
		if a.Queued != "" {
			parts[i] += ", queued for " + a.Queued
		}
		if a.Sending != "" {
			parts[i] += ", the caller sending for " + a.Sending
		}
		if a.Error != "" {
			parts[i] += ": " + a.Error
		}
	}
	return strings.Join(parts, "; ")
}
