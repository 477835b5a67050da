package resilience

import (
	"errors"
	"fmt"
	"strings"
	"syscall"
	"unicode/utf8"

	"github.com/liftmesh/lift"
)

// causeLimit bounds a cause, in bytes: it goes into log lines, statuses and errors.
const causeLimit = 200

// Cause says in a few words on one line how an attempt went wrong: the error without
// what the attempt's record says already, or the status.
func Cause(a *lift.AttemptRecord) string {
	switch {
	case a.Outcome == lift.CutShort:
		return "no answer within the caller's time"
	case errors.Is(a.Err, syscall.ECONNREFUSED):
		return "connection refused"
	case a.Err != nil:
		text := a.Err.Error()
		if e, ok := errors.AsType[*lift.Error](a.Err); ok && e.Err != nil {
			text = e.Err.Error()
		}
		return clip(strings.TrimPrefix(text, a.Endpoint.Addr+": "))
	case a.GRPC == noStatus:
		return "an answer without a grpc-status"
	case a.GRPC != "":
		return "grpc-status " + a.GRPC
	default:
		return fmt.Sprintf("status %d", a.Status)
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
