// Package wire is what both ends of a Lift session share: how the vocabulary of
// package lift looks in lift.v1, the writer that sends frames in a fair order,
// the credit that bodies flow under, and which versions can talk.
package wire
