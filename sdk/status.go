package sdk

import (
	"fmt"
	"io"
	"net/http"

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
}

// Error is one line: what was asked of whom, and the status.
func (e *StatusError) Error() string {
	path := e.Path
	for i := range len(path) {
		if path[i] == '?' {
			path = path[:i]
			break
		}
	}
	return fmt.Sprintf("%s: %s %s: answered %d %s", e.Service, e.Method, path, e.Status, http.StatusText(e.Status))
}

// newStatusError reads as much of the answer as it keeps, and ends it.
func newStatusError(call *lift.Call, resp *lift.Response) *StatusError {
	e := &StatusError{
		Service: call.Service,
		Method:  call.Method,
		Path:    call.Path,
		Status:  resp.Status,
		Header:  headerOf(resp.Header),
	}
	if r, err := resp.Body.Reader(); err == nil {
		// What breaks off here takes nothing from what the status says.
		e.Body, _ = io.ReadAll(io.LimitReader(r, statusBodyLimit))
	}
	_ = resp.Body.Close()
	return e
}
