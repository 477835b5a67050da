// Package session is the application's end of a Lift session: a lift.Caller whose
// calls go to the sidecar over its unix socket.
//
// Every call ends exactly once: with its answer, with an error of the sidecar,
// with its own cancellation, shortly after its deadline even if the sidecar hangs,
// or with the loss of the session, whichever comes first.
package session
