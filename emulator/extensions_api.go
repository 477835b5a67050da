package emulator

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strings"
	"time"
)

const (
	headerExtensionName = "Lambda-Extension-Name"
	headerExtensionID   = "Lambda-Extension-Identifier"
	headerExtensionErr  = "Lambda-Extension-Function-Error-Type"

	stateNotAllowed = "State transition from %s to %s failed for extension %s. Error: State transition is not allowed"
)

// register is POST /extension/register. A refused registration can be
// corrected and sent again.
func (l *life) register(w http.ResponseWriter, r *http.Request) {
	name := r.Header.Get(headerExtensionName)
	if name == "" {
		forbid(w, "Extension.InvalidExtensionName", "Empty extension name")
		return
	}
	var body struct {
		Events            []string `json:"events"`
		ConfigurationKeys []string `json:"configurationKeys"`
	}
	data, err := io.ReadAll(r.Body)
	if err == nil {
		err = json.Unmarshal(data, &body)
	}
	if err != nil {
		forbid(w, "InvalidRequestFormat", "%s", err)
		return
	}
	if len(body.ConfigurationKeys) > 0 {
		forbid(w, "InvalidRequestFormat", "configurationKeys are deprecated; use environment variables instead")
		return
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	// A name that matches no file is an internal extension, silently.
	external := l.named(name, true)
	for _, e := range body.Events {
		if problem := l.refusesEvent(e, external != nil); problem != "" {
			forbid(w, "Extension.InvalidEventType", "%s: %s", e, problem)
			return
		}
	}
	a := external
	switch {
	case a == nil:
		if a = l.registerInternal(w, name); a == nil {
			return
		}
	case !a.registered.IsZero():
		forbid(w, "Extension.InvalidExtensionState", stateNotAllowed, a.state(), "Registered", a.name)
		return
	case l.registeredCount() >= maxExtensions:
		forbid(w, "Extension.TooManyExtensions", "Extension limit (%d) reached", maxExtensions)
		return
	}
	for _, e := range body.Events {
		a.events[e] = true
	}
	a.registered = time.Now()
	l.wake()
	w.Header().Set(headerExtensionID, a.id)
	answer(w, http.StatusOK, l.registration(r))
}

// registerInternal adds an internal extension, or says why not. mu is held.
func (l *life) registerInternal(w http.ResponseWriter, name string) *agent {
	switch {
	case l.closed:
		forbid(w, "Extension.RegistrationClosed", "Extension registration closed already")
	case l.named(name, false) != nil:
		forbid(w, "Extension.InvalidExtensionState", "Extension with this name already registered")
	case len(l.agents) >= maxExtensions:
		forbid(w, "Extension.TooManyExtensions", "Extension limit (%d) reached", maxExtensions)
	default:
		a := newAgent(name, false)
		l.agents = append(l.agents, a)
		return a
	}
	return nil
}

// refusesEvent says why an extension cannot register for an event, "" if it can.
func (l *life) refusesEvent(e string, external bool) string {
	switch {
	case e != eventInvoke && e != eventShutdown, e == eventInvoke && l.e.cfg.managed():
		return "ErrorInvalidEventType"
	case e == eventShutdown && !external:
		return "ShutdownEventNotSupportedForInternalExtension"
	}
	return ""
}

func (l *life) registration(r *http.Request) any {
	cfg := &l.e.cfg
	reply := struct {
		FunctionName    string `json:"functionName"`
		FunctionVersion string `json:"functionVersion"`
		Handler         string `json:"handler"`
		AccountID       string `json:"accountId,omitempty"`
	}{FunctionName: cfg.Name, FunctionVersion: cfg.Version, Handler: cfg.Handler}
	for feature := range strings.SplitSeq(r.Header.Get("Lambda-Extension-Accept-Feature"), ",") {
		if strings.TrimSpace(feature) == "accountId" {
			reply.AccountID = accountID
		}
	}
	return reply
}

// named finds an extension. mu is held.
func (l *life) named(name string, external bool) *agent {
	for _, a := range l.agents {
		if a.name == name && a.external == external {
			return a
		}
	}
	return nil
}

func (l *life) registeredCount() int {
	n := 0
	for _, a := range l.agents {
		if !a.registered.IsZero() {
			n++
		}
	}
	return n
}

// identified finds the extension that asks, or answers with an error.
func (l *life) identified(w http.ResponseWriter, r *http.Request) *agent {
	id := r.Header.Get(headerExtensionID)
	if id == "" {
		forbid(w, "Extension.MissingExtensionIdentifier", "Missing %s header", headerExtensionID)
		return nil
	}
	if !isID(id) {
		forbid(w, "Extension.InvalidExtensionIdentifier", "Invalid %s", headerExtensionID)
		return nil
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, a := range l.agents {
		if !a.registered.IsZero() && strings.EqualFold(a.id, id) {
			return a
		}
	}
	forbid(w, "Extension.UnknownExtensionIdentifier", "Unknown extension %s", id)
	return nil
}

// extensionNext is GET /extension/event/next: it ends the last event and waits
// for the next, for ever.
func (l *life) extensionNext(w http.ResponseWriter, r *http.Request) {
	a := l.identified(w, r)
	if a == nil {
		return
	}
	l.mu.Lock()
	if a.saidIn != "" || a.waiting > 0 {
		forbid(w, "Extension.InvalidExtensionState", stateNotAllowed, a.state(), "Ready", a.id)
		l.mu.Unlock()
		return
	}
	if a.firstNext.IsZero() {
		a.firstNext = time.Now()
	}
	a.busy = false
	a.waiting++
	l.wake()
	l.mu.Unlock()

	var e event
	err := l.until(r.Context(), func() bool {
		if len(a.queue) == 0 {
			return false
		}
		e, a.queue = a.queue[0], a.queue[1:]
		a.waiting--
		a.busy = true
		return true
	})
	if err != nil {
		l.mu.Lock()
		a.waiting--
		l.wake()
		l.mu.Unlock()
		return
	}
	w.Header().Set("Content-Type", e.contentType)
	if e.id != "" {
		w.Header().Set("Lambda-Extension-Event-Identifier", e.id)
	}
	_, _ = w.Write(e.body) // see answer
}

func (l *life) extensionInitError(w http.ResponseWriter, r *http.Request) {
	l.extensionError(w, r, "Init", func(a *agent) bool { return a.firstNext.IsZero() })
}

func (l *life) extensionExitError(w http.ResponseWriter, r *http.Request) {
	l.extensionError(w, r, "Exit", func(*agent) bool { return true })
}

// extensionError takes an extension's init/error or exit/error; every later request
// of it fails.
func (l *life) extensionError(w http.ResponseWriter, r *http.Request, phase string, allowed func(*agent) bool) {
	a := l.identified(w, r)
	if a == nil {
		return
	}
	kind := r.Header.Get(headerExtensionErr)
	if kind == "" {
		forbid(w, "Extension.MissingHeader", "%s not found", headerExtensionErr)
		return
	}
	body, err := io.ReadAll(io.LimitReader(r.Body, maxPayload))
	if err != nil {
		return // the client has gone; the end of its process says why
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	switch {
	case a.saidIn == phase: // only the first error counts
	case a.saidIn != "" || !allowed(a):
		forbid(w, "Extension.InvalidExtensionState", stateNotAllowed, a.state(), phase+"Error", a.id)
		return
	default:
		a.said, a.saidIn = describe(kind, body), phase
		fault := a.reported()
		if a.proc != nil {
			fault.Output = a.proc.output()
		}
		l.fail(fault)
	}
	accept(w)
}

// describe puts an error's type and the message in its body in one line.
func describe(kind string, body []byte) string {
	var said apiError
	if json.Unmarshal(body, &said) == nil && said.Message != "" {
		return fmt.Sprintf("%s: %s", kind, said.Message)
	}
	return kind
}
