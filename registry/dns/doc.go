// Package dns is the registry for services that have a name in DNS: A and AAAA records
// with a port from the configuration, or SRV records, which bring ports, priorities and
// weights along.
//
// Each watch asks again shortly before what it knows expires. It tells of sets that are
// complete with what is known: the address family and the SRV targets that have
// answered, and for the others their last addresses. An answer that says "there is
// none" is an empty set. Where no answer gives addresses and one failed, the watch
// tells of an error, and the last set stays.
//
// No socket stays open between questions, so that a freeze breaks nothing. After a thaw
// a timer fires late, by as long as the freeze where the monotonic clock stood still;
// ages are therefore judged by the wall clock, every few seconds and at
// [Registry.Thawed].
package dns
