// Package dns is the registry of those whose services have a name in DNS: A and
// AAAA records with a port that the configuration says, or SRV records, which
// bring ports, priorities and weights along.
//
// Each watch asks again shortly before what it knows expires, and tells of
// complete sets only: an answer that is missing, cut short or contradictory is
// an error, and the last set stays. An answer that says "there is none" is an
// empty set.
//
// Between two questions no socket is open, so that a freeze breaks nothing.
// After a thaw a timer fires late, by as long as the freeze where the monotonic
// clock stood still; ages are therefore judged by the wall clock, looked at
// every few seconds and at [Registry.Thawed].
package dns
