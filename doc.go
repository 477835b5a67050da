// Package lift defines the types that all of Lift shares, a service mesh for functions:
// calls, the interfaces that take them, outcomes of attempts, and errors.
//
// A [Caller] takes calls; a [Policy] wraps a Caller; [Stack] puts policies in order.
// Each time that a call is sent to an endpoint is an [Attempt], with a [RoundTripper]
// and an [AttemptPolicy] of its own. The data plane (package mesh), the application's
// side (package sdk) and the session between the two all use these types, so a policy
// is written once for unary and streaming calls.
//
// The package imports the standard library only.
package lift
