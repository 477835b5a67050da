package main

import (
	"encoding/json"
	"errors"
	"io"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/liftmesh/lift"
)

// callJSON is the output of `lift call --json`. Header names are in lower case,
// durations in milliseconds.
type callJSON struct {
	Service  string              `json:"service"`
	Method   string              `json:"method"`
	Path     string              `json:"path"`
	TookMS   float64             `json:"took_ms"`
	Status   int                 `json:"status,omitempty"` // none: there was no answer
	Header   map[string][]string `json:"header,omitempty"`
	Body     *string             `json:"body,omitempty"`        // if it is UTF-8
	Bytes    []byte              `json:"body_base64,omitempty"` // if it is not
	Trailer  map[string][]string `json:"trailer,omitempty"`
	Attempts []attemptJSON       `json:"attempts"`
	Error    *errorJSON          `json:"error,omitempty"`
}

type attemptJSON struct {
	Endpoint   string  `json:"endpoint"`
	ID         string  `json:"id,omitempty"`
	Zone       string  `json:"zone,omitempty"`
	BeganMS    float64 `json:"began_ms"`
	TookMS     float64 `json:"took_ms"`
	TimeoutMS  float64 `json:"timeout_ms,omitempty"`
	QueuedMS   float64 `json:"queued_ms,omitempty"`
	SendingMS  float64 `json:"sending_ms,omitempty"`
	Outcome    string  `json:"outcome"`
	Reached    string  `json:"reached"`
	Status     int     `json:"status,omitempty"`
	Fresh      bool    `json:"fresh"`
	Probe      bool    `json:"probe"`
	Why        string  `json:"why,omitempty"`
	Candidates int     `json:"candidates,omitempty"`
	Error      string  `json:"error,omitempty"`
}

type errorJSON struct {
	Code     string `json:"code,omitempty"`
	Message  string `json:"message"`
	Endpoint string `json:"endpoint,omitempty"`
	Reached  string `json:"reached,omitempty"`
}

// writeJSON reads the answer to its end, if there is one, and writes everything that
// is known of the call. It returns the call's error.
func writeJSON(w io.Writer, c *lift.Call, resp *lift.Response, failed error) error {
	out := callJSON{Service: c.Service, Method: c.Method, Path: c.Path}
	if failed == nil {
		var content []byte
		content, failed = readAll(resp.Body)
		out.Status, out.Header, out.Trailer = resp.Status, fieldsJSON(resp.Header), fieldsJSON(resp.Body.Trailer())
		if text := string(content); utf8.ValidString(text) {
			out.Body = &text
		} else {
			out.Bytes = content
		}
	}
	out.TookMS = millis(lift.Now().Since(c.Began))
	out.Attempts = attemptsJSON(attemptsOf(failed, c), c.Began)
	out.Error = failureJSON(failed)
	return errors.Join(encode(w, out), failed)
}

// readAll returns the body as far as it arrived, and the error that cut it short.
func readAll(body *lift.Body) ([]byte, error) {
	r, err := body.Reader()
	if err != nil {
		return nil, err
	}
	return io.ReadAll(r)
}

func attemptsJSON(attempts []lift.AttemptRecord, began lift.Instant) []attemptJSON {
	all := make([]attemptJSON, len(attempts))
	for i := range attempts {
		a := &attempts[i]
		all[i] = attemptJSON{
			Endpoint: a.Endpoint.Addr, ID: a.Endpoint.ID, Zone: a.Endpoint.Zone,
			BeganMS: millis(a.Began.Since(began)), TookMS: millis(a.Duration()), TimeoutMS: millis(a.Timeout),
			QueuedMS: millis(a.Queued), SendingMS: millis(a.Sending),
			Outcome: a.Outcome.String(), Reached: a.Reached.String(), Status: a.Status,
			Fresh: a.Fresh, Probe: a.Probe, Why: a.Why, Candidates: a.Candidates,
		}
		if a.Err != nil {
			all[i].Error = withoutPrefix(a.Err)
		}
	}
	return all
}

func failureJSON(err error) *errorJSON {
	if err == nil {
		return nil
	}
	e, ok := errors.AsType[*lift.Error](err)
	if !ok {
		return &errorJSON{Message: err.Error()}
	}
	out := &errorJSON{Code: string(e.Code), Endpoint: e.Endpoint, Reached: e.Reached.String()}
	if e.Err != nil {
		out.Message = e.Err.Error()
	}
	return out
}

func fieldsJSON(fields []lift.Field) map[string][]string {
	if len(fields) == 0 {
		return nil
	}
	all := make(map[string][]string, len(fields))
	for _, f := range fields {
		name := strings.ToLower(f.Name)
		all[name] = append(all[name], f.Value)
	}
	return all
}

// millis keeps microseconds.
func millis(d time.Duration) float64 { return float64(d.Microseconds()) / 1000 }

func encode(w io.Writer, v any) error {
	e := json.NewEncoder(w)
	e.SetIndent("", "  ")
	e.SetEscapeHTML(false)
	return e.Encode(v)
}
