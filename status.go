package lift

import (
	"context"
	"time"
)

// Teller is a [Caller] that can report the state of its services: the mesh itself, or a
// session to a sidecar.
type Teller interface {
	// Services returns the state of the services with these names, or of all services
	// if there are no names, sorted. The error is an [*Error]: UnknownService for a
	// name that is not configured, Misconfigured if no service is, or the reason why
	// the sidecar cannot be asked. Safe for concurrent use.
	Services(ctx context.Context, names ...string) ([]ServiceStatus, error)
}

// ServiceStatus is the state of one service at one moment.
type ServiceStatus struct {
	Name string
	// From says where the endpoints come from (static, dns, ...), "" if that is
	// unknown.
	From string
	// Broken is what is wrong with the service's configuration, "" if nothing is. All
	// its calls fail with this error, and the other fields have no meaning.
	Broken string
	// At is the moment, by the wall clock of the process that reports it.
	At time.Time
	// Told is the wall time at which the registry reported the current set, zero if
	// there is none yet. At - Told is the set's age.
	Told time.Time
	// Error is why the registry cannot be asked now, "" if it can; the set may be
	// stale then, and stays in use.
	Error string
	// Endpoints are the current set, sorted by key. nil before the first set, empty if
	// there are no endpoints.
	Endpoints []EndpointStatus
}

// EndpointStatus is the state of one endpoint at one moment.
type EndpointStatus struct {
	Endpoint
	// State is "closed" (calls go there), "open" (none do) or "half_open" (one probe is
	// running).
	State string
	// Why is the reason why the endpoint is out, "" while it is closed.
	Why string
	// Until is the wall time at which an open endpoint is due for its probe.
	Until time.Time
	// InFlight is how many attempts are running.
	InFlight int
	// Failures is how many of its last attempts failed in a row.
	Failures int
	// Usual is how long an answer usually takes, 0 if unknown.
	Usual time.Duration
	// Open is how many connections there are, including those that are being opened;
	// Idle is how many of them carry no call.
	Open, Idle int
	// Attempts is how many attempts have ended here since the endpoint became known;
	// Failed is how many of them failed or found it overloaded. They only grow, so the
	// difference of two readings gives a rate.
	Attempts, Failed uint64
}

// Health returns State in words for people: "healthy", "out" or "probing". It returns
// an unknown state unchanged.
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
