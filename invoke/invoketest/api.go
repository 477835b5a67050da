// Package invoketest is a fake of Lambda's Invoke API, whose functions run in the
// test's own process.
package invoketest

import (
	"context"
	"io"
	"net/http"
	"net/url"
	"strings"
	"sync"

	"github.com/liftmesh/lift/auth/sigv4/sigv4test"
	"github.com/liftmesh/lift/invoke"
)

// Function is what a fake runs. kind is "" or what kind of error payload is, such
// as Unhandled.
type Function func(ctx context.Context, payload []byte) (result []byte, kind string)

// API answers Invoke for the functions it has; put a [sigv4test.Guard] in front to
// have signatures verified. Safe for concurrent use.
type API struct {
	mu        sync.Mutex
	functions map[string]Function
	throttled int
	broken    int
	runs      int
}

// Put makes a function known under a name, or NAME:QUALIFIER.
func (a *API) Put(name string, f Function) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.functions == nil {
		a.functions = map[string]Function{}
	}
	a.functions[name] = f
}

// Throttle has the next n calls refused with 429.
func (a *API) Throttle(n int) { a.change(func() { a.throttled = n }) }

// Break has the next n calls answered with 500 ServiceException.
func (a *API) Break(n int) { a.change(func() { a.broken = n }) }

// Runs is how often a function has run.
func (a *API) Runs() (n int) {
	a.change(func() { n = a.runs })
	return n
}

func (a *API) change(f func()) {
	a.mu.Lock()
	defer a.mu.Unlock()
	f()
}

// ServeHTTP implements [http.Handler].
func (a *API) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	escaped, rest, ok := strings.Cut(strings.TrimPrefix(r.URL.EscapedPath(), "/2015-03-31/functions/"), "/")
	name, err := url.PathUnescape(escaped)
	if !ok || rest != "invocations" || r.Method != http.MethodPost || err != nil {
		sigv4test.Refuse(w, http.StatusNotFound, "UnknownOperationException", r.Method+" "+r.URL.Path)
		return
	}
	if q := r.URL.Query().Get("Qualifier"); q != "" {
		name += ":" + q
	}
	payload, err := io.ReadAll(io.LimitReader(r.Body, invoke.MaxPayload+1))
	if err != nil {
		return
	}
	w.Header().Set("X-Amzn-Requestid", "c6af9ac6-7b61-11e6-9a41-93e8deadbeef")
	f := a.next(name, w)
	switch {
	case f == nil:
		return
	case len(payload) > invoke.MaxPayload:
		sigv4test.Refuse(w, http.StatusRequestEntityTooLarge, "RequestTooLargeException", "Request must be smaller than 6291456 bytes for the InvokeFunction operation")
		return
	}
	result, kind := f(r.Context(), payload)
	if kind != "" {
		w.Header().Set("X-Amz-Function-Error", kind)
	}
	w.Header().Set("X-Amz-Executed-Version", "$LATEST")
	w.Header().Set("Content-Type", "application/json")
	_, _ = w.Write(result) // who went away needs no answer
}

// next is the function to run, nil if the call has been answered.
func (a *API) next(name string, w http.ResponseWriter) Function {
	a.mu.Lock()
	defer a.mu.Unlock()
	f := a.functions[name]
	switch {
	case f == nil:
		sigv4test.Refuse(w, http.StatusNotFound, "ResourceNotFoundException:http://internal.amazon.com/coral/com.amazonaws.awsgirapi/", "Function not found: "+name)
		return nil
	case a.throttled > 0:
		a.throttled--
		sigv4test.Refuse(w, http.StatusTooManyRequests, "TooManyRequestsException", "Rate Exceeded.")
		return nil
	case a.broken > 0:
		a.broken--
		sigv4test.Refuse(w, http.StatusInternalServerError, "ServiceException", "Service error.")
		return nil
	}
	a.runs++
	return f
}
