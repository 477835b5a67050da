package emulator

import (
	"crypto/rand"
	"fmt"
	"time"
)

// The events that an extension can register for.
const (
	eventInvoke   = "INVOKE"
	eventShutdown = "SHUTDOWN"
)

// maxExtensions is Lambda's limit, external and internal ones together.
const maxExtensions = 10

// agent is an extension as the Extensions API sees it. All of it is guarded by
// the life's mu.
type agent struct {
	name     string
	external bool
	id       string
	proc     *process // nil for an internal one, or if it could not be started

	events     map[string]bool
	registered time.Time
	firstNext  time.Time
	// waiting counts the open requests for the next event: one, or for a moment
	// two when a client has just dropped one.
	waiting int
	queue   []event
	busy    bool   // has taken an event and not asked for the next yet
	said    string // the type that it gave to init/error or exit/error
	saidIn  string // "Init" or "Exit"
}

// event is what next answers.
type event struct {
	id          string // sent as a header if not empty
	contentType string
	body        []byte
}

func newAgent(name string, external bool) *agent {
	return &agent{name: name, external: external, id: newID(), events: map[string]bool{}}
}

func (a *agent) source() string { return "extension " + a.name }

// state is the name that the API's errors call it by.
func (a *agent) state() string {
	switch {
	case a.saidIn != "":
		return a.saidIn + "Error"
	case a.registered.IsZero():
		return "Started"
	case a.firstNext.IsZero():
		return "Registered"
	case a.busy:
		return "Running"
	default:
		return "Ready"
	}
}

// idle: has asked for the next event, and none is on its way.
func (a *agent) idle() bool { return a.waiting > 0 && len(a.queue) == 0 }

// crashed is the fault when the extension's process has gone.
func (a *agent) crashed(p *process) *Fault {
	if a.saidIn != "" {
		return a.reported()
	}
	return &Fault{Type: "Extension.Crash", Message: p.exit}
}

// reported is the fault when the extension has called init/error or exit/error.
func (a *agent) reported() *Fault {
	return &Fault{Type: "Extension." + a.saidIn + "Error", Source: a.source(), Message: a.said}
}

// newID makes a random UUID (version 4).
func newID() string {
	var b [16]byte
	_, _ = rand.Read(b[:]) // never fails
	b[6] = b[6]&0x0f | 0x40
	b[8] = b[8]&0x3f | 0x80
	return fmt.Sprintf("%x-%x-%x-%x-%x", b[:4], b[4:6], b[6:8], b[8:10], b[10:])
}

// isID reports whether s has the shape of a UUID.
func isID(s string) bool {
	if len(s) != 36 {
		return false
	}
	for i, c := range []byte(s) {
		switch {
		case i == 8 || i == 13 || i == 18 || i == 23:
			if c != '-' {
				return false
			}
		case c >= '0' && c <= '9', c >= 'a' && c <= 'f', c >= 'A' && c <= 'F':
		default:
			return false
		}
	}
	return true
}
