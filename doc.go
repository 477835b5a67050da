// Package lift is the vocabulary of Lift, a service mesh for functions: what a
// call is, who can take one, how an attempt ended and what an error says.
//
// Everything that a call can be given to is a [Caller]; everything that wraps a
// Caller is a [Policy]; [Stack] puts policies in order. Each time that a call is sent
// to an endpoint is an [Attempt], with a [RoundTripper] and an [AttemptPolicy] of its own. The data plane
// (package mesh), the application's side (package sdk) and the session between
// the two all speak this one shape, so a policy is written once for unary and
// streaming calls alike.
//
// The package imports the standard library only.
package lift
