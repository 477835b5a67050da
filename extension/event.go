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
	// Invoke says that an invocation has begun.
	Invoke EventType = "INVOKE"
	// Shutdown says that the environment ends. It is the last event, and the function
	// has ended already. Flush, and exit with 0 well before the deadline, which is at
	// most 2 s away.
	Shutdown EventType = "SHUTDOWN"
)

// Reason is why an environment ends.
type Reason string

// The reasons of a Shutdown.
const (
	// Spindown: Lambda no longer needs the environment. Unknown reasons count as this.
	Spindown Reason = "spindown"
	// Timeout: the invocation exceeded the function's timeout.
	Timeout Reason = "timeout"
	// Failure: the function or an extension died.
	Failure Reason = "failure"
)

// Event is one event from Lambda.
type Event struct {
	Type EventType
	// RequestID is the invocation's id; "" at Shutdown.
	RequestID string
	// Deadline is the wall time at which Lambda ends the invocation, or at Shutdown this
	// process. Zero if Lambda sent none.
	Deadline time.Time
	// ARN is the ARN of the invoked function, with its qualifier; "" at Shutdown.
	ARN string
	// Trace is the value of the X-Ray tracing header, "" if there is no trace.
	Trace string
	// Reason is why the environment ends; set at Shutdown only.
	Reason Reason
}

// parseEvent reads an event's JSON. It returns events of unknown types too, for the
// caller to ignore. It ignores unknown fields, and known fields of a wrong type, so
// that a Shutdown is not lost because of its deadline.
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
		// Unmarshal skips a field of a wrong type and reads the rest.
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

// parseReason accepts Lambda's documented spellings in any case, and those of AWS's
// own emulator.
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
