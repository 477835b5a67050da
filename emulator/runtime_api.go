package emulator

import (
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"slices"
	"strconv"
	"time"
)

const (
	maxPayload   = 6<<20 + 100 // 6 MiB and 100 bytes, buffered
	maxStreamed  = 200 << 20
	headerErrTyp = "Lambda-Runtime-Function-Error-Type"
)

// function is the Runtime API's view of the function. The life's mu guards all of
// it.
type function struct {
	proc      *process
	firstNext time.Time
	waiting   int // open requests for the next invocation
	queue     []*invocation
	running   map[string]*invocation // handed out, or about to be
}

func newFunction() *function { return &function{running: map[string]*invocation{}} }

func (f *function) idle() bool { return f.waiting > 0 && len(f.queue) == 0 }

// invocation is one Invoke on its way.
type invocation struct {
	id            string
	payload       []byte
	deadline      time.Time // real time
	trace         string
	clientContext string
	tenant        string

	// Guarded by the life's mu.
	delivered bool
	answered  time.Time
	answer    []byte
	failed    bool // the answer is an error
	errorType string
}

// runtimeNext is GET /runtime/invocation/next. The first one ends the
// registration of extensions.
func (l *life) runtimeNext(w http.ResponseWriter, r *http.Request) {
	f := l.function
	l.mu.Lock()
	if f.firstNext.IsZero() {
		f.firstNext = time.Now()
		l.closed = true
	}
	f.waiting++
	l.wake()
	l.mu.Unlock()

	var inv *invocation
	err := l.until(r.Context(), func() bool {
		if inv = l.nextInvocation(); inv == nil {
			return false
		}
		f.waiting--
		inv.delivered = true
		return true
	})
	if err != nil {
		l.mu.Lock()
		f.waiting--
		l.wake()
		l.mu.Unlock()
		return
	}
	h := w.Header()
	h.Set("Content-Type", "application/json")
	h.Set("Lambda-Runtime-Aws-Request-Id", inv.id)
	h.Set("Lambda-Runtime-Deadline-Ms", strconv.FormatInt(inv.deadline.UnixMilli(), 10))
	h.Set("Lambda-Runtime-Invoked-Function-Arn", l.e.cfg.arn())
	h.Set("Lambda-Runtime-Trace-Id", inv.trace)
	if inv.clientContext != "" {
		h.Set("Lambda-Runtime-Client-Context", inv.clientContext)
	}
	if inv.tenant != "" {
		h.Set("Lambda-Runtime-Aws-Tenant-Id", inv.tenant)
	}
	_, _ = w.Write(inv.payload) // see answer
}

// nextInvocation returns the invocation for a runtime that asks, or nil. A runtime
// that asks again before it has answered gets the same one again, as in Lambda where
// one invocation runs at a time. mu is held.
func (l *life) nextInvocation() *invocation {
	f := l.function
	if len(f.queue) > 0 {
		inv := f.queue[0]
		f.queue = f.queue[1:]
		return inv
	}
	if !l.e.cfg.managed() {
		for _, inv := range f.running {
			if inv.delivered && inv.answered.IsZero() {
				return inv
			}
		}
	}
	return nil
}

func (l *life) runtimeResponse(w http.ResponseWriter, r *http.Request) {
	if l.unanswered(r.PathValue("id")) == nil {
		refuse(w, http.StatusBadRequest, "InvalidRequestID", "Invalid request ID")
		return
	}
	limit := int64(maxPayload)
	switch r.Header.Get("Lambda-Runtime-Function-Response-Mode") {
	case "":
	case "streaming":
		limit = maxStreamed
	default:
		refuse(w, http.StatusBadRequest, "InvalidFunctionResponseMode", "Invalid function response mode")
		return
	}
	body, err := io.ReadAll(io.LimitReader(r.Body, limit+1))
	kind := r.Trailer.Get(headerErrTyp)
	switch {
	case err != nil:
		l.settle(r.PathValue("id"), errorBody("Runtime.TruncatedResponse", err.Error()), "Runtime.TruncatedResponse")
		refuse(w, http.StatusBadRequest, "TruncatedHTTPRequest", "HTTP request detected as truncated")
	case int64(len(body)) > limit:
		l.settle(r.PathValue("id"), errorBody("Function.ResponseSizeTooLarge", "Response payload size exceeded maximum allowed payload size ("+strconv.FormatInt(limit, 10)+" bytes)."), "Function.ResponseSizeTooLarge")
		refuse(w, http.StatusRequestEntityTooLarge, "RequestEntityTooLarge", "Exceeded maximum allowed payload size (%d bytes).", limit)
	case !l.settle(r.PathValue("id"), body, kind):
		refuse(w, http.StatusBadRequest, "InvalidRequestID", "Invalid request ID")
	default:
		accept(w)
	}
}

func (l *life) runtimeError(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(io.LimitReader(r.Body, maxPayload))
	if err != nil {
		return // it has gone; its process's end tells the rest
	}
	kind := r.Header.Get(headerErrTyp)
	if kind == "" {
		kind = "Runtime.Unknown"
	}
	if !l.settle(r.PathValue("id"), body, kind) {
		refuse(w, http.StatusBadRequest, "InvalidRequestID", "Invalid request ID")
		return
	}
	accept(w)
}

// settle records an invocation's answer, an error if kind is not empty. It returns
// false if nobody waits for it: it was never handed out, or is answered or expired.
func (l *life) settle(id string, body []byte, kind string) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	inv := l.function.running[id]
	if inv == nil || !inv.delivered || !inv.answered.IsZero() {
		return false
	}
	inv.answered, inv.answer = time.Now(), body
	inv.failed, inv.errorType = kind != "", kind
	l.wake()
	return true
}

func (l *life) unanswered(id string) *invocation {
	l.mu.Lock()
	defer l.mu.Unlock()
	if inv := l.function.running[id]; inv != nil && inv.delivered && inv.answered.IsZero() {
		return inv
	}
	return nil
}

func (l *life) runtimeInitError(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(io.LimitReader(r.Body, maxPayload))
	if err != nil {
		return // it has gone; its process's end tells the rest
	}
	kind := r.Header.Get(headerErrTyp)
	if kind == "" {
		kind = "Runtime.Unknown"
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if !l.function.firstNext.IsZero() {
		forbid(w, "InvalidStateTransition", "Transition from %s to %s is not allowed", "Ready", "InitError")
		return
	}
	fault := &Fault{Type: kind, Source: "function", Message: describe(kind, body), payload: body}
	if l.function.proc != nil {
		fault.Output = l.function.proc.output()
	}
	l.fail(fault)
	accept(w)
}

// admit takes an invocation in; drop lets it go, so that a late answer is
// refused.
func (l *life) admit(inv *invocation) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.calls++
	l.function.running[inv.id] = inv
}

func (l *life) drop(inv *invocation) {
	l.mu.Lock()
	defer l.mu.Unlock()
	delete(l.function.running, inv.id)
	l.function.queue = slices.DeleteFunc(l.function.queue, func(o *invocation) bool { return o == inv })
	l.wake()
}

// errorBody is the JSON of an error that the platform itself answers with.
func errorBody(kind, message string) []byte {
	body, err := json.Marshal(struct {
		Type    string `json:"errorType"`
		Message string `json:"errorMessage"`
	}{kind, message})
	if err != nil {
		panic(errors.Join(errors.New("emulator: two strings must marshal"), err))
	}
	return body
}
