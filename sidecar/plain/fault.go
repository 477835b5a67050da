package plain

import (
	"encoding/json"
	"errors"
	"net/http"
	"strconv"
	"time"

	"google.golang.org/grpc/codes"

	"github.com/liftmesh/lift"
)

// statusOf is the status of an answer that is Lift's own error. 503 is for what
// reached nobody and is about a moment's state, so that it can be sent again
// whatever it does; where an endpoint may have acted it is 502 or 504.
func statusOf(e *lift.Error) int {
	switch e.Code {
	case lift.UnknownService:
		return http.StatusNotFound
	case lift.InvalidCall:
		return http.StatusBadRequest
	case lift.TooLarge:
		return http.StatusRequestEntityTooLarge
	case lift.Busy, lift.Draining:
		return http.StatusServiceUnavailable
	case lift.NoSet, lift.NoEndpoints, lift.AllOpen, lift.Unavailable, lift.NoSidecar, lift.SessionLost:
		if e.Reached == lift.NotReached {
			return http.StatusServiceUnavailable
		}
		return http.StatusBadGateway
	case lift.BadResponse:
		return http.StatusBadGateway
	case lift.AttemptTimeout, lift.DeadlineExceeded:
		return http.StatusGatewayTimeout
	case lift.CallCanceled:
		return statusGone
	default: // Misconfigured, Incompatible, Internal
		return http.StatusInternalServerError
	}
}

// statusGone is for a caller that gave up, who seldom sees it. Source: nginx.
const statusGone = 499

// fault is Lift's own error with its status, where that is not the code's.
type fault struct {
	err    *lift.Error
	status int        // 0: the code's
	grpc   codes.Code // 0: the code's
	allow  string     // of a 405
}

// document is an error as a body.
type document struct {
	Error struct {
		Code         string    `json:"code"`
		Service      string    `json:"service,omitempty"`
		Endpoint     string    `json:"endpoint,omitempty"`
		Message      string    `json:"message"`
		MayHaveActed bool      `json:"may_have_acted"`
		Attempts     []attempt `json:"attempts"`
	} `json:"error"`
}

type attempt struct {
	Endpoint string  `json:"endpoint"`
	Outcome  string  `json:"outcome"`
	Status   int     `json:"status,omitempty"`
	Took     float64 `json:"took_ms"`
	Queued   float64 `json:"queued_ms,omitempty"`
	Sending  float64 `json:"sending_ms,omitempty"`
	Error    string  `json:"error,omitempty"`
}

func describe(e *lift.Error) *document {
	d := &document{}
	d.Error.Code, d.Error.Service, d.Error.Endpoint = string(e.Code), e.Service, e.Endpoint
	d.Error.MayHaveActed = e.Reached == lift.MayHaveActed
	d.Error.Message = string(e.Code)
	if e.Err != nil {
		d.Error.Message = e.Err.Error()
	}
	d.Error.Attempts = make([]attempt, 0, len(e.Attempts))
	for i := range e.Attempts {
		a := &e.Attempts[i]
		one := attempt{
			Endpoint: a.Endpoint.Addr, Outcome: a.Outcome.String(), Status: a.Status,
			Took: millis(a.Duration()), Queued: millis(a.Queued), Sending: millis(a.Sending),
		}
		if a.Err != nil {
			one.Error = a.Err.Error()
			if inner, ok := errors.AsType[*lift.Error](a.Err); ok && inner.Err != nil {
				one.Error = inner.Err.Error()
			}
		}
		d.Error.Attempts = append(d.Error.Attempts, one)
	}
	return d
}

func millis(d time.Duration) float64 { return float64(d.Microseconds()) / 1000 }

// writeFault answers with an error. last: the connection ends with it.
func writeFault(w http.ResponseWriter, f *fault, last bool) {
	status := f.status
	if status == 0 {
		status = statusOf(f.err)
	}
	h := w.Header()
	clear(h)
	h.Set(fieldError, string(f.err.Code))
	if f.allow != "" {
		h.Set("Allow", f.allow)
	}
	writeJSON(w, status, describe(f.err), last)
}

func writeJSON(w http.ResponseWriter, status int, v any, last bool) {
	text, err := json.Marshal(v)
	if err != nil { // never: the documents are plain structs
		text = []byte("{}")
	}
	text = append(text, '\n')
	h := w.Header()
	h.Set("Content-Type", "application/json")
	h.Set("Content-Length", strconv.Itoa(len(text)))
	h.Set("Cache-Control", "no-store")
	if last {
		h.Set("Connection", "close")
	}
	w.WriteHeader(status)
	_, _ = w.Write(text) // who is gone does not read it
}
