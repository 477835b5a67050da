// Package report is what the demo's function tells of the calls it made.
package report

import "time"

// Order is one invocation's payload: what to call, and how often.
type Order struct {
	Gets  int      `json:"gets"`
	Posts int      `json:"posts"`
	RPCs  int      `json:"rpcs"`
	Parts int      `json:"parts"` // GETs of the service that Consul knows, through Lift alone
	Plain []string `json:"plain"` // addresses for the calls without Lift
	// PlainRPC are those for gRPC.
	PlainRPC []string `json:"plain_rpc"`
	Timeout  int      `json:"timeout_ms"`
	// Flush has the function wait for the plain calls that are still out. Without
	// it they report in a later invocation, so that those that hang do not hold
	// up the others.
	Flush bool `json:"flush"`
}

// The ways in which calls are made. HTTP is the function's own, by the SDK.
const (
	HTTP   = ""
	RPC    = "grpc"   // the same, gRPC
	Consul = "consul" // GETs of what Consul knows
	Caller = "caller" // another language's, through the plain door
)

// Call is one call that was made.
type Call struct {
	Way      string `json:"way,omitempty"` // see the constants
	Lift     bool   `json:"lift"`          // else by a plain client
	Post     bool   `json:"post"`
	OK       bool   `json:"ok"`
	Instance string `json:"instance,omitempty"`
	Took     int64  `json:"took_us"`
	Attempts int    `json:"attempts,omitempty"`
	// Reached is what Lift says of a failed call: an endpoint may have acted.
	Reached bool   `json:"reached,omitempty"`
	Error   string `json:"error,omitempty"`
}

// Promised reports whether Lift promises that such a call does not fail while
// an instance is well: it can be sent again, for it is idempotent, or it
// reached nobody.
func (c Call) Promised() bool { return !c.Post || !c.Reached }

// Duration is how long the call took.
func (c Call) Duration() time.Duration { return time.Duration(c.Took) * time.Microsecond }
