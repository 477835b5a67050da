package extension

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"
)

// EventType is a kind of event, as Lambda spells it.
type EventType string

// The events that an external extension can register for.
const (
	// Invoke: an invocation has begun.
	Invoke EventType = "INVOKE"
	// Shutdown: the environment ends. It is the last event. The function is dead
	// by now; only flush, and exit with 0 well before the deadline, which is at
	// most two seconds away.
	Shutdown EventType = "SHUTDOWN"
)

// Reason is why an environment ends.
type Reason string

// The reasons of a Shutdown.
const (
	// Spindown: Lambda no longer needs the environment; any reason that is not
	// known counts as this.
	Spindown Reason = "spindown"
	// Timeout: the invocation ran into the function's timeout.
	Timeout Reason = "timeout"
	// Failure: the function or an extension died.
	Failure Reason = "failure"
)

// Event is what Lambda tells an extension.
type Event struct {
	Type EventType
	// RequestID is the invocation's id; "" at Shutdown.
	RequestID string
	// Deadline is the wall time by which the invocation, or at Shutdown this
	// process, is over. Zero if Lambda named none.
	Deadline time.Time
	// ARN is the invoked function's, with its qualifier; "" at Shutdown.
	ARN string
	// Trace is the X-Ray tracing header's value, "" if there is no trace.
	Trace string
	// Reason is set at Shutdown.
	Reason Reason
}

// parseEvent reads an event's JSON. An event of an unknown type is returned as
// it is: it is the reader's to ignore. Fields that are unknown are ignored, and
// so are known ones of a wrong kind: a Shutdown must not be lost over its deadline.
func parseEvent(body []byte) (Event, error) {
	var wire struct {
		EventType          string `json:"eventType"`
		DeadlineMs         int64  `json:"deadlineMs"`
		RequestID          string `json:"requestId"`
		InvokedFunctionARN string `json:"invokedFunctionArn"`
		Tracing            struct {
			Value string `json:"value"`
		} `json:"tracing"`
		ShutdownReason string `json:"shutdownReason"`
	}
	if err := json.Unmarshal(body, &wire); err != nil {
		// Unmarshal skips a field of a wrong kind and goes on with the rest.
		if _, wrongKind := errors.AsType[*json.UnmarshalTypeError](err); !wrongKind || wire.EventType == "" {
			return Event{}, fmt.Errorf("the event is not what Lambda sends: %w", err)
		}
	}
	e := Event{
		Type:      EventType(wire.EventType),
		RequestID: wire.RequestID,
		ARN:       wire.InvokedFunctionARN,
		Trace:     wire.Tracing.Value,
	}
	if e.Type == "" {
		return Event{}, errors.New("the event is not what Lambda sends: it has no eventType")
	}
	if wire.DeadlineMs > 0 {
		e.Deadline = time.UnixMilli(wire.DeadlineMs)
	}
	if e.Type == Shutdown {
		e.Reason = parseReason(wire.ShutdownReason)
	}
	return e, nil
}

// parseReason knows Lambda's documented spellings in any case, and those of
// AWS's own emulator.
func parseReason(s string) Reason {
	switch strings.ToLower(s) {
	case "timeout":
		return Timeout
	case "failure", "releasefail", "reservefail":
		return Failure
	default:
		return Spindown
	}
}
