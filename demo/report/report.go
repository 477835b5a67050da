// Package report holds the demo function's report of the calls that it made.
package report

import "time"

// Order is one invocation's payload: which services to call, and how often.
type Order struct {
	Gets  int      `json:"gets"`
	Posts int      `json:"posts"`
	RPCs  int      `json:"rpcs"`
	Parts int      `json:"parts"` // GETs of the service in Consul, through Lift only
	Plain []string `json:"plain"` // addresses for the calls without Lift
	// PlainRPC are the addresses for gRPC.
	PlainRPC []string `json:"plain_rpc"`
	Timeout  int      `json:"timeout_ms"`
	// Flush makes the function wait for the plain calls that are still running. Without
	// it a later invocation reports them, so that calls that hang do not delay the
	// others.
	Flush bool `json:"flush"`
}

// Ways of making calls. HTTP is the function's own, with the SDK.
const (
	HTTP   = ""
	RPC    = "grpc"   // the same, with gRPC
	Consul = "consul" // GETs of the service in Consul
	Caller = "caller" // another language's, through the plain door
)

// Call is one call that was made.
type Call struct {
	Way      string `json:"way,omitempty"` // see the constants
	Lift     bool   `json:"lift"`          // false: made by a plain client
	Post     bool   `json:"post"`
	OK       bool   `json:"ok"`
	Instance string `json:"instance,omitempty"`
	Took     int64  `json:"took_us"`
	Attempts int    `json:"attempts,omitempty"`
	// Reached is Lift's word on a failed call: whether an endpoint may have acted.
	Reached bool   `json:"reached,omitempty"`
	Error   string `json:"error,omitempty"`
}

// Promised reports whether Lift promises that such a call does not fail while an
// instance is healthy: it can be sent again, because it is idempotent or reached no
// instance.
func (c Call) Promised() bool { return !c.Post || !c.Reached }

// Duration is how long the call took.
func (c Call) Duration() time.Duration { return time.Duration(c.Took) * time.Microsecond }
