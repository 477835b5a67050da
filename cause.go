package lift

import (
	"errors"
	"fmt"
	"strings"
	"syscall"
	"unicode/utf8"
)

// causeLimit bounds a cause, in bytes: it goes into log lines, statuses and errors.
const causeLimit = 200

// Cause says in a few words, on one line of 200 bytes at most, how the attempt went wrong: its error
// without what the record says already, or the status. It is "" for one that went well or still runs.
func (r *AttemptRecord) Cause() string {
	switch {
	case r.Outcome == OK, r.Outcome == Unjudged:
		return ""
	case r.Outcome == CutShort:
		return "no answer within the caller's time"
	case errors.Is(r.Err, syscall.ECONNREFUSED):
		return "connection refused"
	case r.Err != nil:
		text := r.Err.Error()
		if e, ok := errors.AsType[*Error](r.Err); ok && e.Err != nil {
			text = e.Err.Error()
		}
		return clip(strings.TrimPrefix(text, r.Endpoint.Addr+": "))
	case r.GRPC == "none":
		return "an answer without a grpc-status"
	case r.GRPC != "":
		return "grpc-status " + r.GRPC
	case r.Status != 0:
		return fmt.Sprintf("status %d", r.Status)
	default:
		return r.Outcome.String()
	}
}

func clip(text string) string {
	text = strings.Join(strings.Fields(text), " ")
	if len(text) <= causeLimit {
		return text
	}
	end := causeLimit
	for !utf8.RuneStart(text[end]) {
		end--
	}
	return text[:end] + "..."
}
