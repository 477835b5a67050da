package lift

import (
	"context"
	"time"
)

// Teller is a [Caller] that can tell what it knows of the services that it calls:
// the mesh itself, or a session to a sidecar.
type Teller interface {
	// Services returns what is known of the services of these names, of all
	// without names, sorted. The error is an [*Error]: UnknownService for a name
	// that is not configured, Misconfigured if nothing is, and what keeps a sidecar
	// from being asked. Safe for concurrent use.
	Services(ctx context.Context, names ...string) ([]ServiceStatus, error)
}

// ServiceStatus is what is known of one service at one moment.
type ServiceStatus struct {
	Name string
	// From says where the endpoints are learnt from (static, dns, ...), "" if that
	// was not told.
	From string
	// Broken is what is wrong with the service's configuration, "" if nothing is.
	// All its calls fail with it, and the rest says nothing.
	Broken string
	// At is the moment, by the wall clock of who tells.
	At time.Time
	// Told is the wall time at which the registry told the current set, zero if it
	// has told none yet. At - Told is the set's age.
	Told time.Time
	// Error is why the registry cannot be asked now, "" if it can; the set may be
	// stale then, and stays in use.
	Error string
	// Endpoints are the current set, sorted by key. nil before the first set, empty
	// if nobody serves.
	Endpoints []EndpointStatus
}

// EndpointStatus is what is known of one endpoint at one moment.
type EndpointStatus struct {
	Endpoint
	// State is "closed" (calls go there), "open" (none do) or "half_open" (one
	// probe is out).
	State string
	// Why says what took the endpoint out, "" while it is closed.
	Why string
	// Until is the wall time at which an open endpoint is due for its probe.
	Until time.Time
	// InFlight is how many attempts are out.
	InFlight int
	// Failures is how many of its last attempts failed in a row.
	Failures int
	// Usual is how long an answer usually takes, 0 if not known.
	Usual time.Duration
	// Open is how many connections there are, those being opened included; Idle is
	// how many of them carry nothing.
	Open, Idle int
	// Attempts is how many attempts have ended here since the endpoint became
	// known; Failed is how many of them failed or found it overloaded. They only
	// grow, so that two looks make a rate.
	Attempts, Failed uint64
}

// Health is State in the words for people: "healthy", "out" or "probing". A state
// that it does not know is returned as it is.
func (e *EndpointStatus) Health() string {
	switch e.State {
	case "closed":
		return "healthy"
	case "open":
		return "out"
	case "half_open":
		return "probing"
	default:
		return e.State
	}
}
